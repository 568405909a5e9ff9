"""The rule by which a window's performance is called degraded: its numbers, each with its reason."""

from __future__ import annotations

import msgspec


class PerformanceRule(msgspec.Struct, frozen=True, kw_only=True):
    """Degraded is what is worse than the reference beyond chance (false discovery rate q over the measures tested) AND
    by at least the least change that matters.

    q: about a third of what drift's rule spends: few measures, and they move together. labels: fewer say nothing;
    truths: nor do fewer of one truth, for the normal approximation of the tests needs some ten of each. coverage: from
    this share of the window's predictions on labels count as complete. Before, only measures that do not depend on the
    share of positives are tested: early labels are often not like the rest (fraud is reported before its absence is
    known).
    auc, calibration_error: least change, absolute. calibration_share: of calibration, at most this share of the rate of
    positives, which is small where those are rare. average_precision, log_loss, cost, mae, rmse, bias: least change, as
    a share of the reference's (of bias: of the reference's rmse).
    """

    q: float = 0.005
    labels: int = 200
    truths: int = 10
    coverage: float = 0.95
    auc: float = 0.01
    average_precision: float = 0.05
    log_loss: float = 0.02
    calibration_error: float = 0.02
    calibration_share: float = 0.25
    cost: float = 0.05
    mae: float = 0.05
    rmse: float = 0.05
    bias: float = 0.1


RULE = PerformanceRule()
EARLY = ("auc",)
"""Tested as soon as there are labels enough: given the truth, which labels came first is taken not to depend on the
score."""
