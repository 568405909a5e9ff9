"""Scales that measures are compared on: auc and average_precision as log(x / (1 - x)), all others as they are.

Source: see intervals.on_logit_scale; both are nearer to normal there, and never beyond 0 and 1.
"""

from __future__ import annotations

from math import exp, log

_ON_LOGIT_SCALE = ("auc", "average_precision")


def scaled(name: str, value: float) -> float:
    """The value on the measure's scale. Raises ValueError for a 0 or 1 that has no logarithm: see `slope`."""
    return log(value / (1 - value)) if name in _ON_LOGIT_SCALE else value


def unscaled(name: str, value: float) -> float:
    """The inverse of `scaled`.

    >>> round(unscaled("auc", scaled("auc", 0.784)), 6), unscaled("mae", 2.5)
    (0.784, 2.5)
    """
    return 1 / (1 + exp(-value)) if name in _ON_LOGIT_SCALE else value


def slope(name: str, value: float) -> float:
    """Of the scale at this value: a standard deviation there is so many times as large. 0 where the scale has no value.

    >>> slope("auc", 0.5), slope("auc", 1.0), slope("mae", 2.5)
    (4.0, 0.0, 1.0)
    """
    if name not in _ON_LOGIT_SCALE:
        return 1.0
    return 1 / (value * (1 - value)) if 0 < value < 1 else 0.0
