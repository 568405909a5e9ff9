"""`python -m bench performance`: how exact measures are, how often they are wrong, what they find, what they cost."""

from __future__ import annotations

import msgspec
import numpy as np

from bench.benchmark import Benchmark, Options, Say
from bench.closing import best
from bench.performance.exactness import Exactness, exactness
from bench.performance.flights import OfFlights, OfMonth, by_day
from bench.performance.natural import Varying, varying
from bench.performance.payments import OfWorld, worlds
from bench.performance.quiet import REFERENCE_ROWS, Found, Quiet, power, quiet
from bench.performance.scores import MODELS, baseline_of, counted
from stream_app.performance.estimate import estimated
from stream_app.performance.report import report

MOST_FALSE_ALARMS = 0.005
"""Of windows like the reference: what the rule aims at."""
MOST_NATURAL_ALARMS = 0.02
"""Of windows that differ by nature, once that was learnt, from as few as 8 windows."""


class PerformanceFigures(msgspec.Struct, frozen=True):
    """false_alarms: share of all quiet windows; pages: of them all. natural_alarms: share of the windows that differ by
    nature and are degraded though that was learnt, over all natures and sizes. report_ms, estimate_ms: processor time
    of a window of 1,000 labels or scores, the least of many rounds."""

    false_alarms: float
    pages: int
    quiet: list[Quiet]
    power: list[Found]
    natural_alarms: float
    natural: list[Varying]
    flights: OfFlights
    exactness: list[Exactness]
    payments: list[OfWorld]
    report_ms: float
    estimate_ms: float


def run(options: Options, say: Say) -> PerformanceFigures:
    """Measure it all."""
    quick = options.quick
    say(f"{'windows like the reference':26} {'rows':>6} {'windows':>8} {'alarms':>8} {'too few':>8} {'pages':>6}")
    calm = quiet(options.seed, (1_000,) if quick else (300, 1_000, 5_000), 200 if quick else 1_000)
    for each in calm:
        say(
            f"{each.model:26} {each.rows:6} {each.windows:8} {each.alarms:8.2%} {each.insufficient:8.1%} {each.pages:6}"
        )
    windows = sum(each.windows for each in calm)
    false_alarms = sum(each.alarms * each.windows for each in calm) / windows
    say(f"{'in all':33} {windows:8} {false_alarms:8.2%} {'':8} {sum(each.pages for each in calm):6}")
    found = power(options.seed, (1_000,) if quick else (1_000, 5_000), 100 if quick else 300)
    for fall in found:
        say(f"AUC down by {fall.auc_drop:.3f}: found in {fall.found:.1%} of windows of {fall.rows} rows")
    say("windows that differ by nature: degraded while all is well, and when AUC fell; chance alone -> learnt")
    natural = []
    for one in varying(options.seed, (1_000,) if quick else (1_000, 5_000), *((5, 100) if quick else (40, 800))):
        natural.append(one)
        say(
            f"{one.nature:18} of {one.rows:5} rows, learnt from {one.reference_windows:2}: {one.sampling:7.2%} -> "
            f"{one.learnt:6.2%}; AUC down by {one.auc_drop:.3f}: {one.found_sampling:6.1%} -> {one.found:6.1%}"
        )
    flights = by_day(options.seed, **({"later": (6,)} if quick else {}))
    _say_flights(flights, say)
    exact = exactness(options.seed, 20_000, 3 if quick else 10)
    for model in exact:
        error = ", ".join(f"{measure} {size:.5f}" for measure, size in model.error.items())
        say(f"{model.model}: largest difference from scikit-learn at {model.bins} bins: {error}")
    say("payments: AUC by labels, estimated before them; windows of 2,000 that drift, and that labels call degraded")
    moved = worlds(options.seed, 20_000 if quick else 40_000, 2_000)
    for world in moved:
        say(
            f"{world.world:26} {world.auc:.3f} {world.estimated_auc:.3f} {world.drifting:7.1%} {world.degraded:7.1%}"
            f" (of {world.compared:.0%})"
        )
    report_ms, estimate_ms = _costs(options.seed, 20 if quick else 200)
    say(f"a report {report_ms:.2f} ms, an estimate {estimate_ms:.2f} ms of processor time")
    return PerformanceFigures(
        false_alarms=round(false_alarms, 5),
        pages=sum(each.pages for each in calm),
        quiet=calm,
        power=found,
        natural_alarms=round(sum(each.learnt for each in natural) / len(natural), 5),
        natural=natural,
        flights=flights,
        exactness=exact,
        payments=moved,
        report_ms=round(report_ms, 3),
        estimate_ms=round(estimate_ms, 3),
    )


def _say_flights(flights: OfFlights, say: Say) -> None:
    say(
        f"flights by day, {flights.reference_days} days of reference: AUC {flights.auc:.3f} of all rows, "
        f"{flights.auc_of_days:.3f} of a day on average, natural {flights.natural_low:.3f}-{flights.natural_high:.3f}"
    )

    def line(what: str, month: OfMonth) -> str:
        return (
            f"{what:22} {month.days:3} days: AUC {month.auc:.3f}, of a day {month.auc_of_days:.3f}; degraded "
            f"{month.sampling:4.0%} -> {month.learnt:4.0%}"
        )

    say(line("reference, every second", flights.unseen))
    for month in flights.months:
        say(line(f"month {month.month}", month))


def _costs(seed: int, rounds: int) -> tuple[float, float]:
    rng, draw = np.random.default_rng([seed, 13]), MODELS["a fifth positive"]
    baseline = baseline_of(draw(rng, REFERENCE_ROWS), seed)
    counts = counted(baseline, draw(rng, 1_000))

    def reported() -> object:
        return report(baseline, counts, window_start=0, window_end=1, revision=1, predictions=1_000, final=True)

    def guessed() -> object:
        return estimated(baseline, baseline.score.histogram)

    return best(reported, rounds), best(guessed, rounds)


PERFORMANCE = Benchmark(
    "performance",
    "false alarms and power of performance windows, exactness, and what estimates cannot see",
    run,
    held=lambda figures: figures.false_alarms <= MOST_FALSE_ALARMS and figures.natural_alarms <= MOST_NATURAL_ALARMS,
    lasts="8 minutes; --quick: 50 s",
)
