"""Every injected kind of drift into every feature that it changes, at every number of rows: how many alarm at once?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.detection.cause_cases import Injected, Tally, tallies
from bench.detection.power import Trial
from bench.detection.share import Share, total

ROWS, QUICK_ROWS = (500, 1_000, 2_000, 10_000, 100_000), (1_000, 10_000)
_CONSTANT = "constant"
"""Many drifts leave a constant feature as it is."""


def kinds(trials: Sequence[Trial], seed: int, rows: int, windows: int) -> dict[str, Share]:
    """By kind and size of the drift: windows in which the drifting feature alarms. windows: of each trial, feature and
    drift."""
    found: dict[str, list[Tally]] = {}
    for number, trial in enumerate(trials):
        for injected, tally in tallies(trial.reference, seed + number, rows, windows).items():
            if injected.feature != _CONSTANT:
                found.setdefault(_row(injected), []).append(tally)
    return {row: total(Share(tally.alarmed, tally.windows) for tally in every) for row, every in found.items()}


def table(found: Mapping[int, Mapping[str, Share]]) -> list[str]:
    """As Markdown: a row for each kind, a column for each number of rows, and of how many windows each cell is."""
    first = next(iter(found.values()))
    lines = [
        f"| drift of one feature | windows | {' | '.join(f'n = {rows:,}' for rows in found)} |",
        "|" + " --- |" * (2 + len(found)),
    ]
    for row in first:
        cells = " | ".join(f"{shares[row].rate:.1%}" for shares in found.values())
        lines.append(f"| {row} | {first[row].of} | {cells} |")
    return lines


def _row(injected: Injected) -> str:
    return injected.drift if injected.drift.startswith("shift") else injected.group
