"""Explanation: the answer of POST /explain, made from an attribution."""

from __future__ import annotations

from typing import Annotated

import msgspec

from api.explaining.attribution import Attribution, Explainer, Link, Method
from api.explaining.reasons import Part, reasons
from contracts.baseline import Baseline
from contracts.encoder import Row, Value

_UNITS: dict[Link, str] = {"logit": " log-odds", "identity": ""}


class Contribution(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one feature adds, in log-odds where the link is logit, otherwise in the score's own unit.

    value: as it was sent, null where missing. standard_error: of a sampled contribution.
    """

    feature: str
    value: Value
    contribution: float
    standard_error: float | None = None


class Explanation(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why the score is what it is: base_value and the contributions add up to total, which is link(score).

    contributions: every feature of the model, largest first. reasons: the largest in words. compared_with: what the
    contributions are differences from. base_standard_error: of a sampled base_value. It is of the version named here,
    and no event.
    """

    model: str
    model_version: str
    score: float
    link: Link
    method: Method
    base_value: float
    total: float
    contributions: tuple[Contribution, ...]
    reasons: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    compared_with: str
    base_standard_error: float | None = None


def explanation(baseline: Baseline, explainer: Explainer, row: Row, found: Attribution, top: int) -> Explanation:
    """top: how many reasons at most."""
    names, amounts = baseline.schema.names, found.contributions.tolist()
    errors = [0.0] * len(names) if found.errors is None else found.errors.tolist()
    parts = [
        Part(name, value, amount, error, baseline.features.get(name))
        for name, value, amount, error in zip(names, row, amounts, errors, strict=True)
    ]
    parts.sort(key=lambda part: -abs(part.contribution))
    return Explanation(
        model=baseline.model,
        model_version=baseline.version,
        score=found.score,
        link=explainer.link,
        method=explainer.method,
        base_value=found.base,
        total=found.base + sum(amounts),
        contributions=tuple(
            Contribution(part.feature, part.value, part.contribution, None if found.errors is None else part.error)
            for part in parts
        ),
        reasons=reasons(parts, top, _UNITS[explainer.link]),
        compared_with=explainer.compared_with,
        base_standard_error=found.base_error,
    )
