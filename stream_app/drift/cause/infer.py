"""infer: the likely cause of one feature's drift, from its reference and window histograms alone.

Missing values first: what is not there explains itself. Then the window's values are held against everything that
commonly happens to a feature, as window = (1 - h) reference + h T(reference), and the likeliest explanation wins, less
a penalty for its freedom (Bayesian information criterion: half the logarithm of n for each free number).
"""

from __future__ import annotations

import math

from contracts.baseline import Reference
from contracts.binning import Levels
from contracts.findings import Cause
from contracts.histogram import Histogram
from contracts.reports import Finding
from stream_app.drift.cause import sentences
from stream_app.drift.cause.categorical import categorical_cause
from stream_app.drift.cause.numeric import numeric_cause

_ROSE = 0.02
_STANDARD_ERRORS = 4.0


def infer(reference: Reference, window: Histogram, findings: tuple[Finding, ...], name: str) -> Cause | None:
    """The likely cause of what `findings` say about the feature `name`; None where neither histogram tells of a change.

    reference, window: over the same bins. name: of a feature, or SCORE or DECISION of contracts.baseline.
    """
    before = reference.histogram
    if not before.rows or not window.rows:
        return None
    was, now = before.missing / before.rows, window.missing / window.rows
    if now - was > _ROSE and now - was > _STANDARD_ERRORS * _error(before, window):
        return Cause(kind="missing", sentence=sentences.missing(name, was, now), share=(now - was) / (1 - was))
    found = None
    only_missing = "missing" in findings and not {"values", "out_of_range", "unseen"}.intersection(findings)
    if not only_missing and before.known and window.known:
        if isinstance(reference.bins, Levels):
            found = categorical_cause(reference, reference.bins, window, findings, name)
        else:
            found = numeric_cause(reference, reference.bins, window, findings, name)
    if found is None and "missing" in findings:
        return Cause(kind="missing", sentence=sentences.missing(name, was, now), share=abs(now - was))
    return found


def _error(before: Histogram, window: Histogram) -> float:
    """Standard error of the difference of the two missing rates, when both are the same."""
    rate = (before.missing + window.missing) / (before.rows + window.rows)
    return math.sqrt(rate * (1 - rate) * (1 / before.rows + 1 / window.rows))
