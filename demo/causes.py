"""What an alert says of its features: the likely cause, and how far the mean score should move. Pure.

The plot knows what really happened (`TrueCause`), so the demo can say whether the alert found it.
"""

from __future__ import annotations

from typing import Any

from contracts.alerts import AlertFeature, DriftAlert
from demo.datasets.dataset import TrueCause

_FACTOR_TOLERANCE = 0.01
"""Relative: miles and kilometres are not to be mistaken for a factor nearby."""
_SHARE_TOLERANCE = 0.1
"""A third of 1,000 drawn rows varies by .03 (two standard errors), and its estimate by as much again."""


def cause_words(feature: AlertFeature) -> str:
    """The cause as the alert has it, in one sentence that begins with whom it is about."""
    if feature.cause is None:
        return f"{feature.feature}: no cause is named"
    return feature.cause.sentence


def score_change(feature: AlertFeature) -> float | None:
    """The expected change of the mean score; None where the alert has none, or where it is not known."""
    expected = None if feature.model_effect is None else feature.model_effect.expected
    return None if expected is None else expected.score


def finds(alert: DriftAlert, true: TrueCause) -> tuple[bool, str]:
    """Whether the alert names this cause, and what it says of the feature."""
    found = next((feature for feature in alert.features if feature.feature == true.feature), None)
    if found is None:
        return False, f"{true.feature} is not among its features"
    cause = found.cause
    held = (
        cause is not None
        and cause.kind == true.kind
        and cause.factor is not None
        and abs(cause.factor / true.factor - 1) <= _FACTOR_TOLERANCE
        and cause.share is not None
        and abs(cause.share - true.share) <= _SHARE_TOLERANCE
    )
    return held, cause_words(found)


def causes(alert: DriftAlert) -> list[dict[str, Any]]:
    """One entry of `summary.json` for each feature, in the alert's order."""
    return [
        {
            "feature": feature.feature,
            "kind": feature.cause and feature.cause.kind,
            "sentence": feature.cause and feature.cause.sentence,
            "factor": feature.cause and feature.cause.factor,
            "share": feature.cause and feature.cause.share,
            "expected_score_change": score_change(feature),
        }
        for feature in alert.features
    ]
