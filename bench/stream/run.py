"""The benchmark `stream`: for each shape a preloaded topic on a real broker, the cases on it in turns, medians."""

from __future__ import annotations

import os

from bench.benchmark import BenchError, Benchmark, Options, Say
from bench.stream.cases import EVENTS, NAIVE_EVENTS, QUICK_EVENTS, QUICK_NAIVE_EVENTS, Shape, chosen, in_turns
from bench.stream.figures import Run, StreamFigures, figures_of, line_of, rows_of, table
from bench.stream.server import local_kafka
from bench.stream.topic import Topic
from demo.stack.errors import StackError
from stream_app.errors import StreamError

ROUNDS, QUICK_ROUNDS = 3, 1
GROUP_DELAY_MS = 3000
"""Part of every start of a worker here; without it the first of two would have counted much before the second came."""
_LEAST_EVENTS = 20_000
"""With fewer a run is over between two readings."""
_RECORD_BYTES, _FEATURE_BYTES = 400, 25
"""Room on the disk that a record may take."""


def run(options: Options, say: Say) -> StreamFigures:
    """Measure it. Raises BenchError."""
    cases = chosen(options.only)
    events = options.events or (QUICK_EVENTS if options.quick else EVENTS)
    if events < _LEAST_EVENTS:
        raise BenchError(f"--events {events}: too few to measure, take {_LEAST_EVENTS} or more")
    naive_events = QUICK_NAIVE_EVENTS if options.quick else NAIVE_EVENTS
    shapes = list(dict.fromkeys(case.shape for case in cases))
    runs: list[Run] = []
    sizes: list[int] = []
    try:
        with local_kafka(
            "stream", sum(_bytes(shape, events) for shape in shapes), group_delay_ms=GROUP_DELAY_MS
        ) as kafka:
            for shape in shapes:
                topic = Topic(
                    kafka, shape, max(_LEAST_EVENTS, round(events * shape.share)), round(naive_events * shape.share)
                )
                sizes.append(topic.load(options.seed, say))
                for case in in_turns([case for case in cases if case.shape == shape], _rounds(options)):
                    runs.append(topic.run(case))
                    say(f"  {line_of(runs[-1])}")
                if options.profile:
                    topic.profile(say)
    except (StackError, StreamError) as error:
        raise BenchError(str(error)) from error
    rows = rows_of(runs)
    for line in ("", *table(rows)):
        say(line)
    return figures_of(rows, os.cpu_count() or 1, sizes[0])


def _rounds(options: Options) -> int:
    return QUICK_ROUNDS if options.quick else ROUNDS


def _bytes(shape: Shape, events: int) -> int:
    return round(events * shape.share * (_RECORD_BYTES + _FEATURE_BYTES * shape.features))


STREAM = Benchmark(
    "stream",
    "events/s of a worker on a real broker, beside bare aiokafka and an ordinary Faust agent",
    run,
    takes=("events", "only", "profile"),
    lasts="11 minutes and 4 GB of disk; --quick --only 8p: 2 minutes",
)
