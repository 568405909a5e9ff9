"""All checks of the data, in order. To add one: a function that returns findings, and a line in validate()."""

from __future__ import annotations

from training.configuration.config import Checks
from training.data.samples import Samples
from training.data.splits import Parts
from training.errors import DataError
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
    ]
    if wrong := [finding.text for finding in findings if finding.fatal]:
        raise DataError(f"{samples.file}: {_joined(wrong)}")
    return tuple(finding.text for finding in findings)


def _joined(texts: list[str]) -> str:
    more = f"; and {len(texts) - _TOLD} more" if len(texts) > _TOLD else ""
    return "; ".join(texts[:_TOLD]) + more
