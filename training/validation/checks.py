"""All checks of the data, in order. To add one: a function that returns findings, and a line in validate()."""

from __future__ import annotations

from training.configuration.config import Checks
from training.data.samples import Samples
from training.data.splits import Parts
from training.errors import DataError
from training.validation.finding import Finding
from training.validation.frame_schema import schema_findings
from training.validation.leakage import leakage_findings
from training.validation.repeats import duplicate_findings, overlap_findings

_TOLD = 5


def validate(samples: Samples, parts: Parts, checks: Checks) -> tuple[str, ...]:
    """Warnings. Raises DataError that names everything which is wrong, and ConfigError for checks of no feature."""
    features, labels = samples.features, samples.labels
    training = features.iloc[parts.train]
    findings = [
        *schema_findings(features, samples.schema, checks),
        *duplicate_findings(features, labels, checks.duplicates),
        *leakage_findings(training, samples.schema, labels[parts.train], checks.leakage_auc),
        *overlap_findings(training, features.iloc[parts.test], checks.overlap),
        *_reference_findings(samples, parts),
    ]
    if wrong := [finding.text for finding in findings if finding.fatal]:
        raise DataError(f"{samples.file}: {_joined(wrong)}")
    return tuple(finding.text for finding in findings)


def _reference_findings(samples: Samples, parts: Parts) -> list[Finding]:
    """Features that nothing can be held against: those with values in old rows alone. Of all rows the fit says it."""
    present = samples.features.iloc[parts.present]
    if len(present) == len(samples.features):
        return []
    empty = [feature.name for feature in samples.schema.monitored if present[feature.name].isna().all()]
    said = f"has no value in the {len(present):,} rows from split.train_only_before on, of which the baseline is made"
    fix = "repair what fills it, or train without it"
    return [Finding(f"feature {name!r} {said}: {fix}", fatal=True) for name in empty]


def _joined(texts: list[str]) -> str:
    more = f"; and {len(texts) - _TOLD} more" if len(texts) > _TOLD else ""
    return "; ".join(texts[:_TOLD]) + more
