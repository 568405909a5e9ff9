"""A model card: one page about a version, made from what is on record of it (Mitchell et al. 2019, Model Cards for
Model Reporting). Pure: what is known goes in, Markdown comes out; what nobody said is said to be missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from contracts.baseline import Baseline
from training.configuration.config import Config
from training.configuration.presentation import Card
from training.evaluation.record import Evaluation
from training.gate import GateReport
from training.reports.gate_words import summary

METRICS = (
    "auc",
    "average_precision",
    "log_loss",
    "brier",
    "calibration_error",
    "precision_1",
    "recall_1",
    "f1_1",
    "precision_0",
    "recall_0",
    "f1_0",
    "positive_rate",
    "base_rate",
    "cost",
)
"""In the order in which a card and a comparison show them."""
_FEATURES = 15


@dataclass(frozen=True)
class Known:
    """On record of one version. report: of the gates, None where they were not asked yet."""

    evaluation: Evaluation
    baseline: Baseline
    report: GateReport | None = None


def model_card(known: Known) -> str:
    """The page."""
    found = known.evaluation
    head = [
        f"# Model card: {found.model} version {found.version}",
        "",
        f"{found.estimator}, calibration {found.calibration.method}, made {found.created:%Y-%m-%d %H:%M} UTC. Decides "
        f"positively from a score of {found.threshold:.4g} on ({found.threshold_rule}).",
    ]
    sections = (
        ("Intended use", _use(_said(found))),
        ("How good it is", _quality(found)),
        ("Gates", _gates(known.report)),
        ("Data", _data(found, known.baseline)),
        ("What it goes by", _importance(found)),
        ("Serving", _serving(found)),
        ("Lineage", _lineage(found, known.baseline)),
    )
    lines = head + [line for title, body in sections for line in ("", f"## {title}", "", *body)]
    return "\n".join(lines) + "\n"


def _said(found: Evaluation) -> Card:
    return msgspec.json.decode(found.config, type=Config).card if found.config else Card()


def _use(card: Card) -> list[str]:
    nobody = "_not stated: fill in `card` in training.yaml_"
    limits = [f"- {_line(one)}" for one in card.limitations] or [f"- {nobody}"]
    return [
        f"- Purpose: {_line(card.purpose) or nobody}",
        f"- Owner: {_line(card.owner) or nobody}",
        "",
        "Limitations:",
        "",
        *limits,
    ]


def _quality(found: Evaluation) -> list[str]:
    names = [name for name in METRICS if name in found.metrics]
    rows = [
        (
            name,
            f"{found.metrics[name]:.4f}",
            f"{found.validation[name]:.4f}" if name in found.validation else "",
            _over_folds(found, name),
        )
        for name in names
    ]
    error = found.calibration
    return [
        "The test rows had no say in any choice; the validation rows chose calibration and threshold.",
        "",
        *_table(("metric", "test", "validation", f"{len(found.folds)} folds of the training rows"), rows),
        "",
        f"Calibration error of the test rows: {error.error_before:.4f} before calibration, {error.error_after:.4f} "
        f"after. Costs of a decision: false positive {found.costs.false_positive:g}, false negative "
        f"{found.costs.false_negative:g}, true positive {found.costs.true_positive:g}, true negative "
        f"{found.costs.true_negative:g}.",
        *(f"\nWarning: {said}." for said in found.warnings),
    ]


def _over_folds(found: Evaluation, name: str) -> str:
    values = [fold[name] for fold in found.folds if name in fold]
    return f"{sum(values) / len(values):.4f} ± {found.spread(name):.4f}" if values else ""


def _gates(report: GateReport | None) -> list[str]:
    if report is None:
        return ["Not asked yet: `python -m training gate VERSION`."]
    rows = [(one.gate, one.status, _line(one.says)) for one in report.findings]
    overrides = [f"- override of {one.gate} by {one.by}, {one.at:%Y-%m-%d}: {one.reason}" for one in report.overrides]
    asked = f"{summary(report)}. Asked {report.at:%Y-%m-%d %H:%M} UTC by {report.by}."
    return [asked, "", *_table(("gate", "result", "what was found"), rows), *([""] if overrides else []), *overrides]


def _data(found: Evaluation, baseline: Baseline) -> list[str]:
    parts = []
    counted = [] if found.reference is None else [("features of the baseline", found.reference)]
    for name, part in [*found.rows.items(), *counted]:
        span = "" if part.first is None or part.last is None else f"{part.first:%Y-%m-%d} to {part.last:%Y-%m-%d}"
        parts.append((name, f"{part.rows:,}", f"{part.positives / max(part.rows, 1):.1%}", span))
    features = []
    for feature in baseline.schema.features:
        missing = baseline.features.get(feature.name)
        share = "" if missing is None else f"{missing.missing / max(baseline.rows, 1):.1%}"
        features.append((feature.name, feature.kind, share, "yes" if feature.monitored else "no"))
    how = "by time" if found.split == "time" else "at random, each part with the same share of positives"
    return [
        f"{found.data}, split {how}. Segments for the fairness gate: {', '.join(found.segments) or 'none'}.",
        "",
        *_table(("part", "rows", "positive", "from, to"), parts),
        "",
        *_table(("feature", "kind", "missing", "monitored"), features),
    ]


def _importance(found: Evaluation) -> list[str]:
    if not found.importance:
        return ["Not asked: `pictures.importance` was 0."]
    rows = [(name, f"{lost:+.4f}") for name, lost in list(found.importance.items())[:_FEATURES]]
    left = len(found.importance) - len(rows)
    more = [] if left <= 0 else ["", f"{left} more features matter less."]
    return [
        "AUC lost when a feature's values are exchanged among test rows.",
        "",
        *_table(("feature", "loss"), rows),
        *more,
    ]


def _serving(found: Evaluation) -> list[str]:
    one = found.scorer
    return [
        f"{one.kind}, {one.bytes:,} bytes: {one.one_row:.0f} us of processor time for one row, {one.batch_row:.1f} us "
        f"a row of many. The model itself: {found.model_bytes:,} bytes."
    ]


def _lineage(found: Evaluation, baseline: Baseline) -> list[str]:
    search = found.search
    kept = [
        ("data digest", f"`{found.data_digest}`"),
        ("digest of the test rows' scores", f"`{found.scores_digest}`"),
        ("code revision", f"`{found.code_revision}`"),
        ("seed", str(found.seed)),
        ("baseline", f"`{baseline.digest}`, {baseline.rows:,} rows"),
        ("environment", ", ".join(f"{name} {version}" for name, version in found.environment.items())),
        (
            "search",
            "none" if search is None else f"{search.candidates} candidates, best {search.scoring} {search.score:.4f}",
        ),
        ("parameters", ", ".join(f"{name} {value}" for name, value in found.params.items())),
        ("seconds", f"{sum(found.seconds.values()):.0f}"),
    ]
    repeat = f"python -m training reproduce {found.version} --model {found.model}"
    return [*_table(("what", "value"), kept), "", f"To make it again and compare: `{repeat}`."]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(_line(cell).replace("|", "\\|") for cell in line) + " |" for line in lines]


def _line(text: str) -> str:
    return " ".join(text.split())
