"""`python -m bench loop`: what the loop is worth, and whether it leaves quiet data alone."""

from __future__ import annotations

from statistics import median

import msgspec

from bench.benchmark import BenchError, Benchmark, Options, Say
from bench.loop.live import Live, live
from bench.loop.quiet import Champion, QuietRun, exchanged, quiet_run
from bench.loop.seeds import Closed, closed
from bench.offline import dataset_of

SEEDS, GAIN = 10, 0.02
QUIET_RUNS, EXCHANGED_RUNS, WINDOWS, ROWS = 20, 3, 100, 1_000
PARTS = ("live", "seeds", "quiet")


class LoopFigures(msgspec.Struct, frozen=True):
    """auc_before, auc_after, seconds, failed_requests: of the live run, see Live; without one the medians over the
    seeds. seeds_gained: seeds whose challenger passed the gates and is better by GAIN or more. wrong_promotions: runs
    of quiet and of exchanged truths in which a retraining was decided and its version passed the gates.
    quiet_decisions: quiet runs that decided one; exchanged_decisions: those of exchanged truths, which should. None:
    that part was not run.
    """

    auc_before: float | None
    auc_after: float | None
    seconds: float | None
    wrong_promotions: int | None
    failed_requests: int | None
    seeds_gained: int | None
    quiet_decisions: int | None
    exchanged_decisions: int | None
    live: Live | None
    seeds: list[Closed]
    quiet: list[QuietRun]
    exchanged: list[QuietRun]

    @property
    def held(self) -> bool:
        """Every part that was run came out as it must. A loop that does not close, makes things worse, runs without
        cause, sees no cause or costs requests is none.
        """
        live = self.live
        closed = live is None or (live.gain is not None and live.gain >= GAIN and live.balanced)
        enough = self.seeds_gained is None or self.seeds_gained >= 0.9 * len(self.seeds)
        noticed = self.exchanged_decisions is None or self.exchanged_decisions == len(self.exchanged)
        return closed and enough and noticed and not self.wrong_promotions and not self.failed_requests


def run(options: Options, say: Say) -> LoopFigures:
    """Measure it. Raises BenchError."""
    if unknown := set(options.only) - set(PARTS):
        raise BenchError(f"--only {', '.join(sorted(unknown))}: choose of {', '.join(PARTS)}")
    parts = options.only or (("seeds", "quiet") if options.quick else PARTS)
    played = _live(options, say) if "live" in parts else None
    seeds = _seeds(options, say) if "seeds" in parts else []
    quiet, others = _quiet(options, say) if "quiet" in parts else ([], [])
    gained = sum(one.gain >= GAIN for one in seeds)
    return LoopFigures(
        auc_before=played.auc_before if played else _median([one.auc_before for one in seeds]),
        auc_after=played.auc_after if played else _median([one.auc_after for one in seeds]),
        seconds=played.seconds if played else None,
        wrong_promotions=sum(one.promoted for one in quiet + others) if quiet else None,
        failed_requests=played.failed_requests if played else None,
        seeds_gained=gained if seeds else None,
        quiet_decisions=_decided(quiet) if quiet else None,
        exchanged_decisions=_decided(others) if others else None,
        live=played,
        seeds=seeds,
        quiet=quiet,
        exchanged=others,
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


def _quiet(options: Options, say: Say) -> tuple[list[QuietRun], list[QuietRun]]:
    """Runs of quiet rows, and of the same with exchanged truths; a champion for each, fitted to other rows."""
    runs, more = (2, 1) if options.quick else (QUIET_RUNS, EXCHANGED_RUNS)
    dataset, quiet, others = dataset_of(options.data), list[QuietRun](), list[QuietRun]()
    for seed in range(options.seed, options.seed + runs):
        champion = Champion(dataset, seed)
        quiet.append(quiet_run(champion, WINDOWS, ROWS, [seed]))
        if len(others) < more:
            others.append(quiet_run(exchanged(champion), WINDOWS, ROWS, [seed]))
    _say_runs("quiet", quiet, say)
    _say_runs("exchanged truths", others, say)
    return quiet, others


def _say_runs(what: str, runs: list[QuietRun], say: Say) -> None:
    for number, one in enumerate(runs):
        if one.reason:
            became = "promoted" if one.promoted else "stopped by the gates"
            say(f"{what} run {number}: retraining after {one.windows} windows ({one.reason}), {became}")
    windows, low, pages = (sum(getattr(one, name) for one in runs) for name in ("windows", "degraded", "pages"))
    held = sum(one.decisions.get("held", 0) for one in runs)
    say(
        f"{what}: {len(runs)} runs, {windows:,} windows, {low} degraded, {pages} alerts, {held} with a cause that was "
        f"held back; {_decided(runs)} decisions, {sum(one.promoted for one in runs)} promotions"
    )


def _decided(runs: list[QuietRun]) -> int:
    return sum(bool(one.reason) for one in runs)


def _median(values: list[float]) -> float | None:
    return round(median(values), 4) if values else None


LOOP = Benchmark(
    "loop",
    "what a retraining is worth, over seeds and live, and promotions on quiet data",
    run,
    takes=("data", "only"),
    held=lambda figures: bool(figures.held),
    lasts="12 min; --quick: seeds and quiet data alone, 1 min",
)
