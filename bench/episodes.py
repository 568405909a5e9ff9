"""The demo's episodes of drift over many seeds: which window alarms, what comes first, when does the page come?

Episodes that change quiet rows get fresh ones drawn for each seed; those that bring rows of their own get a stretch
that starts anywhere in them, in their own order.
"""

from __future__ import annotations

import time
from collections import Counter

import msgspec
import numpy as np
import pandas as pd

from bench.benchmark import BenchError, Benchmark, Options, Say
from bench.offline import HARMLESS_TOO, OfflineModel, Rows, dataset_of, pages
from contracts.reports import DriftReport
from demo.datasets.dataset import Episode
from demo.scenario import Plan

SEEDS, QUICK_SEEDS = 60, 10


class EpisodeFigures(msgspec.Struct, frozen=True):
    """Shares of runs, 0 to 1. alarm_in_first: the first window alarms. blamed_first: in every alarming window the
    strongest feature is one of those to blame. page_in_second: the first page comes with window 2. page_names_first:
    the page's first feature is one of those to blame. others_paged: runs in which the page names another feature, too.
    """

    alarm_in_first: float
    blamed_first: float
    page_in_second: float
    page_names_first: float
    others_paged: float


class AllFigures(msgspec.Struct, frozen=True):
    """episodes: by name. seconds: fitting not included."""

    seeds: int
    seconds: float
    episodes: dict[str, EpisodeFigures]


def run(options: Options, say: Say) -> AllFigures:
    """Measure it. Raises BenchError."""
    plan, seeds = Plan(), QUICK_SEEDS if options.quick else SEEDS
    model = OfflineModel(dataset_of(options.data), options.seed)
    say(f"{options.data}: baseline of {model.baseline.rows:,} rows; {seeds} runs of {plan.episode_windows} windows")
    quiet = model.dataset.quiet(options.seed)
    began, figures = time.perf_counter(), {}
    for episode in model.dataset.episodes:
        runs = [draw(model, quiet, episode, plan, [options.seed, seed]) for seed in range(seeds)]
        figures[episode.name] = summarise(episode, runs)
        say("")
        for line in table(episode, runs, figures[episode.name]):
            say(line)
    return AllFigures(seeds, round(time.perf_counter() - began, 3), figures)


def draw(model: OfflineModel, quiet: pd.DataFrame, episode: Episode, plan: Plan, seed: list[int]) -> list[DriftReport]:
    """One run of an episode."""
    rng, wanted = np.random.default_rng(seed), plan.episode_windows * plan.rows_per_window
    fresh = quiet.iloc[:0] if episode.own_rows else quiet.iloc[rng.permutation(len(quiet))[:wanted]]
    frame = episode.make(fresh.reset_index(drop=True), int(rng.integers(2**31)))
    if len(frame) < wanted:
        raise BenchError(f"episode {episode.name!r}: {wanted} rows wanted, it has {len(frame)}")
    start = int(rng.integers(len(frame) - wanted + 1))
    rows: Rows = model.rows(frame.iloc[start : start + wanted])
    return model.reports(rows, plan.rows_per_window)


def summarise(episode: Episode, runs: list[list[DriftReport]]) -> EpisodeFigures:
    """The figures of these runs."""
    first_pages = [(paged[0] if (paged := pages(run, HARMLESS_TOO)) else None) for run in runs]
    named = [() if page is None else tuple(feature.feature for feature in page.features) for page in first_pages]

    def share(held: list[bool]) -> float:
        return round(sum(held) / len(runs), 4)

    return EpisodeFigures(
        alarm_in_first=share([run[0].status == "alarm" for run in runs]),
        blamed_first=share([all(found.alarms[0] in episode.blames for found in run if found.alarms) for run in runs]),
        page_in_second=share(
            [
                page is not None and page.window_start == run[1].window_start
                for page, run in zip(first_pages, runs, strict=True)
            ]
        ),
        page_names_first=share([bool(names) and names[0] in episode.blames for names in named]),
        others_paged=share([bool(set(names) - set(episode.blames)) for names in named]),
    )


def table(episode: Episode, runs: list[list[DriftReport]], figures: EpisodeFigures) -> list[str]:
    """The figures in words, and how often each feature alarmed."""
    reports = [found for run in runs for found in run]
    alarms = Counter(feature for found in reports for feature in found.alarms)
    first = Counter(found.alarms[0] for found in reports if found.alarms)
    return [
        f"{episode.name}: {episode.title}",
        f"  first window alarms     {figures.alarm_in_first:7.1%} of runs",
        f"  blamed feature first    {figures.blamed_first:7.1%} of runs, in every window that alarms",
        f"  page at window 2        {figures.page_in_second:7.1%} of runs",
        f"  page names it first     {figures.page_names_first:7.1%} of runs",
        f"  page names others, too  {figures.others_paged:7.1%} of runs",
        f"  {'feature':28}alarms in windows   strongest",
        *(f"  {name:28}{n / len(reports):17.1%}{first[name] / len(reports):12.1%}" for name, n in alarms.most_common()),
    ]


EPISODES = Benchmark(
    "episodes",
    "the demo's episodes of drift: what is named first, and when the page comes",
    run,
    takes=("data",),
    lasts="2 minutes; --quick: 30 s",
)
