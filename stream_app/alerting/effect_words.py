"""The expected change of the model's answers in words, and which reading of the drift it belongs to. Pure."""

from __future__ import annotations

from contracts.baseline import SCORE
from contracts.findings import ModelEffect, ScoreChange

_SCORE_PLACES, _POINTS_PLACES = 3, 1
_ALIKE = 2.0
"""Readings that differ by no more than this factor say the same ..."""
_NEXT = 1.5
"""... and so do neighbours in the last place that is written."""


def effect_words(feature: str, effect: ModelEffect) -> str:
    """`expected if the data broke: mean score -.061, positive rate -4.4 points`; of the score itself what is, not what
    is expected.

    The other reading is told, too, where its sign is another or its size differs by more than a factor of two.
    """
    if feature == SCORE:
        return _change_words(effect.if_world_moved)
    broke, world = effect.if_data_broke, effect.if_world_moved
    if effect.headline == "data" and broke is None:
        return "expected effect if the data broke: not known"
    if broke is None:
        return f"expected if the world moved: {_change_words(world)}"
    readings = [f"if the data broke: {_change_words(broke)}", f"if the world moved: {_change_words(world)}"]
    if effect.headline == "world":
        readings.reverse()
    return "expected " + "; ".join(readings if _differ(broke, world) else readings[:1])


def _change_words(change: ScoreChange) -> str:
    """
    >>> _change_words(ScoreChange(-0.0614, -0.0442)), _change_words(ScoreChange(0.0001))
    ('mean score -.061, positive rate -4.4 points', 'mean score changes by less than .001')
    """
    words = [f"mean score {_signed(change.score, _SCORE_PLACES)}"]
    if change.positives is not None:
        words.append(f"positive rate {_signed(100 * change.positives, _POINTS_PLACES)} points")
    return ", ".join(words)


def _differ(one: ScoreChange, other: ScoreChange) -> bool:
    pairs = [(one.score, other.score, _SCORE_PLACES)]
    if one.positives is not None and other.positives is not None:
        pairs.append((100 * one.positives, 100 * other.positives, _POINTS_PLACES))
    return any(_unlike(a, b, places) for a, b, places in pairs)


def _unlike(a: float, b: float, places: int) -> bool:
    """
    >>> _unlike(0.02, 0.03, 3), _unlike(0.02, 0.05, 3), _unlike(0.02, -0.02, 3), _unlike(0.0004, -0.0004, 3)
    (False, True, True, False)
    """
    if abs(a - b) < _NEXT * 10**-places:
        return False
    return a * b <= 0 or max(abs(a), abs(b)) > _ALIKE * min(abs(a), abs(b))


def _signed(value: float, places: int) -> str:
    """
    >>> _signed(-0.0614, 3), _signed(0.25, 3), _signed(0.0001, 3), _signed(-4.42, 1), _signed(0.0, 1)
    ('-.061', '+.250', 'changes by less than .001', '-4.4', 'changes by less than .1')
    """
    if round(value, places) == 0:
        least = f"{10**-places:.{places}f}".removeprefix("0")
        return f"changes by less than {least}"
    text = f"{value:+.{places}f}"
    return text[0] + text[1:].removeprefix("0") if text[1:].startswith("0.") else text
