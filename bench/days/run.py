"""The benchmark: natural variation on the days of real flights and on made-up windows."""

from __future__ import annotations

import time

import msgspec

from bench.benchmark import BenchError, Benchmark, Options, Say
from bench.days.cost import CostFigures, cost
from bench.days.flights import FlightFigures, flights
from bench.offline import dataset_of

PARTS = ("flights", "made-up")


class DaysFigures(msgspec.Struct, frozen=True):
    """A part that was not asked for is None. seconds: of processor time."""

    flights: FlightFigures | None
    made_up: CostFigures | None
    seconds: float


def run(options: Options, say: Say) -> DaysFigures:
    """Measure it. Raises BenchError."""
    if dataset_of(options.data).description.name != "flights":
        raise BenchError(f"--data {options.data}: only flights has days that differ by nature")
    if unknown := [part for part in options.only if part not in PARTS]:
        raise BenchError(f"--only {unknown[0]}: choose of {', '.join(PARTS)}")
    wanted, began = options.only or PARTS, time.process_time()
    splits, references, windows = (2, 1, 50) if options.quick else (10, 3, 150)
    of_flights = flights(options.seed, splits, not options.quick, say) if "flights" in wanted else None
    of_windows = cost(options.seed, references, windows, say) if "made-up" in wanted else None
    return DaysFigures(of_flights, of_windows, round(time.process_time() - began, 1))


DAYS = Benchmark(
    "days",
    "natural variation: real flights by day, and made-up windows, with and without the learnt null",
    run,
    takes=("data", "only"),
    lasts="some 10 minutes; --quick: 2 minutes",
)
