"""The oracle of causes itself: what counts as right, and that it can fail."""

from __future__ import annotations

import numpy as np
import pytest

from bench.benchmark import Options
from bench.detection.cause_cases import FAR_GROUP, Injected, Tally, drifts_of, group_of, merged, says, table, tally_of
from bench.detection.drifts import Truth, filled, scaled
from bench.detection.features import named
from bench.detection.reference import Drawn
from bench.detection.windows import Windows
from bench.harness import BENCHMARKS
from contracts.binning import Bins, Levels
from contracts.findings import Cause

BINS = Bins.fit(np.random.default_rng(0).gamma(2.5, 400, 5_000))
LEVELS = Levels(("a", "b"))


@pytest.fixture(scope="module")
def drawn() -> Drawn:
    return Drawn(1, rows=10_000)


@pytest.mark.parametrize(
    ("cause", "truth", "right"),
    [
        (Cause(kind="unit", sentence="", factor=1.609344), Truth("unit", factor=1.609), True),
        (Cause(kind="unit", sentence="", factor=1.852), Truth("unit", factor=1.609), False),
        (Cause(kind="ratio", sentence="", factor=1.61), Truth("unit", factor=1.609), False),
        (Cause(kind="ratio", sentence="", factor=1.25), Truth("ratio", factor=1.3), True),
        (Cause(kind="spike", sentence="", value=0.0), Truth("spike", value=0.0), True),
        (Cause(kind="spike", sentence="", value=-1.0), Truth("spike", value=0.0), False),
        (Cause(kind="shift", sentence="", value=2.2), Truth("shift", value=2.0), True),
        (Cause(kind="shift", sentence="", value=-2.0), Truth("shift", value=2.0), False),
        (Cause(kind="missing", sentence=""), Truth("missing"), True),
        (None, Truth("missing"), False),
    ],
)
def test_a_cause_is_right_when_its_kind_and_its_numbers_are(cause: Cause | None, truth: Truth, right: bool) -> None:
    assert says(cause, truth, BINS) is right


def test_a_level_is_right_by_its_name_and_a_new_one_by_its_kind() -> None:
    assert says(Cause(kind="grown_level", sentence="", value="a"), Truth("grown_level", value="a"), LEVELS)
    assert not says(Cause(kind="grown_level", sentence="", value="b"), Truth("grown_level", value="a"), LEVELS)
    assert says(Cause(kind="new_level", sentence=""), Truth("new_level", value="xx"), LEVELS)


def test_only_windows_that_alarm_count_and_what_was_said_instead_is_kept() -> None:
    tally = Tally(windows=3)
    tally.add(Cause(kind="unit", sentence="", factor=100.0, share=0.12), Truth("unit", 0.1, factor=100.0), BINS)
    tally.add(Cause(kind="shift", sentence="", value=1.0), Truth("unit", 0.1, factor=100.0), BINS)
    both = merged([tally, tally])
    assert (both.windows, both.alarmed, both.right) == (6, 4, 2)
    assert both.taken_for == {"shift": 2}
    assert both.share_errors == pytest.approx([0.02, 0.02])


def test_a_plain_bug_is_named_right_through_the_reports_of_the_stream(drawn: Drawn) -> None:
    reports = Windows(drawn.baseline)
    for drift in (scaled(100, 0.33), filled(0.0, 0.33)):
        tally = tally_of(reports, named("miles"), drift, 1, 1_000, 3)
        assert (tally.windows, tally.alarmed, tally.right) == (3, 3, 3)


def test_every_drift_has_its_row_of_the_table(drawn: Drawn) -> None:
    names = {feature: {group_of(drift) for drift in drifts_of(named(feature), drawn)} for feature in ("miles", "flag")}
    assert {"x100 on 10%", "= 0, -1 or the median in 10% of rows", "all rows x1.3, no unit's factor"} <= names["miles"]
    assert "F -> C on 100%" not in names["miles"]
    assert "renamed level" in names["flag"]
    lines = list(table([1_000], [{Injected("x100 on 10%", "x100 on 10%", "miles"): Tally(5, 4, 3)}]))
    assert lines[-1] == "| x100 on 10% | 3 / 4 / 5 (75.0%) |  |"


def test_shifts_that_leave_the_reference_are_injected_and_named(drawn: Drawn) -> None:
    far = [drift for drift in drifts_of(named("miles"), drawn) if group_of(drift) == FAR_GROUP]
    assert {drift.name for drift in far} == {"shift +3 sd", "shift +4 sd", "shift +5 sd", "shift -5 sd"}
    assert "shift of .2 to 1 sd" in {group_of(drift) for drift in drifts_of(named("miles"), drawn)}
    tally = tally_of(Windows(drawn.baseline), named("miles"), far[2], 1, 1_000, 3)
    assert (tally.alarmed, tally.right) == (3, 3)


def test_what_became_of_all_of_a_constant_is_a_value_and_no_unit(drawn: Drawn) -> None:
    truths = {drift.name: drift.truth for drift in drifts_of(named("constant"), drawn)}
    assert truths["x100 on 100%"] == Truth("spike", value=700.0)
    assert truths["x100 on 33%"].kind == "unit"


def test_the_benchmark_is_listed_by_its_name() -> None:
    causes = next(benchmark for benchmark in BENCHMARKS if benchmark.name == "causes")
    assert causes.takes == ()
    assert Options().quick is False
