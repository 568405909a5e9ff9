"""The likeliest explanation of a numeric feature's values, or that no simple one is."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from contracts.baseline import Reference
from contracts.binning import Bins
from contracts.findings import CauseKind
from contracts.histogram import Histogram
from stream_app.drift.cause.candidate import Candidate
from stream_app.drift.cause.clip import clips
from stream_app.drift.cause.likelihood import Likelihood
from stream_app.drift.cause.moved import moved, moved_in_part
from stream_app.drift.cause.spike import spikes
from stream_app.drift.cause.tables import Tables, tables_of
from stream_app.drift.cause.unit import units

_EXPLAINS = 0.2
"""An explanation of less than this share of the change is none ..."""
_EXPLAINS_IN_PART: dict[CauseKind, float] = {"unit": 0.75, "shift": 0.9, "ratio": 0.9, "spread": 0.9}
"""... and of some rows alone: that they moved while the others stayed is a bold claim ..."""
_EXPLAINS_ABOUT = 0.5
"""... nor is a value that is only nearly known, of less than this: a hill near it, not a fill ..."""
_NEARLY_ALL = 0.9
_LEFT = 4.0
"""... unless what it leaves unexplained is within so many standard deviations of chance."""


class Explained(NamedTuple):
    """best: None where no explanation is worth its penalty. explained: the share of the change that the best explains,
    0 to 1. changed: whether the values differ from the reference by more than chance."""

    best: Candidate | None
    explained: float
    changed: bool


def explain(reference: Reference, bins: Bins, window: Histogram, *, computed: bool) -> Explained:
    """reference: over `bins`, with at least one value; window: likewise. computed: by a model, so it has no unit."""
    tables, likelihood = tables_of(reference, bins), Likelihood(reference, window)
    chance = _LEFT * math.sqrt(max(likelihood.chance, 1.0))
    changed = likelihood.most > chance
    found = simple(tables, likelihood, window, computed=computed)
    best = _best(found, likelihood.most, chance)
    if (
        not computed
        and tables.occupied.size > 1
        and (best is None or best.gain < min(_NEARLY_ALL * likelihood.most, likelihood.most - chance))
    ):
        best = _best([*found, *moved_in_part(tables, likelihood, window)], likelihood.most, chance)
    if best is None:
        return Explained(None, 0.0, changed)
    explained = min(1.0, best.gain / max(likelihood.most, 1e-9))
    if best.gain < min(_EXPLAINS * likelihood.most, likelihood.most - chance):
        return Explained(None, explained, changed)
    return Explained(best, explained, changed)


def simple(tables: Tables, likelihood: Likelihood, window: Histogram, *, computed: bool) -> list[Candidate]:
    """What is tried first. One single value neither moves nor spreads; and a window of one is just that value: it is
    not what became of many, and of one other value nobody knows by which way it came."""
    found = spikes(tables, likelihood, window)
    if window.minimum == window.maximum:
        return found
    several = tables.occupied.size > 1
    if not computed:
        found += units(tables, likelihood, window)
    if several:
        found += moved(tables, likelihood, window) + clips(tables, likelihood, window)
    return found


def _best(found: Iterable[Candidate], most: float, chance: float) -> Candidate | None:
    """The one with the greatest merit that is worth its penalty and explains what it has to."""
    worth = [one for one in found if one.merit > 0 and one.gain >= _enough(one, most, chance)]
    return max(worth, key=lambda candidate: candidate.merit, default=None)


def _enough(candidate: Candidate, most: float, chance: float) -> float:
    """The gain below which a candidate says too little of the `most` that there is."""
    if candidate.in_part:
        return min(_EXPLAINS_IN_PART[candidate.kind] * most, most - chance)
    if candidate.kind == "spike" and not candidate.exact:
        return min(_EXPLAINS_ABOUT * most, most - chance)
    return 0.0
