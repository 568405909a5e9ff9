"""The quiet phase over many seeds: how often does a window alarm, or the policy page, when nothing has changed?

One model and baseline; each seed draws the demo's ten windows anew, without replacement, from the rows held out.
"""

from __future__ import annotations

import time
from collections import Counter

import msgspec
import numpy as np
from scipy import stats

from bench.benchmark import BenchError, Benchmark, Options, Say
from bench.offline import HARMLESS_TOO, OfflineModel, Rows, dataset_of, pages
from contracts.reports import DriftReport
from demo.scenario import Plan

SEEDS, QUICK_SEEDS = 200, 20


class QuietFigures(msgspec.Struct, frozen=True):
    """raw_alarm_rate: share of windows in which any feature alarms; low, high: its 95 % Wilson interval.

    pages: incidents raised or escalated, harmless ones too. seconds: fitting not included.
    """

    windows: int
    raw_alarms: int
    raw_alarm_rate: float
    raw_alarm_rate_low: float
    raw_alarm_rate_high: float
    pages: int
    seeds: int
    seconds: float


def run(options: Options, say: Say) -> QuietFigures:
    """Measure it. Raises BenchError."""
    plan, seeds = Plan(), QUICK_SEEDS if options.quick else SEEDS
    model = OfflineModel(dataset_of(options.data), options.seed)
    pool = model.rows(model.dataset.quiet(options.seed))
    wanted = plan.quiet_windows * plan.rows_per_window
    if len(pool) < wanted:
        raise BenchError(f"--data {options.data}: {len(pool)} quiet rows for {wanted}: choose another data set")
    auc = model.baseline.performance["auc"]
    say(f"{options.data}: baseline of {model.baseline.rows:,} rows, AUC {auc:.3f}, {len(pool):,} rows held out")
    began = time.perf_counter()
    runs = [draw(model, pool, plan, [options.seed, seed]) for seed in range(seeds)]
    seconds = time.perf_counter() - began
    figures = summarise(runs, seconds)
    say(f"{seeds} seeds x {plan.quiet_windows} windows of {plan.rows_per_window:,} rows, {seconds:.1f} s\n")
    for line in table(runs, figures):
        say(line)
    return figures


def draw(model: OfflineModel, pool: Rows, plan: Plan, seed: list[int]) -> list[DriftReport]:
    """The quiet phase of one seed."""
    order = np.random.default_rng(seed).permutation(len(pool))[: plan.quiet_windows * plan.rows_per_window]
    return model.reports(pool.take(order), plan.rows_per_window)


def summarise(runs: list[list[DriftReport]], seconds: float) -> QuietFigures:
    """The figures of these runs."""
    reports = [found for run in runs for found in run]
    alarms = sum(found.status == "alarm" for found in reports)
    interval = stats.binomtest(alarms, len(reports)).proportion_ci(method="wilson")
    return QuietFigures(
        windows=len(reports),
        raw_alarms=alarms,
        raw_alarm_rate=alarms / len(reports),
        raw_alarm_rate_low=float(interval.low),
        raw_alarm_rate_high=float(interval.high),
        pages=sum(len(pages(run, HARMLESS_TOO)) for run in runs),
        seeds=len(runs),
        seconds=round(seconds, 3),
    )


def table(runs: list[list[DriftReport]], figures: QuietFigures) -> list[str]:
    """The figures in words, and which features alarmed."""
    low, high = figures.raw_alarm_rate_low, figures.raw_alarm_rate_high
    loud = sum(any(found.alarms for found in run) for run in runs)
    lines = [
        f"windows with an alarm   {figures.raw_alarms:5} of {figures.windows:,} = {figures.raw_alarm_rate:.2%} "
        f"(95 % interval {low:.2%} to {high:.2%})",
        f"runs with an alarm      {loud:5} of {figures.seeds}",
        f"pages                   {figures.pages:5}",
    ]
    counted = Counter(
        (verdict.feature, ", ".join(verdict.findings))
        for run in runs
        for found in run
        for verdict in found.features
        if verdict.alarm
    )
    if counted:
        lines += ["", f"{'feature':28}{'finding':28}windows"]
    return lines + [f"{feature:28}{what:28}{count:7}" for (feature, what), count in counted.most_common()]


QUIET = Benchmark(
    "quiet",
    "false alarms and pages of the quiet phase, over many seeds, offline",
    run,
    takes=("data",),
    lasts="15 s; --quick: 8 s",
)
