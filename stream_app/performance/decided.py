"""How good decisions were: precision, recall and F1 of both classes, and what a decision cost, from a table of four."""

from __future__ import annotations

from contracts.outcomes import Costs
from stream_app.performance.intervals import Interval, normal, wilson
from stream_app.performance.measured import Found, Spread


class Decided:
    """Decisions against truths. true_1, false_1: rows decided positively of truth 1 and of truth 0; true_0, false_0:
    rows decided negatively of truth 0 and of truth 1.
    """

    def __init__(self, negatives: float, positives: float, decided: tuple[int, int]) -> None:
        self.false_1, self.true_1 = decided
        self.true_0, self.false_0 = negatives - self.false_1, positives - self.true_1
        self.rows = negatives + positives

    def found(self, costs: Costs | None) -> list[Found]:
        """precision_0, recall_0, f1_0, the same of class 1, and, where costs are given, cost. What divides by no row is
        left out: nothing was decided positively, say."""
        found = [
            *_of_class("0", self.true_0, self.false_0, self.false_1),
            *_of_class("1", self.true_1, self.false_1, self.false_0),
        ]
        return found if costs is None else [*found, self._cost(costs)]

    def _cost(self, costs: Costs) -> Found:
        """Mean over decisions, in the units that the costs are given in; the variance of a mean."""
        costs_and_rows = (
            (costs.true_positive, self.true_1),
            (costs.false_positive, self.false_1),
            (costs.false_negative, self.false_0),
            (costs.true_negative, self.true_0),
        )
        mean = sum(cost * rows for cost, rows in costs_and_rows) / self.rows
        spread = Spread(any=sum((cost - mean) ** 2 * rows for cost, rows in costs_and_rows) / self.rows)
        return Found("cost", mean, "lower", normal(mean, spread.any / self.rows), spread)


def _of_class(name: str, hit: float, falsely: float, missed: float) -> list[Found]:
    """hit: rows of the class decided so; falsely: others decided so; missed: rows of the class decided otherwise.

    Precision and recall are shares (Wilson). F1 = 2J / (1 + J) rises with J = hit / (hit + falsely + missed), which is
    a share too: its interval is that of J, through the same function.
    """
    found = []
    for measure, others in (("precision", falsely), ("recall", missed)):
        if hit + others:
            share = hit / (hit + others)
            found.append(Found(f"{measure}_{name}", share, "higher", wilson(hit, hit + others)))
    concerned = hit + falsely + missed
    if concerned:
        low, high = (2 * bound / (1 + bound) for bound in wilson(hit, concerned))
        found.append(Found(f"f1_{name}", 2 * hit / (hit + concerned), "higher", Interval(low, high)))
    return found
