"""Runs a replay: opens its source, counts what comes, writes what is found. The shell around the pure core."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from stream_app.errors import ReplayError
from stream_app.replay.comparison import comparison_text
from stream_app.replay.from_file import FileSource
from stream_app.replay.from_topic import TopicSource
from stream_app.replay.judging import Verdict
from stream_app.replay.outcome import Outcome, refused_text, summary_text
from stream_app.replay.output import Output, Progress
from stream_app.replay.request import Request

Say = Callable[[str], None]
SIGNALLED = 128
"""Added to a signal's number it is the exit status, as shells have it."""


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

    @classmethod
    def of(
        cls, source: FileSource | TopicSource, names: Sequence[str], output: Output, progress: Progress, stop: Stop
    ) -> _Run:
        return cls(source, Outcome(source.replay, source.judges, names), output, progress, stop)

    def take(self, verdicts: list[Verdict]) -> bool:
        """Write what a step found; whether to go on."""
        self.output.write(self.outcome.lines(verdicts))
        self.progress.tell(self.source.replay.totals.read, self.outcome.judged[0].figures.windows)
        return self.stop.signal is None

    def end(self, say: Say, *, complete: bool) -> int:
        """The closing lines and the exit status. Raises ReplayError when nothing was there to be counted."""
        summary, comparison = self.outcome.summary(complete=complete), self.outcome.comparison()
        self.output.write([*self.outcome.cut(), *([] if comparison is None else [comparison]), summary])
        compared = [] if comparison is None else [*comparison_text(comparison), ""]
        for line in [*compared, *refused_text(self.outcome.first_refused), *summary_text(summary)]:
            say(line)
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
        stop.asked, running = True, _Run.of(source, request.names, output, progress, stop)
        complete = all(running.take(verdicts) for verdicts in source.steps())
        return running.end(say, complete=complete)
    async with TopicSource.opened(request, say, lambda: time.time_ns() // 1_000_000) as topic:
        stop.asked, complete = True, True
        running = _Run.of(topic, request.names, output, progress, stop)
        async for verdicts in topic.steps():
            if not running.take(verdicts):
                complete = False
                break
        return running.end(say, complete=complete)
