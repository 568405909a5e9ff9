"""The image of a reference under each unit: what its histogram would be if all rows came in that unit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from contracts.binning import Bins
from stream_app.drift.cause.points import Floats, extent, points_of, rounding
from stream_app.drift.cause.units import Unit


def images_of(units: Sequence[Unit], bins: Bins, before: Floats) -> Floats:
    """Shares of the bins, shape (units, bins). before: the reference's, shape (bins,).

    Single values, and the round ones of a rounded reference, move as points: where a point falls is exact. What is
    spread over a bin moves as a piece of the distribution function.
    """
    single = np.ones(bins.size, dtype=np.bool_) if rounding(bins) else bins.atoms
    points, spread = points_of(np.where(single, before, 0.0), bins), np.flatnonzero(np.where(single, 0.0, before))
    low, high = extent(bins, spread)
    above = np.cumsum(before[spread])
    x = np.column_stack((low, np.nextafter(high, np.inf))).ravel()
    below = np.column_stack((above - before[spread], above)).ravel()
    images = np.empty((len(units), bins.size))
    for image, unit in zip(images, units, strict=True):
        image[:] = points.counted(bins, unit.apply(points.x))
        if spread.size:
            crossed = np.interp(unit.undo(bins.edge_array), x, below)
            crossed = crossed if unit.factor > 0 else below[-1] - crossed
            image += np.diff(crossed, prepend=0.0, append=below[-1])
    return images
