"""A performance report in one sentence: how much is labelled, and what became worse. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.performance import Measured

_WORDS = {
    "auc": "AUC",
    "average_precision": "average precision",
    "log_loss": "log loss",
    "brier": "Brier score",
    "calibration_error": "calibration error",
    "mae": "mean absolute error",
    "rmse": "root mean squared error",
}
_VERBS = {"higher": "fell", "lower": "rose", "zero": "moved"}


def words(measure: str) -> str:
    """A measure's name as it is said: `AUC`, `average precision`, `precision of class 1`."""
    if measure in _WORDS:
        return _WORDS[measure]
    name, _, of_class = measure.rpartition("_")
    return f"{'F1' if name == 'f1' else name} of class {of_class}" if of_class in ("0", "1") else measure


def number(value: float) -> str:
    """Three places, or three digits from 1 on.

    >>> number(0.784), number(-0.0312), number(1.0), number(12.3456), number(0.0)
    ('.784', '-.031', '1.00', '12.3', '.000')
    """
    if abs(value) >= 1:
        return f"{value:.3g}" if abs(value) >= 10 else f"{value:.2f}"
    text = f"{value:.3f}"
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text


def covered(labelled: int, predictions: int | None) -> str:
    """
    >>> covered(622, 1004), covered(1004, 1004), covered(1, None)
    ('62 % of 1,004 predictions labelled', '100 % of 1,004 predictions labelled', '1 label')
    """
    if predictions:
        share = 100 if labelled >= predictions else min(99, round(100 * labelled / predictions))  # 99.6 % are not all
        return f"{share} % of {predictions:,} predictions labelled"
    return f"{labelled:,} label{'' if labelled == 1 else 's'}"


def changed(measured: Measured) -> str:
    """`AUC fell from .784 [.776-.792] to .725 [.702-.747]`, and, where that was learnt, `(natural: .741-.812)`."""
    before = _with_interval(measured.reference, measured.reference_low, measured.reference_high)
    now = _with_interval(measured.value, measured.low, measured.high)
    natural = ""
    if measured.natural_low is not None and measured.natural_high is not None:
        natural = f" (natural: {number(measured.natural_low)}-{number(measured.natural_high)})"
    return f"{words(measured.name)} {_VERBS[measured.better]} from {before} to {now}{natural}"


def summary(
    labelled: int, predictions: int | None, metrics: Sequence[Measured], degraded: Sequence[str], why_not: str | None
) -> str:
    """why_not: what stands in the way of comparing, None where nothing does."""
    head = covered(labelled, predictions)
    if why_not is not None:
        return f"{head}: {why_not}"
    worse = [changed(metric) for metric in metrics if metric.name in degraded]
    if worse:
        return f"{head}: {', '.join(worse)}"
    first = metrics[0]
    now, before = (
        _with_interval(first.value, first.low, first.high),
        _with_interval(first.reference, first.reference_low, first.reference_high),
    )
    return f"{head}: no worse than the reference: {words(first.name)} {now}, reference {before}"


def _with_interval(value: float | None, low: float | None, high: float | None) -> str:
    if value is None:
        return "unknown"
    return number(value) if low is None or high is None else f"{number(value)} [{number(low)}-{number(high)}]"
