"""The benchmark `latency`: live load at two rates through a real worker, sink and receiver."""

from __future__ import annotations

import asyncio

from bench.benchmark import BenchError, Benchmark, Options, Say
from bench.latency.figures import LatencyFigures, RateFigures, figures_of, table
from bench.latency.trial import WARM_SECONDS, WINDOW_SECONDS, Trial
from bench.stream.server import local_kafka
from demo.errors import DemoError
from demo.stack.errors import StackError
from stream_app.errors import StreamError

RATES = (2_000.0, 20_000.0)
SECONDS, QUICK_SECONDS = 60.0, 14.0
_LEAST_SECONDS = WARM_SECONDS + 4 * WINDOW_SECONDS
_LEAST_RATE, _RECORD_BYTES = 200.0, 1000


def run(options: Options, say: Say) -> LatencyFigures:
    """Measure it. Raises BenchError."""
    seconds = options.seconds or (QUICK_SECONDS if options.quick else SECONDS)
    if seconds < _LEAST_SECONDS:
        raise BenchError(f"--seconds {seconds:g}: too short to see windows end, take {_LEAST_SECONDS:g} or more")
    rates = RATES if options.rate is None else (options.rate,)
    if min(rates) < _LEAST_RATE:
        raise BenchError(f"--rate {min(rates):g}: windows of {WINDOW_SECONDS} s need more events, take {_LEAST_RATE:g}")
    found: list[RateFigures] = []
    try:
        with local_kafka("latency", round(sum(rates) * seconds * _RECORD_BYTES)) as kafka:
            for number, rate in enumerate(rates):
                found.append(asyncio.run(Trial(kafka, f"rate{number}.", rate, seconds, options.seed).run()))
                for line in table(found[-1:]):
                    say(line)
    except (StackError, DemoError, StreamError) as error:
        raise BenchError(str(error)) from error
    return figures_of(found)


LATENCY = Benchmark(
    "latency",
    "produced to counted, a window's end to its report and to the webhook, under live load",
    run,
    takes=("seconds", "rate"),
    lasts="3 minutes; --quick: 1 minute",
)
