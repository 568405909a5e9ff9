"""False alarms: windows in which nothing changed, by the number of their rows, judged by both presets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from bench.detection.share import NONE, Share
from bench.detection.windows import Windows
from bench.offline import pages
from contracts.baseline import Baseline
from contracts.reports import DriftReport
from stream_app.drift.rule import DecisionRule

ROWS = (200, 500, 1_000, 2_000, 10_000, 100_000)


@dataclass
class Quiet:
    """What one rule made of the quiet windows of `rows` rows.

    alarms: windows with an alarm. pages: windows at which an incident was raised or grew. blamed: how many windows by
    feature and finding.
    """

    rows: int
    rule: str
    alarms: Share = NONE
    pages: Share = NONE
    blamed: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, reports: Sequence[DriftReport]) -> None:
        """Count windows that follow one another."""
        self.alarms += Share.of_all(found.status == "alarm" for found in reports)
        told = [alert for alert in pages(reports) if alert.transition in ("raise", "escalate")]
        self.pages += Share(len({alert.window_start for alert in told}), len(reports))
        self.blamed.update(
            (verdict.feature, "+".join(verdict.findings))
            for found in reports
            for verdict in found.features
            if verdict.alarm
        )


def false_alarms(
    baselines: Sequence[Baseline], seed: int, rows: int, windows: Sequence[tuple[DecisionRule, int]]
) -> list[Quiet]:
    """For each rule. windows: how many of each baseline it looks at, the same ones as the other rules and one after the
    other, so that pages can be told. (Rules that alarm often take much longer: each alarm's cause is worked out.)

    Several baselines, because the chance in the reference itself is shared by all windows compared with it.
    """
    found = [Quiet(rows, rule.name) for rule, _ in windows]
    for number, baseline in enumerate(baselines):
        source, rng = Windows(baseline), np.random.default_rng([seed, rows, number])
        drawn = [source.quiet(rng, rows) for _ in range(max(count for _, count in windows))]
        for (rule, count), quiet in zip(windows, found, strict=True):
            quiet.add([source.report(window, i, rule) for i, window in enumerate(drawn[:count])])
    return found
