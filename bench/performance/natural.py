"""Windows that differ from each other by nature: what is called degraded before that was learnt, and after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from bench.performance.scores import Rng, Rows, baseline_of, chance, counted, judged
from contracts.baseline import Baseline
from stream_app.performance.learning import learn
from stream_app.performance.measures import measures

REFERENCE_WINDOWS = (8, 20, 60)
FALLEN = 0.7
"""Slope of the windows whose AUC really fell."""
_CENTRE, _SD = -1.6, 1.0


class Nature(NamedTuple):
    """How windows differ, in standard deviations: of the scores' mean log odds, of the slope of the truth's log odds
    over the score's (how well it ranks), of the truth's log odds themselves (how many are positive)."""

    scores: float
    slope: float
    rate: float


NATURES = {
    "none": Nature(0.0, 0.0, 0.0),
    "small": Nature(0.1, 0.1, 0.1),
    "medium": Nature(0.3, 0.2, 0.4),
    "large": Nature(0.5, 0.4, 0.6),
}


class Varying(msgspec.Struct, frozen=True):
    """Windows of one nature. references: drawn anew, of so many windows each. sampling, learnt: share of quiet windows
    degraded by any measure. auc_drop: in others, by which the mean AUC of windows really fell; found_sampling, found:
    share of those that is degraded."""

    nature: str
    rows: int
    reference_windows: int
    windows: int
    sampling: float
    learnt: float
    auc_drop: float
    found_sampling: float
    found: float


def varying(seed: int, rows: Sequence[int], references: int, windows: int) -> Iterator[Varying]:
    """Every nature; windows: in all of the references' together."""
    for name, nature in NATURES.items():
        for number in REFERENCE_WINDOWS:
            for size in rows:
                yield _varying(name, nature, size, number, references, windows, seed)


def draw(nature: Nature, rng: Rng, rows: int, slope: float = 1.0) -> Rows:
    """One window. slope: with less than 1 all windows rank worse."""
    moved, turned, raised = rng.normal(0.0, 1.0, 3) * nature
    odds = rng.normal(_CENTRE + moved, _SD, rows)
    truths = rng.random(rows) < chance(_CENTRE + raised + slope * (1 + turned) * (odds - _CENTRE))
    return Rows(chance(odds), truths.astype(np.int64))


def learnt(nature: Nature, rng: Rng, windows: int, rows: int, seed: int) -> Baseline:
    """A baseline of so many windows of a nature, which it has learnt."""
    drawn = [draw(nature, rng, rows) for _ in range(windows)]
    baseline = baseline_of(Rows(*(np.concatenate(column) for column in zip(*drawn, strict=True))), seed)
    outcomes = (counted(baseline, window).value() for window in drawn)
    return msgspec.structs.replace(baseline, natural_performance=learn(baseline, outcomes))


def _varying(name: str, nature: Nature, rows: int, number: int, references: int, windows: int, seed: int) -> Varying:
    rng = np.random.default_rng([seed, rows, number, list(NATURES).index(name)])
    quiet, fallen, aucs = [], [], []
    for part in range(references):
        after = learnt(nature, rng, number, rows, seed + part)
        before = msgspec.structs.replace(after, natural_performance={})
        for _ in range(windows // references):
            good, bad = draw(nature, rng, rows), draw(nature, rng, rows, FALLEN)
            quiet.append([_degraded(baseline, good) for baseline in (before, after)])
            fallen.append([_degraded(baseline, bad) for baseline in (before, after)])
            aucs.append(_auc(after, good) - _auc(after, bad))
    sampling, knowing = np.mean(quiet, axis=0)
    found_sampling, found = np.mean(fallen, axis=0)
    rates = (round(float(rate), 4) for rate in (sampling, knowing, np.mean(aucs), found_sampling, found))
    return Varying(name, rows, number, len(quiet), *rates)


def _degraded(baseline: Baseline, rows: Rows) -> bool:
    return judged(baseline, rows).status == "degraded"


def _auc(baseline: Baseline, rows: Rows) -> float:
    return measures(baseline, counted(baseline, rows).value())["auc"].value
