"""The Kolmogorov-Smirnov distance on bins, and its null distribution with and without ties."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from contracts.baseline import BridgeTable
from contracts.binning import EQUAL_MASS_BINS

Floats = npt.NDArray[np.float64]

_HEAVY = 1.5 / EQUAL_MASS_BINS
"""A bin above this mass is an atom or a gap: a continuous feature's bins hold 1/240 each."""
_TIED_MASS = 0.05
_TAIL = 0.002
_TABLE_POINTS = 64
_BLOCK = 4_000


def fit_bridge(counts: Sequence[int] | npt.NDArray[np.int64], seed: int, draws: int = 40_000) -> BridgeTable | None:
    """Null distribution of sqrt(nm/(n+m)) * D for a feature with ties: the supremum of a Brownian bridge at the
    reference's own cumulative masses, by simulation.

    counts: the reference's, shape (bins,). None when the Kolmogorov distribution serves: less than 5 % of the mass
    lies in bins of more than 1.5/240 (a continuous feature, or one with small atoms only), or no more than one bin is
    occupied (a constant feature, which has an exact test). The table ends at p = .002, where 40,000 draws still tell
    the quantile within 3 %; beyond it `ks_p_values` continues with a Gaussian tail.

    Source: Billingsley, Convergence of Probability Measures (1999), section 14: the empirical process tends to a
    Brownian bridge; with ties it is seen only at the atoms' cumulative masses.
    """
    occupied = np.asarray(counts, dtype=np.float64)
    occupied = occupied[occupied > 0]
    if occupied.size < 2:
        return None
    masses = occupied / occupied.sum()
    if masses[masses > _HEAVY].sum() < _TIED_MASS:
        return None
    rng = np.random.default_rng(seed)
    blocks = [_suprema(masses, rng, min(_BLOCK, draws - done)) for done in range(0, draws, _BLOCK)]
    p = np.exp(np.linspace(-0.001, np.log(_TAIL), _TABLE_POINTS))
    x = np.quantile(np.concatenate(blocks), 1 - p)
    below = np.cumsum(masses)[:-1]
    return BridgeTable(tuple(x.tolist()), tuple(p.tolist()), float(np.sqrt((below * (1 - below)).max())))


def _suprema(masses: Floats, rng: np.random.Generator, draws: int) -> Floats:
    """Largest absolute value of each of `draws` bridges, shape (draws,)."""
    walks = np.cumsum(rng.standard_normal((draws, masses.size)) * np.sqrt(masses), axis=1)
    bridges = walks[:, :-1] - walks[:, -1:] * np.cumsum(masses)[:-1]
    return np.asarray(np.abs(bridges).max(axis=1), dtype=np.float64)
