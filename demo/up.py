"""`make up`: the same installation, staying up without traffic of its own; and `make down`, which ends it.

`up` starts a supervisor of its own (`python -m demo keep`), waits until it says that everything answers, prints the
URLs and returns. The supervisor starts a service that has ended again (keeper.py). It ends with `down` (SIGTERM) and
takes every child with it; where it has to end by itself, the next `down` or `up` says why.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from demo.datasets.dataset import Dataset
from demo.directory import claimed, fresh_directory, holder
from demo.errors import DemoError
from demo.keeper import Keeper
from demo.launch import Launch
from demo.scenario import Plan
from demo.stack.errors import StackError

LATENESS_SECONDS = 5.0
_START_SECONDS = 240.0
_STOP_SECONDS = 60.0


class Kept(msgspec.Struct, frozen=True):
    """What the supervisor writes to `running.json` when everything answers.

    urls: what -> where. stream: the workers' STREAM_*.
    """

    pid: int
    urls: dict[str, str]
    stream: dict[str, str]


async def keep(dataset: Dataset, directory: Path, plan: Plan, seed: int) -> None:
    """The supervisor: launch, say so, keep it running until SIGTERM, stop. Raises DemoError, StackError."""
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    with fresh_directory(directory) as home:
        launch = Launch(dataset, home, plan, seed, LATENESS_SECONDS, _log)
        try:
            starting = asyncio.create_task(launch.start())
            stopping = asyncio.create_task(ended.wait())
            await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not starting.done():
                starting.cancel()
                await asyncio.gather(starting, return_exceptions=True)
                return
            await starting
            _announce(home / "running.json", _kept(launch))
            keeper = Keeper(_log)
            while not ended.is_set():
                await asyncio.to_thread(keeper.tend, launch.lasting)
                await asyncio.sleep(0.5)
        except (DemoError, StackError) as error:
            if running(directory) is not None:  # or else `up` still waits, and says it
                note_end(directory, f"{_now()}: {error}")
            raise
        finally:
            await launch.stop()


def _log(text: str) -> None:
    print(f"{_now()}  {text}", flush=True)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def note_end(directory: Path, why: str) -> None:
    """Keep for the next `down` or `up` why it ended by itself."""
    _end_file(directory).write_text(why, encoding="utf-8")


def noted_end(directory: Path) -> str | None:
    """Why it ended by itself, once: when it is told it is forgotten."""
    try:
        why = _end_file(directory).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    _end_file(directory).unlink(missing_ok=True)
    return why


def _end_file(directory: Path) -> Path:
    """Beside the directory, which the next run empties."""
    return directory.with_suffix(".ended")


def log_file(directory: Path) -> Path:
    """What the supervisor says: what it has started, and started again."""
    return directory.with_suffix(".log")


def _announce(file: Path, kept: Kept) -> None:
    """Written whole or not at all: a reader may look at any moment."""
    fresh = file.with_suffix(".new")
    fresh.write_bytes(msgspec.json.encode(kept))
    fresh.rename(file)


def _kept(launch: Launch) -> Kept:
    at = launch.installation
    return Kept(
        os.getpid(),
        {
            "predictions": f"{at.api_url}/predict",
            "API documentation": f"{at.api_url}/docs",
            "metrics": f"{at.api_url}/metrics",
            "Kafka": at.bootstrap,
            "Redis": at.redis_url,
            "MLflow registry": at.registry,
            "alerts delivered": str(at.alerts_file),
            "logs": str(at.directory / "logs"),
            "its own log": str(log_file(at.directory)),
        },
        at.stream_settings(),
    )


def up(data: str, directory: Path, window_seconds: int, tell: Callable[[str], None]) -> Kept:
    """Start the supervisor and wait for it. tell: hears each line of its log meanwhile, what has been reached.

    Raises DemoError with the end of its log when it fails.
    """
    refuse_if_up(directory)
    directory.parent.mkdir(parents=True, exist_ok=True)
    log = log_file(directory)
    command = [sys.executable, "-m", "demo", "keep", "--data", data, "--window-seconds", str(window_seconds)]
    with log.open("wb") as output:
        # a session of its own: Ctrl-C in this terminal is not for it
        supervisor = subprocess.Popen(
            [*command, "--directory", str(directory)],
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    deadline = time.monotonic() + _START_SECONDS
    told = 0
    try:
        while (kept := running(directory)) is None or kept.pid != supervisor.pid:
            whole = log.read_text(errors="replace").split("\n")[:-1]
            for line in whole[told:]:
                tell(line)
            told = len(whole)
            if supervisor.poll() is not None:
                tail = "\n    ".join(log.read_text(errors="replace").splitlines()[-12:])
                raise DemoError(f"it did not start; {log} ends with\n    {tail}")
            if time.monotonic() > deadline:
                raise DemoError(f"it did not start within {_START_SECONDS:g} s: see {log}")
            time.sleep(0.1)
    except BaseException:
        supervisor.terminate()
        supervisor.wait()  # so that all of it has ended when this is said
        raise
    return kept


def refuse_if_up(directory: Path) -> None:
    """Raises DemoError when something is up, or starting, in the directory."""
    if claimed(directory):
        raise DemoError("it is up already: `make down` ends it")


def running(directory: Path) -> Kept | None:
    """What is up in a directory, None when nothing is (or it is not ready yet)."""
    file = directory / "running.json"
    if not claimed(directory) or not file.exists():
        return None
    try:
        return msgspec.json.decode(file.read_bytes(), type=Kept)
    except (msgspec.MsgspecError, OSError) as error:
        raise DemoError(f"{file}: {error}: end the process that uses {directory} by hand") from error


def down(directory: Path) -> bool:
    """End what is up, or starting; False when nothing was. Raises DemoError when it does not end."""
    pid = holder(directory)
    if pid is None:
        return False
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while claimed(directory):
        if time.monotonic() > deadline:
            raise DemoError(f"process {pid} does not end: see {log_file(directory)}")
        time.sleep(0.1)
    return True
