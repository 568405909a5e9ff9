"""LinearShap: Shapley values of a linear function whose columns are taken as independent: (x - mean) * coefficient.

Exact for that game (Lundberg and Lee 2017, "A unified approach to interpreting model predictions", corollary 1).
"""

from __future__ import annotations

import numpy as np

from api.explaining.paths import Floats
from contracts.compiled import Linear


class LinearShap:
    """linear: with means. base: the function's value at the means.

    >>> shap = LinearShap(Linear((2.0, -1.0), 0.5, means=(1.0, 3.0)))
    >>> shap.base, shap.contributions(np.array([2.0, 5.0])).tolist()
    (-0.5, [2.0, -2.0])
    """

    def __init__(self, linear: Linear) -> None:
        self._coefficients, self._means = np.array(linear.coefficients), np.array(linear.means)
        self.base = float(self._coefficients @ self._means + linear.intercept)

    def contributions(self, row: Floats) -> Floats:
        """Of each column, shape (columns,): with `base` they add up to the function's value."""
        return np.asarray((row - self._means) * self._coefficients, dtype=np.float64)
