"""Moments of D^2 under sampling alone, from the same law that turns D into a p-value."""

from __future__ import annotations

import numpy as np
from scipy import special

from contracts.baseline import BridgeTable


def square_moments(bridge: BridgeTable | None) -> tuple[float, float]:
    """Mean and variance of the squared supremum of a Brownian bridge: of D^2 / (1/n + 1/m) under sampling alone.

    None: of the Kolmogorov distribution, E K^2 = pi^2/12 and E K^4 = 7 pi^4/720 (term by term of its series). Else by
    the table: E X^k = integral of x(p)^k dp, and beyond its end that of the Gaussian tail c phi(x / sigma) / sigma.

    >>> [round(moment, 4) for moment in square_moments(None)]
    [0.8225, 0.2706]
    """
    if bridge is None:
        second, fourth = np.pi**2 / 12, 7 * np.pi**4 / 720
    else:
        x, p, z = np.array(bridge.x), np.array(bridge.p), bridge.x[-1] / bridge.sigma
        density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
        beyond = special.ndtr(-z)
        scale = p[-1] / beyond
        second, fourth = (
            float((1 - p[0]) * x[0] ** k + np.sum((p[:-1] - p[1:]) * (x[:-1] ** k + x[1:] ** k) / 2))
            + scale * bridge.sigma**k * float(tail)
            for k, tail in ((2, z * density + beyond), (4, (z**3 + 3 * z) * density + 3 * beyond))
        )
    return float(second), float(fourth - second**2)
