"""What is said of features that alarm beyond their p-values: the likely cause, the effect on the model, and their rank.

Rank: by the absolute expected change of the mean score, then by p. What has no such change ranks where it would just
not be harmless, behind features known to matter and before those known not to: a feature whose effect is not known, and
the score and the decisions, which show that something happened and not what.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from contracts.histogram import Histogram
from contracts.reports import QUALITY, FeatureVerdict
from stream_app.drift.cause.infer import infer
from stream_app.drift.effect import HARMLESS, is_harmless, model_effect
from stream_app.drift.prepared import PreparedBaseline

MOST = 50
"""Features of one window that are explained: a cause takes milliseconds, and a storm of 1,000 must not hold up the
windows of others."""


def explained(
    verdicts: Sequence[FeatureVerdict], ready: PreparedBaseline, histograms: Sequence[Histogram]
) -> tuple[FeatureVerdict, ...]:
    """The verdicts, those that alarm with cause, effect on the model and `harmless`: the `MOST` strongest of them.

    histograms: of the window, in the order of `ready.watched`, which is the verdicts' too.
    """
    alarming = sorted((i for i, verdict in enumerate(verdicts) if verdict.findings), key=lambda i: _rank(verdicts[i]))
    every = list(verdicts)
    for i in alarming[:MOST]:
        every[i] = _explained(verdicts[i], ready, histograms[i], i)
    return tuple(every)


def ranked(verdicts: Iterable[FeatureVerdict]) -> list[FeatureVerdict]:
    """Those that alarm, the most important first."""
    return sorted((verdict for verdict in verdicts if verdict.findings), key=_rank)


def _explained(verdict: FeatureVerdict, ready: PreparedBaseline, window: Histogram, at: int) -> FeatureVerdict:
    if verdict.kind == "decision":
        return verdict  # its rate is its cause and its effect
    reference = ready.watched[at].reference
    cause = infer(reference, window, verdict.findings, verdict.feature)
    effect = model_effect(reference, window, cause, of_score=verdict.kind == "score")
    harmless = is_harmless(effect) and not any(finding in QUALITY for finding in verdict.findings)
    return msgspec.structs.replace(verdict, cause=cause, model_effect=effect, harmless=harmless)


def _rank(verdict: FeatureVerdict) -> tuple[float, float, float]:
    effect = None if verdict.kind in ("score", "decision") else verdict.model_effect
    expected = None if effect is None else effect.expected
    change = HARMLESS if expected is None else abs(expected.score)
    return -change, verdict.p_value, -verdict.effect
