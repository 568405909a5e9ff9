"""Memory that a fetch has used is there for the next one: the system is not asked for it again."""

from __future__ import annotations

import subprocess
import sys

_PROGRAM = """
import resource
import sys
import threading
from stream_app.delivery.allocation import keep_freed_memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def fetch():
    received = bytearray()
    for _ in range(32):  # as asyncio's StreamReader does it
        received += bytes(256 << 10)
    whole = bytes(received)
    parts = [whole[start : start + (1 << 20)] for start in range(0, len(whole), 1 << 20)]
    return [part[:1000] for part in parts]  # what stays lies between what goes

def fetches():
    global asked
    kept = [fetch() for _ in range(3)]
    asked = faults()
    kept += [fetch() for _ in range(20)]
    asked = faults() - asked

if sys.argv[1] == "ours":
    assert keep_freed_memory()
thread = threading.Thread(target=fetches)
thread.start()
thread.join()
print(asked)
"""


def faults(how: str) -> int:
    done = subprocess.run([sys.executable, "-c", _PROGRAM, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_later_fetches_ask_the_system_for_no_pages() -> None:
    assert faults("ours") < 1_000
    assert faults("as it is") > 20_000


_BACKLOG = """
import time
from pathlib import Path
from stream_app.delivery.allocation import give_back_now_and_then, keep_freed_memory

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) // 256

assert keep_freed_memory()
parts = [bytes([1]) * (100 << 10) for _ in range(1000)]
most, parts = resident(), parts[::100]  # what stays lies between what goes
assert resident() > most - 20
assert give_back_now_and_then(0.01)
deadline = time.monotonic() + 30
while resident() > most - 80 and time.monotonic() < deadline:
    time.sleep(0.01)
print(most - resident())
"""


def test_what_a_backlog_has_left_is_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", _BACKLOG], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 80
