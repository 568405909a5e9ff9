"""Gather what the gates look at, ask them, and put the report on record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from contracts.baseline import Baseline
from contracts.errors import ContractError
from contracts.model_events import ModelEvent
from contracts.model_files import FRAME_DTYPES
from training.errors import GateError, RegistryError
from training.evaluation.alone import strongest
from training.evaluation.held_out import HeldOut
from training.evaluation.record import EVALUATION_FILE, TEST_FILE, Evaluation
from training.fitting.pipeline import scores_of
from training.gate import GateReport, Override, check_names, judge
from training.gates.beside_champion import fitted_on_the_test
from training.gates.evidence import Champion, Evidence
from training.gates.rules import Rules
from training.registry.records import Version
from training.registry.registered import Registered
from training.reports.card import Known
from training.reports.card_files import attach_card
from training.reports.gate_files import JSON_FILE, keep_report, kept_report
from training.reports.gate_words import summary
from training.topics.model_events import ModelEvents


@dataclass(frozen=True)
class Wish:
    """version: its number, or an alias. overrides: gates that shall not stop it, with the reason."""

    version: str
    rules: Rules
    by: str
    overrides: tuple[str, ...] = ()
    reason: str = ""


def run_gates(
    registered: Registered, events: ModelEvents | None, wish: Wish, *, now: datetime, event_id: str
) -> GateReport:
    """Judge a version against the champion of this moment. The report is among its files, its tags and, where Kafka is
    configured, on model-events. Raises GateError, RegistryError, PublishError and DataError.
    """
    check_names(wish.overrides)
    if wish.overrides and not wish.reason.strip():
        raise GateError("--override needs --reason TEXT: it stays on record for ever")
    if events is not None:
        events.check()
    version = registered.find(wish.version)
    earlier = kept_report(registered, version)
    made = [Override(gate, wish.reason.strip(), wish.by, now) for gate in dict.fromkeys(wish.overrides)]
    evidence = gather(registered, version)
    report = judge(
        evidence,
        wish.rules,
        at=now,
        by=wish.by,
        overrides=made,
        former=() if earlier is None else earlier.overrides,
    )
    keep_report(registered, version, report, made)
    attach_card(registered, version, Known(evidence.evaluation, evidence.baseline, report))
    if events is not None:
        events.write(_event(report, made, event_id))
    return report


def gather(registered: Registered, version: Version) -> Evidence:
    """All that the gates look at of a version, and the champion's scores of the same rows."""
    whose = f"{version.model}/{version.version}"
    found = {path: registered.fetch(version, path) for path in (EVALUATION_FILE, TEST_FILE)}
    if (absent := next((path for path, data in found.items() if data is None), None)) is not None:
        raise GateError(f"{whose} has no {absent}: train it with `python -m training train --config training.yaml`")
    baseline = registered.baseline(version)
    evaluation = _evaluation(version, found[EVALUATION_FILE] or b"")
    held_out = HeldOut.from_parquet(found[TEST_FILE] or b"", baseline.schema)
    if not 0 < held_out.labels.sum() < held_out.labels.size:
        raise GateError(f"{whose}: the test rows hold one class only: train it with a test part that has both")
    if not np.isfinite(held_out.scores).all():
        raise GateError(f"{whose}: a test row has no score: train the version again")
    return Evidence(
        evaluation=evaluation,
        baseline=baseline,
        features=held_out.features,
        labels=held_out.labels,
        scores=held_out.scores,
        segments=held_out.segments,
        champion=_champion(registered, held_out, version, evaluation),
    )


def _champion(
    registered: Registered, held_out: HeldOut, challenger: Version, evaluation: Evaluation
) -> Champion | None:
    number = registered.marks().champion
    if number is None or number == challenger.version:
        return None
    if not registered.has(number):
        raise RegistryError(
            f"the alias champion of {registered.model} points to version {number}, which is gone from MLflow at "
            f"{registered.where}: `python -m training rollback --to VERSION` to a former champion, or `python -m "
            "training promote VERSION --override --reason TEXT`, then gate again"
        )
    version = registered.find(number)
    baseline = registered.baseline(version)
    table = pd.concat([held_out.features, held_out.segments.set_axis(held_out.features.index)], axis=1)
    absent = [name for name in baseline.schema.names if name not in table.columns]
    if absent:
        return Champion(number, baseline, None, f"it takes {absent[0]!r}, which these rows do not have")
    estimator = registered.registry.load(version)
    try:
        scores = scores_of(estimator, _frame(table, baseline))
    except (ValueError, TypeError, KeyError) as error:
        return Champion(number, baseline, None, " ".join(str(error).split())[:200])
    if not np.isfinite(scores).all():
        return Champion(number, baseline, None, "it gives some of them no score")
    known = registered.fetch(version, EVALUATION_FILE)
    its_own = None if known is None else _evaluation(version, known)
    digest = registered.tags(version).get("data_digest", "") if its_own is None else its_own.data_digest
    return Champion(
        number,
        baseline,
        scores,
        strongest=_strongest(registered, version, baseline),
        fitted_on=fitted_on_the_test(digest, its_own, evaluation),
    )


def _strongest(registered: Registered, version: Version, baseline: Baseline) -> float | None:
    """Of the champion's own test rows; None where it was trained without an evaluation."""
    data = registered.fetch(version, TEST_FILE)
    if data is None:
        return None
    rows = HeldOut.from_parquet(data, baseline.schema)
    return strongest(rows.features, rows.labels)


def _evaluation(version: Version, data: bytes) -> Evaluation:
    try:
        return Evaluation.from_bytes(data)
    except ContractError as error:
        whose = f"{version.model}/{version.version}"
        raise GateError(f"{whose}: {EVALUATION_FILE}: {error}: train the version again") from error


def _frame(table: pd.DataFrame, baseline: Baseline) -> pd.DataFrame:
    """The rows as the champion takes them. Raises ValueError and TypeError where a column is of another kind now."""
    return table[list(baseline.schema.names)].astype({f.name: FRAME_DTYPES[f.kind] for f in baseline.schema.features})


def _event(report: GateReport, made: Sequence[Override], event_id: str) -> ModelEvent:
    return ModelEvent(
        id=event_id,
        kind="gated",
        at=report.at,
        model=report.model,
        version=report.version,
        by=report.by,
        reason=summary(report),
        previous=report.champion,
        details={
            "status": report.status,
            "failed": list(report.failed),
            "overridden": [finding.gate for finding in report.findings if finding.status == "overridden"],
            "override_reason": made[0].reason if made else None,
            "report": JSON_FILE,
            "findings": {finding.gate: finding.says for finding in report.findings},
        },
    )
