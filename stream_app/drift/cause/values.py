"""The likeliest explanation of a numeric feature's values, or that no simple one is."""

from __future__ import annotations

import math
from typing import NamedTuple

from contracts.baseline import Reference
from contracts.binning import Bins
from contracts.findings import CauseKind
from contracts.histogram import Histogram
from stream_app.drift.cause.candidate import Candidate
from stream_app.drift.cause.clip import clips
from stream_app.drift.cause.likelihood import Likelihood
from stream_app.drift.cause.moved import moved
from stream_app.drift.cause.spike import spikes
from stream_app.drift.cause.tables import Tables, tables_of
from stream_app.drift.cause.unit import units

_EXPLAINS = 0.2
"""An explanation of less than this share of the change is none ..."""
_EXPLAINS_IN_PART: dict[CauseKind, float] = {"unit": 0.6, "shift": 0.9, "ratio": 0.9, "spread": 0.9}
"""Some rows moved and the others stayed: a bold claim has to explain most of the change."""
_LEFT = 4.0
"""... unless what it leaves unexplained is within so many standard deviations of chance."""


class Explained(NamedTuple):
    """best: None where no explanation is worth its penalty. explained: the share of the change that it explains, 0 to
    1. changed: whether the values differ from the reference by more than chance."""

    best: Candidate | None
    explained: float
    changed: bool


def explain(reference: Reference, bins: Bins, window: Histogram, *, computed: bool) -> Explained:
    """reference: over `bins`, with at least one value; window: likewise. computed: by a model:
    it has no unit."""
    tables, likelihood = tables_of(reference, bins), Likelihood(reference, window)
    chance = math.sqrt(max(likelihood.chance, 1.0))
    changed = likelihood.most > _LEFT * chance
    tried = candidates(tables, likelihood, window, computed=computed)
    tried = [candidate for candidate in tried if candidate.gain >= _enough(candidate, likelihood.most, _LEFT * chance)]
    best = max(tried, key=lambda candidate: candidate.merit, default=None)
    if best is None or best.merit <= 0:
        return Explained(None, 0.0, changed)
    explained = min(1.0, best.gain / max(likelihood.most, best.gain, 1e-9))
    left = likelihood.most - best.gain
    if explained < _EXPLAINS and left > _LEFT * chance:
        return Explained(None, explained, changed)
    return Explained(best, explained, changed)


def _enough(candidate: Candidate, most: float, chance: float) -> float:
    """The gain below which a candidate says too little, of the `most` that there is."""
    return min(_EXPLAINS_IN_PART[candidate.kind] * most, most - chance) if candidate.in_part else 0.0


def candidates(tables: Tables, likelihood: Likelihood, window: Histogram, *, computed: bool = False) -> list[Candidate]:
    """Everything that could be said of this window. One single value neither moves nor spreads."""
    found = spikes(tables, likelihood, window)
    if window.minimum == window.maximum and tables.occupied.size > 1:
        return found
    found += [] if computed else units(tables, likelihood, window)
    if tables.occupied.size > 1:
        found += moved(tables, likelihood, window, in_part=not computed)
        found += clips(tables, likelihood, window)
    return found
