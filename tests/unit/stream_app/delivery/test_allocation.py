"""A large block that is freed leaves the process, however many were freed before."""

from __future__ import annotations

import subprocess
import sys

_PROGRAM = """
import sys
from pathlib import Path
from stream_app.delivery.allocation import give_back_large_blocks

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

if sys.argv[1] == "ours":
    assert give_back_large_blocks()
for size in (1 << 20, 8 << 20, 24 << 20):  # each moves glibc's own limit up
    bytearray(size)
pairs = [(bytearray(1 << 20), bytes(1000)) for _ in range(64)]  # small ones that stay, between large ones that go
before = resident()
small = [pair[1] for pair in pairs]
del pairs
print(before - resident())
"""


def freed(how: str) -> int:
    done = subprocess.run([sys.executable, "-c", _PROGRAM, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_what_is_freed_between_what_stays_goes_back_to_the_system() -> None:
    assert freed("ours") > 60 << 20
    assert freed("as it is") < 60 << 20
