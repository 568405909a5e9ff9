"""False alarms of other tools beside ours, on the same windows: rows are drawn, because they want rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from bench.detection.features import FEATURES, SCORE, Column, Numbers, Rng, columns
from bench.detection.power import Trial
from bench.detection.share import NONE, Share
from bench.detection.windows import counted
from stream_app.drift.rule import CALIBRATED, CLASSIC

ROWS = (1_000, 10_000)


@dataclass
class Beside:
    """What one rule made of quiet windows of `rows` rows. blamed: windows by feature."""

    rows: int
    name: str
    alarms: Share = NONE
    blamed: Counter[str] = field(default_factory=Counter)

    def add(self, blamed: Sequence[str]) -> None:
        """Count one window."""
        self.alarms += Share(bool(blamed), 1)
        self.blamed.update(blamed)


def side_by_side(trials: Sequence[Trial], seed: int, rows: int, windows: int) -> list[Beside]:
    """For ours (both presets) and each tool. windows: of each trial."""
    rules = (CALIBRATED, CLASSIC)
    ours = [Beside(rows, rule.name) for rule in rules]
    others = [[Beside(rows, name) for name in tool.names] for tool in trials[0].tools]
    for number, (reference, source, tools) in enumerate(trials):
        rng = np.random.default_rng([seed, rows, number, 1])
        for i in range(windows):
            drawn, scores = _rows(rng, rows)
            window = counted(reference.baseline, drawn, scores)
            for rule, entry in zip(rules, ours, strict=True):
                entry.add(source.report(window, i, rule).alarms)
            for tool, entries in zip(tools, others, strict=True):
                flags = [tool.flags(feature.name, column) for feature, column in zip(FEATURES, drawn, strict=True)]
                for at, entry in enumerate(entries):
                    entry.add([feature.name for feature, flagged in zip(FEATURES, flags, strict=True) if flagged[at]])
    return [*ours, *(entry for entries in others for entry in entries)]


def _rows(rng: Rng, rows: int) -> tuple[tuple[Column, ...], Numbers]:
    return columns(rng, rows), SCORE.column(rng, rows)
