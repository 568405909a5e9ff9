"""How long `python -m api` takes from its start until it can answer, in seconds of the wall and of the processor.

On a machine that does other work too the second is the one to compare. `python -m bench.api.start_to_ready` measures
with the API_* settings of the environment, three times; Kafka and the registry need not be there once there is a local
copy of the champion.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from typing import NamedTuple

COMMAND = (sys.executable, "-m", "api")
_POLL_SECONDS = 0.01


class Start(NamedTuple):
    """wall, processor: seconds until /health/ready said that predictions are answered. model: what it said of it.
    resident_mib: memory then.
    """

    wall: float
    processor: float
    model: str
    resident_mib: float


class NotReady(Exception):
    """It ended, or took too long."""


def start_to_ready(
    settings: Mapping[str, str], *, command: Sequence[str] = COMMAND, limit_seconds: float = 120.0
) -> Start:
    """Start it on a free port, wait until it is ready, end it. settings: API_* variables. Raises NotReady.

    With a command that binds it to cores first the processor seconds of that are counted too.
    """
    begun = time.perf_counter()
    environment = {**os.environ, **settings, "API_PORT": "0"}
    child = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, text=True
    )
    try:
        assert child.stdout is not None
        words = child.stdout.readline().split()
        if len(words) < 2:
            raise NotReady(f"it ended with status {child.wait()}: its log says why")
        model = _until_ready(words[1], begun + limit_seconds)
        return Start(time.perf_counter() - begun, _processor_seconds(child.pid), model, _resident_mib(child.pid))
    finally:
        child.terminate()
        child.wait()


def _until_ready(url: str, until: float) -> str:
    while time.perf_counter() < until:
        try:
            with urllib.request.urlopen(f"{url}/health/ready", timeout=5) as answer:
                return str(json.load(answer)["dependencies"]["model"]["detail"])
        except (urllib.error.URLError, OSError):
            time.sleep(_POLL_SECONDS)
    raise NotReady(f"{url} was not ready in time")


def _processor_seconds(pid: int) -> float:
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident_mib(pid: int) -> float:
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:")) / 1024


def _main() -> None:
    for _ in range(3):
        try:
            start = start_to_ready({})
        except NotReady as error:
            sys.exit(f"start_to_ready: {error}")
        print(
            f"ready after {start.wall:.2f} s, {start.processor:.2f} s of the processor, "
            f"{start.resident_mib:.0f} MiB: {start.model}"
        )


if __name__ == "__main__":
    _main()
