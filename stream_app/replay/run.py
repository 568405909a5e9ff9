"""Runs a replay: opens its source, counts what comes, writes what is found. The shell around the pure core."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractContextManager, closing
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple

from stream_app.errors import ReplayError
from stream_app.interactive import SIGNALLED
from stream_app.replay.comparison import comparison_text
from stream_app.replay.from_file import FileSource
from stream_app.replay.from_topic import TopicSource
from stream_app.replay.judging import Verdict
from stream_app.replay.lines import Line, encode_line
from stream_app.replay.outcome import Outcome, summary_text
from stream_app.replay.request import Request
from stream_app.windowing.typed import Version

Say = Callable[[str], None]
_SAY_SECONDS = 5.0


class Output(AbstractContextManager["Output"]):
    """Standard output, or a file. What that held is gone with the first write, and not before: until then the source
    may turn out to be of no use. Raises ReplayError when it cannot be written.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: BinaryIO | None = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, lines: Iterable[Line]) -> None:
        """Written and flushed, so that a reader at the other end sees each step. BrokenPipeError: it has gone."""
        left = memoryview(b"".join(map(encode_line, lines)))
        try:
            target = self._opened()
            while left:  # with PYTHONUNBUFFERED a signal ends a write half-way, and that is no error
                left = left[target.write(left) :]
            target.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise self._failed(error) from error

    def _opened(self) -> BinaryIO:
        if self._path is None:
            return sys.stdout.buffer
        if self._file is None:
            self._file = self._path.open("wb")
        return self._file

    def _failed(self, error: OSError) -> ReplayError:
        where = "standard output" if self._path is None else f"--output {self._path}"
        return ReplayError(f"{where}: cannot be written: {error.strerror or error}")


class Progress:
    """A line for people now and then. seconds: a clock that never goes back."""

    def __init__(self, say: Callable[[str], None], seconds: Callable[[], float]) -> None:
        self._say, self._seconds = say, seconds
        self._last = seconds()

    def tell(self, read: int, windows: int) -> None:
        """So far."""
        if self._seconds() - self._last >= _SAY_SECONDS:
            self._last = self._seconds()
            self._say(f"{read:,} events read, {windows:,} windows so far")


class Stop:
    """Which signal has told the replay to stop, if any; asked between two steps, once `asked` is set."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self.asked = False


class _Run(NamedTuple):
    source: FileSource | TopicSource
    outcome: Outcome
    output: Output
    progress: Progress
    stop: Stop
    given: Collection[Version]

    @classmethod
    def of(
        cls, source: FileSource | TopicSource, request: Request, output: Output, progress: Progress, stop: Stop
    ) -> _Run:
        outcome = Outcome(source.replay, source.judges, request.names, request.plan, source.place)
        return cls(source, outcome, output, progress, stop, request.baselines.keys())

    def take(self, verdicts: list[Verdict]) -> bool:
        """Write what a step found; whether to go on."""
        self.output.write(self.outcome.lines(verdicts))
        self.progress.tell(self.source.replay.totals.read, self.outcome.judged[0].figures.windows)
        return self.stop.signal is None

    def end(self, say: Say) -> int:
        """The closing lines and the exit status. Raises ReplayError when nothing was there to be counted."""
        summary, comparison = self.outcome.summary(complete=self.source.at_end), self.outcome.comparison()
        self.output.write([*self.outcome.cut(), *([] if comparison is None else [comparison]), summary])
        compared = [] if comparison is None else [*comparison_text(comparison), ""]
        idle = self.outcome.without_events(self.given) if summary.counted else []
        accounts = summary_text(summary, sortable=self.source.sortable)
        if summary.read:
            for line in [*compared, *self.outcome.refusals.text(), *idle, *accounts]:
                say(line)
        if self.stop.signal is not None and summary.complete:
            say("interrupted when everything had been read and judged: nothing is missing")
        if self.stop.signal is not None:
            return SIGNALLED + self.stop.signal
        if not summary.read:
            raise ReplayError(f"nothing to replay: {self.source.empty}")
        if not summary.counted:
            raise ReplayError(
                f"not one of {summary.read:,} events could be counted: see the first of each reason above"
            )
        return 0 if summary.balanced else 1


def run(request: Request, say: Say, stop: Stop) -> int:
    """Replay, write, and return the exit status. Raises StreamError."""
    with Output(request.output) as output:
        progress = Progress(say, time.monotonic)
        return asyncio.run(_run(request, output, progress, say, stop))


async def _run(request: Request, output: Output, progress: Progress, say: Say, stop: Stop) -> int:
    if request.file is not None:
        source = await FileSource.opened(request, request.file, say)
        stop.asked, running = True, _Run.of(source, request, output, progress, stop)
        with closing(source.steps()) as steps:
            for verdicts in steps:
                if not running.take(verdicts):
                    break
        return running.end(say)
    async with TopicSource.opened(request, say, lambda: time.time_ns() // 1_000_000) as topic:
        stop.asked, running = True, _Run.of(topic, request, output, progress, stop)
        async for verdicts in topic.steps():
            if not running.take(verdicts):
                break
        return running.end(say)
