"""Gates: what a version must pass before it may answer users. Pure: evidence and rules in, a report out.

To add a gate: a function of evidence and rules that returns a verdict (training/gates/), a line in GATES, and its
thresholds in training/gates/rules.py and gates.yaml.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Literal

import msgspec

from contracts.errors import InvalidMessage
from contracts.times import UtcTime
from training.errors import GateError
from training.gates.beside_champion import no_degradation, training_data
from training.gates.evidence import Evidence, Finding, Verdict
from training.gates.fairness import fairness
from training.gates.leak import leak
from training.gates.quality import (
    balance,
    calibration,
    minimum_quality,
    precision_floor,
    recall_floor,
    stability,
)
from training.gates.rules import Rules
from training.gates.scorer import schema, scorer

Gate = Callable[[Evidence, Rules], Verdict]

GATES: tuple[tuple[str, Gate], ...] = (
    ("schema", schema),
    ("leak", leak),
    ("no-degradation", no_degradation),
    ("quality", minimum_quality),
    ("precision", precision_floor),
    ("recall", recall_floor),
    ("balance", balance),
    ("fairness", fairness),
    ("stability", stability),
    ("calibration", calibration),
    ("scorer", scorer),
    ("training-data", training_data),
)


class Override(msgspec.Struct, frozen=True):
    """Somebody's word that a failed gate is no reason to stop this version."""

    gate: str
    reason: str
    by: str
    at: UtcTime


class GateReport(msgspec.Struct, frozen=True, kw_only=True):
    """Of one version. champion: what it was compared with, None where there was none. rules: the digest of the
    thresholds. scores: the digest of the test rows' scores. overrides: all there ever were of this version.
    """

    model: str
    version: str
    champion: str | None
    at: UtcTime
    by: str
    status: Literal["passed", "failed", "overridden"]
    findings: tuple[Finding, ...]
    overrides: tuple[Override, ...] = ()
    rules: str = ""
    scores: str = ""
    v: Literal[1] = 1

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the gates that failed and were not overridden."""
        return tuple(finding.gate for finding in self.findings if finding.status == "failed")

    @property
    def may_go_on(self) -> bool:
        """Whether nothing stands between this version and its users."""
        return self.status != "failed"


def judge(
    evidence: Evidence,
    rules: Rules,
    *,
    at: datetime,
    by: str,
    overrides: Sequence[Override] = (),
    former: Sequence[Override] = (),
) -> GateReport:
    """Ask every gate. overrides: they count now; former: those of earlier reports, which are only kept.

    Raises GateError for an override of a gate that there is not.
    """
    check_names([override.gate for override in overrides])
    let_through = {override.gate for override in overrides}
    findings = []
    for name, gate in GATES:
        answer = gate(evidence, rules)
        status: Literal["passed", "failed", "overridden"] = (
            "passed" if answer.passed else "overridden" if name in let_through else "failed"
        )
        findings.append(Finding(name, status, answer.says, answer.figures))
    found = {finding.status for finding in findings}
    return GateReport(
        model=evidence.evaluation.model,
        version=evidence.evaluation.version,
        champion=None if evidence.champion is None else evidence.champion.version,
        at=at,
        by=by,
        status="failed" if "failed" in found else "overridden" if "overridden" in found else "passed",
        findings=tuple(findings),
        overrides=(*former, *overrides),
        rules=rules.digest,
        scores=evidence.evaluation.scores_digest,
    )


def check_names(gates: Sequence[str]) -> None:
    """Raises GateError where there is no gate of a name."""
    names = [name for name, _ in GATES]
    for gate in gates:
        if gate not in names:
            raise GateError(f"--override {gate}: no gate of this name: choose one of {', '.join(names)}")


def encode_gate_report(report: GateReport) -> bytes:
    """JSON, indented: it is read by people too."""
    return msgspec.json.format(_encode(report), indent=2)


def decode_gate_report(data: bytes) -> GateReport:
    """Read a report. Raises InvalidMessage."""
    try:
        return _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidMessage(f"not a gate report: {error}") from error


_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(GateReport)
