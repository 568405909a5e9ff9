"""The likeliest explanation of a numeric feature's values, or that no simple one is."""

from __future__ import annotations

import math
from typing import NamedTuple

from contracts.baseline import Reference
from contracts.binning import Bins
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
_LEFT = 4.0
"""... unless what it leaves unexplained is within so many standard deviations of chance."""


class Explained(NamedTuple):
    """best: None where no explanation is worth its penalty. explained: the share of the change that it explains, 0 to
    1. changed: whether the values differ from the reference by more than chance."""

    best: Candidate | None
    explained: float
    changed: bool


def explain(reference: Reference, bins: Bins, window: Histogram, *, with_units: bool) -> Explained:
    """reference: over `bins`, with at least one value; window: likewise. with_units: whether it can have a unit."""
    tables, likelihood = tables_of(reference, bins), Likelihood(reference, window)
    chance = math.sqrt(max(likelihood.chance, 1.0))
    changed = likelihood.most > _LEFT * chance
    tried = candidates(tables, likelihood, window, with_units=with_units)
    best = max(tried, key=lambda candidate: candidate.merit, default=None)
    if best is None or best.merit <= 0:
        return Explained(None, 0.0, changed)
    explained = min(1.0, best.gain / max(likelihood.most, best.gain, 1e-9))
    left = likelihood.most - best.gain
    if explained < _EXPLAINS and left > _LEFT * chance:
        return Explained(None, explained, changed)
    return Explained(best, explained, changed)


def candidates(
    tables: Tables, likelihood: Likelihood, window: Histogram, *, with_units: bool = True
) -> list[Candidate]:
    """Everything that could be said of this window. A reference of one single value can only be replaced."""
    found = spikes(tables, likelihood, window)
    if tables.occupied.size > 1:
        found += units(tables, likelihood, window) if with_units else []
        found += moved(tables, likelihood)
        found += clips(tables, likelihood, window)
    return found
