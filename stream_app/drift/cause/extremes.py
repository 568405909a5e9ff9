"""What a window's smallest and largest value say about a transform.

A whole feature can fall into one overflow bin, where counts tell nothing about the ratio. But the largest of k values
that were moved lies near where the reference's largest goes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from contracts.histogram import Histogram
from stream_app.drift.cause.tables import Tables

_MOST_DOUBT = 12.0
"""What one extreme can speak against a transform, in log-likelihood: it may be a stray of its own."""
IMPOSSIBLE = 1e6
"""Where half of the moved rows should lie beyond the extreme: one stray makes an extreme larger, never smaller."""
_STEEP = 4.0
_BY_CHANCE = 3.0
"""So many rows beyond the extreme are missing by chance in 5 % of the cases, exp(-3)."""
_HALF = 0.5
_ROUNDING = 5e-4
"""Units are known to so many digits by those who convert them."""


def against(
    undo: Callable[[float], float], tables: Tables, window: Histogram, share: float, *, rising: bool = True
) -> float:
    """How much the extremes speak against this share of the window's values having been moved, in log-likelihood.

    undo: where a moved value came from; it rises, or falls where `rising` is false. Where only some rows moved, an end
    that they do not stretch tells nothing.
    """
    if window.minimum is None or window.maximum is None:
        return 0.0
    rows, all_rows = share * window.known, share == 1
    lowest, highest = tables.bins.lowest, tables.bins.highest
    from_top, from_bottom = undo(highest), undo(lowest)
    doubt = 0.0
    if all_rows or ((from_top < highest) if rising else (from_top > lowest)):
        doubt += _doubt(undo(window.maximum), tables, rows, high=rising)
    if all_rows or ((from_bottom > lowest) if rising else (from_bottom < highest)):
        doubt += _doubt(undo(window.minimum), tables, rows, high=not rising)
    return doubt


def _doubt(origin: float, tables: Tables, rows: float, *, high: bool) -> float:
    """origin: where the window's extreme must have come from. high: whether that should be among the reference's
    highest values, or among its lowest.

    Beyond the reference's own extreme: by how many times its outer tenth. Within: how many of the moved rows should
    have gone further; more than half of them cannot.
    """
    near, far = tables.top if high else tables.bottom
    beyond = origin - far if high else far - origin
    if beyond > 0:
        slack = max(abs(far - near), _ROUNDING * abs(far), 1e-300)
        return min(_MOST_DOUBT, _STEEP * max(0.0, beyond / slack - 1))
    if -beyond <= _ROUNDING * abs(far):
        return 0.0
    further = 1 - tables.below(float(np.nextafter(origin, np.inf))) if high else tables.below(origin)
    doubt = max(0.0, rows * further - _BY_CHANCE)
    return IMPOSSIBLE if doubt and further > _HALF else min(_MOST_DOUBT, doubt)
