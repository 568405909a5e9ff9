"""infer: the likely cause of one feature's drift, from its reference and window histograms alone."""

from __future__ import annotations

from contracts.baseline import Reference
from contracts.findings import Cause
from contracts.histogram import Histogram
from contracts.reports import Finding


def infer(reference: Reference, window: Histogram, findings: tuple[Finding, ...], name: str) -> Cause | None:
    """The likely cause of what `findings` say about the feature `name`; None where neither histogram tells of a change.

    reference, window: over the same bins. name: of a feature, or SCORE or DECISION of contracts.baseline.
    """
    return None
