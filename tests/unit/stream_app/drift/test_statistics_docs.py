"""docs/statistics.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from contracts.binning import EQUAL_MASS_BINS, SENTINELS, TAIL_MASSES, TOP_LEVELS
from stream_app.drift.explain import MOST
from stream_app.drift.metrics import METRICS
from stream_app.drift.notes import FEW_ROWS
from stream_app.drift.rule import CALIBRATED, CLASSIC, PRESETS

DOCS = Path(__file__).parents[4] / "docs"
PAGE = (DOCS / "statistics.md").read_text()


def test_every_metric_and_every_preset_is_described() -> None:
    rows = re.findall(r"^\| `(\w+)`", PAGE, re.MULTILINE)
    assert sorted(rows) == sorted([*(metric.name for metric in METRICS), *PRESETS])


def test_the_numbers_of_the_rule_are_those_of_the_page() -> None:
    parts = CALIBRATED.parts
    weights = ", ".join(f"p_{name} / {shown(parts[name].weight)}" for name in ("ks", "psi", "peak"))
    assert f"p(feature) = min({weights})" in PAGE
    assert f"| missing | a rate that changed by {shown(parts['missing'].floor)} |" in PAGE
    assert f"| unseen | {shown(parts['unseen'].floor)} |" in PAGE
    assert f"| out of range, positive decisions | {shown(parts['out_of_range'].floor)} |" in PAGE
    assert f"| numbers and the score | D {shown(parts['ks'].floor)}, or PSI {shown(parts['psi'].floor)} |" in PAGE
    assert f"false discovery rate of {shown(100 * CALIBRATED.values_q)} %" in PAGE
    assert f"among all tests of rates at {shown(100 * CALIBRATED.rates_q)} %" in PAGE
    assert f"**Of a window:** {CALIBRATED.n_min} " in PAGE
    assert f"**Of a reference:** {FEW_ROWS} or more" in PAGE
    assert f"the {MOST}\n  strongest" in PAGE


def test_the_bins_are_those_of_the_page() -> None:
    assert f"| numbers | {EQUAL_MASS_BINS} with equal shares" in PAGE
    assert f"({2 * len(TAIL_MASSES)} more edges, from {min(TAIL_MASSES):.2%} on)".replace("0.01%", ".01 %") in PAGE
    assert f"each of the {TOP_LEVELS} most frequent" in PAGE
    assert {abs(value) for value in SENTINELS} == {0, 1, 999, 9999, 1e9}


def test_what_the_classic_preset_is_known_for_is_one_figure_on_every_page() -> None:
    (figure,) = re.findall(r"alarms on (\d+ %) of", CLASSIC.known_false_alarms)
    for page in ("statistics.md", "benchmarks.md", "decisions/0004-calibrated-rule.md"):
        assert f"alarms on {figure} of" in (DOCS / page).read_text(), page


def shown(number: float | None) -> str:
    return f"{number:g}".removeprefix("0")  # .05, as the page writes it
