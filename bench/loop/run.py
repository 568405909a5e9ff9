"""`python -m bench loop`: what the loop is worth, and whether it leaves quiet data alone."""

from __future__ import annotations

from statistics import median

import msgspec

from bench.benchmark import BenchError, Benchmark, Options, Say
from bench.loop.live import Live, live
from bench.loop.quiet import Champion, QuietRun, quiet_run
from bench.loop.seeds import Closed, closed
from bench.offline import dataset_of
from demo.scenario import Plan

SEEDS, QUIET_RUNS, GAIN = 10, 20, 0.02
QUIET_PLAN = Plan(rows_per_window=1_000, quiet_windows=10)
PARTS = ("live", "seeds", "quiet")


class LoopFigures(msgspec.Struct, frozen=True):
    """auc_before, auc_after, seconds, failed_requests: of the live run, see Live; without one the medians over the
    seeds. seeds_gained: seeds whose challenger passed the gates and is better by GAIN or more. wrong_promotions: quiet
    runs in which a retraining was decided and its version passed the gates. quiet_decisions: those that decided one.
    None: that part was not run.
    """

    auc_before: float | None
    auc_after: float | None
    seconds: float | None
    wrong_promotions: int | None
    failed_requests: int | None
    seeds_gained: int | None
    quiet_decisions: int | None
    live: Live | None
    seeds: list[Closed]
    quiet: list[QuietRun]


def run(options: Options, say: Say) -> LoopFigures:
    """Measure it. Raises BenchError."""
    if unknown := set(options.only) - set(PARTS):
        raise BenchError(f"--only {', '.join(sorted(unknown))}: choose of {', '.join(PARTS)}")
    parts = options.only or (("seeds", "quiet") if options.quick else PARTS)
    played = _live(options, say) if "live" in parts else None
    seeds = _seeds(options, say) if "seeds" in parts else []
    quiet = _quiet(options, say) if "quiet" in parts else []
    gained = sum(one.gain >= GAIN for one in seeds)
    return LoopFigures(
        auc_before=played.auc_before if played else _median([one.auc_before for one in seeds]),
        auc_after=played.auc_after if played else _median([one.auc_after for one in seeds]),
        seconds=played.seconds if played else None,
        wrong_promotions=sum(one.promoted for one in quiet) if quiet else None,
        failed_requests=played.failed_requests if played else None,
        seeds_gained=gained if seeds else None,
        quiet_decisions=sum(bool(one.reason) for one in quiet) if quiet else None,
        live=played,
        seeds=seeds,
        quiet=quiet,
    )


def _live(options: Options, say: Say) -> Live:
    say(f"live: the demo of {options.data}, on servers of its own")
    found = live(options.data, options.seed)
    say(
        f"live: {found.outcome}; AUC {found.auc_before} -> {found.auc_after} on {found.later_rows} later rows, "
        f"{found.seconds} s from the decision to the champion; {found.failed_requests} of {found.answered:,} failed"
    )
    return found


def _seeds(options: Options, say: Say) -> list[Closed]:
    dataset, found = dataset_of(options.data), []
    for number in range(2 if options.quick else SEEDS):
        one = closed(dataset, options.seed + number)
        gates = f"stopped by {', '.join(one.stopped_by)}" if one.stopped_by else "passed the gates"
        auc = f"AUC {one.auc_before:.4f} -> {one.auc_after:.4f}"
        say(f"seed {one.seed}: {auc} on {one.later_rows:,} later rows, {gates}")
        found.append(one)
    return found


def _quiet(options: Options, say: Say) -> list[QuietRun]:
    champion, found = Champion(dataset_of(options.data), options.seed), []
    for number in range(4 if options.quick else QUIET_RUNS):
        one = quiet_run(champion, QUIET_PLAN, [options.seed, number])
        found.append(one)
        if one.reason:
            say(f"quiet run {number}: retraining decided ({one.reason}), {'promoted' if one.promoted else 'stopped'}")
    windows, low = sum(one.windows for one in found), sum(one.degraded for one in found)
    decided, promoted = sum(bool(one.reason) for one in found), sum(one.promoted for one in found)
    say(f"quiet: {len(found)} runs, {windows} windows, {low} degraded; {decided} decisions, {promoted} promotions")
    return found


def _median(values: list[float]) -> float | None:
    return round(median(values), 4) if values else None


def _held(figures: LoopFigures) -> bool:
    """A loop that makes things worse, or runs without cause, or costs requests, is none."""
    enough = figures.seeds_gained is None or figures.seeds_gained >= 0.9 * len(figures.seeds)
    return enough and not figures.wrong_promotions and not figures.failed_requests


LOOP = Benchmark(
    "loop",
    "what a retraining is worth, over seeds and live, and promotions on quiet data",
    run,
    takes=("data", "only"),
    held=_held,
    lasts="10 min; --quick: seeds and quiet data alone, 1 min",
)
