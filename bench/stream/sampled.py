"""A sampler inside a worker: what each thread's processor time went into. `python -m bench.stream.sampled FILE worker`
is `python -m stream_app worker`, sampled; at its end FILE has the samples.

Every few milliseconds each thread's own processor clock is read, and what it has advanced is booked on the stack that
the thread shows at that moment. So waiting costs nothing, both threads of a worker are seen, and there is no tracing
that would make small functions dear. The interpreter switches threads after a call of a C function, so time in C is
booked on the function that called it.
"""

from __future__ import annotations

import gc
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec

_INTERVAL_SECONDS, _SWITCH_SECONDS = 0.004, 0.0002
"""The interpreter lets the sampler in only after a switch interval, 5 ms by default, or where a call lets go of the
lock by itself, such as numpy's sort: such calls would be seen too often."""
_DEEPEST = 40
_BEGINS = "_apply"
"""Sampling begins with the first batch: when this function of stream_app/agents/counting.py is seen."""

Frame = tuple[str, str]
"""File and function."""


class Sampled(msgspec.Struct, frozen=True):
    """One stack of one thread, innermost frame first, and the processor seconds booked on it."""

    thread: str
    stack: tuple[Frame, ...]
    seconds: float


class Samples(msgspec.Struct, frozen=True):
    """collecting: seconds in the garbage collector, which are part of the others, too."""

    stacks: list[Sampled]
    collecting: float


class Sampler(threading.Thread):
    """Samples all other threads of this process until stop()."""

    def __init__(self) -> None:
        super().__init__(name="sampler", daemon=True)
        self._ended = threading.Event()
        self._booked: defaultdict[tuple[str, tuple[Frame, ...]], float] = defaultdict(float)
        self._clocks: dict[int, float] = {}
        self._collecting = self._collection_began = 0.0
        self._begun = False

    def run(self) -> None:
        gc.callbacks.append(self._collector)
        while not self._ended.wait(_INTERVAL_SECONDS):
            self.sample()

    def stop(self) -> Samples:
        """End it. What was booked."""
        self._ended.set()
        self.join()
        gc.callbacks.remove(self._collector)
        stacks = [Sampled(thread, stack, seconds) for (thread, stack), seconds in self._booked.items()]
        return Samples(stacks, self._collecting)

    def sample(self) -> None:
        """Book what every other thread has spent since the last time."""
        frames = sys._current_frames()
        for thread in threading.enumerate():
            number = thread.ident
            if number is None or thread is self or number not in frames:
                continue
            try:
                now = time.clock_gettime(time.pthread_getcpuclockid(number))
            except OSError:  # it has ended meanwhile
                continue
            spent, self._clocks[number] = now - self._clocks.get(number, now), now
            stack = _stack(frames[number])
            self._begun = self._begun or any(name == _BEGINS and "counting" in file for file, name in stack)
            if spent and self._begun:
                self._booked[thread.name, stack] += spent

    def _collector(self, phase: str, info: dict[str, Any]) -> None:
        if phase == "start":
            self._collection_began = time.thread_time()
        elif self._begun:
            self._collecting += time.thread_time() - self._collection_began


def _stack(frame: FrameType | None) -> tuple[Frame, ...]:
    found: list[Frame] = []
    while frame is not None and len(found) < _DEEPEST:
        found.append((frame.f_code.co_filename, frame.f_code.co_name))
        frame = frame.f_back
    return tuple(found)


if __name__ == "__main__":
    from stream_app.__main__ import cli

    file, *words = sys.argv[1:]
    sampler = Sampler()
    sys.setswitchinterval(_SWITCH_SECONDS)
    sampler.start()
    try:
        cli(words)
    finally:
        Path(file).write_bytes(msgspec.json.encode(sampler.stop()))
