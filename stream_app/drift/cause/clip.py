"""Nothing beyond a limit any more: all that was beyond it sits on it."""

from __future__ import annotations

import math

import numpy as np

from contracts.histogram import Histogram
from stream_app.drift.cause.candidate import Candidate
from stream_app.drift.cause.likelihood import Likelihood
from stream_app.drift.cause.points import Floats
from stream_app.drift.cause.tables import Tables

_SURPRISE = 2.0
_MOST = 0.75
"""Where more than this lies beyond a limit, it is no limit."""


def clips(tables: Tables, likelihood: Likelihood, window: Histogram) -> list[Candidate]:
    """The best upper and the best lower limit. A limit in bin b leaves the bins before it as they were, gives b all
    that was in it and beyond, and nothing to those behind it."""
    found = []
    for upper in (True, False):
        order = slice(None) if upper else slice(None, None, -1)
        counts, before = likelihood.counts[order], likelihood.before[order]
        gains = _gains(counts, before, likelihood)
        b = int(gains.argmax())
        beyond = float(before[b + 1 :].sum())
        if not 0 < beyond < _MOST or gains[b] <= 0 or counts[b] == likelihood.n:
            continue
        extreme = window.maximum if upper else window.minimum
        at = b if upper else counts.size - 1 - b
        exact = extreme is not None and int(tables.bins.edge_array.searchsorted(extreme, side="right")) == at
        value = extreme if exact else float(tables.bins.edge_array[min(max(at - 1, 0), tables.bins.size - 2)])
        penalty = math.log(likelihood.n) + _SURPRISE
        found.append(
            Candidate(
                kind="clip",
                gain=float(gains[b]),
                penalty=penalty,
                share=beyond,
                value=value,
                exact=exact,
                upper=upper,
            )
        )
    return found


def _gains(counts: Floats, before: Floats, likelihood: Likelihood) -> Floats:
    """Gain of a limit in each bin, in the order from the far side to the limit's."""
    stray = likelihood.stray
    usual: Floats = counts * np.log(before + stray)
    from_here = np.cumsum(before[::-1])[::-1]
    behind = counts[::-1].cumsum()[::-1] - counts
    usual_from_here = usual[::-1].cumsum()[::-1]
    gains: Floats = counts * np.log(from_here + stray) + behind * math.log(stray) - usual_from_here
    gains *= likelihood.scale
    return gains
