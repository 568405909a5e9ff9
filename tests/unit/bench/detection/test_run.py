"""The parts of the benchmark, small; and what it refuses."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from bench.benchmark import BenchError, Options
from bench.detection import others, picture, run
from bench.detection.accidents import accidents
from bench.detection.exactness import exactness
from bench.detection.features import named
from bench.detection.figures import DetectionFigures
from bench.detection.power import CASES, Case, Trial, power
from bench.detection.quiet import false_alarms
from bench.detection.share import Share
from stream_app.drift.rule import CALIBRATED, CLASSIC


def test_the_json_has_the_keys_of_the_issue() -> None:
    keys = msgspec.json.decode(msgspec.json.encode(DetectionFigures())).keys()
    wanted = (
        "false_alarms false_pages power_shift_0.2_n1000 power_shift_0.3_n10000 power_unit_bug_n9600 "
        "power_default_fill_n9600 cause_accuracy effect_rank_correlation close_ms_23 close_ms_1000 state_kb_23"
    )
    assert set(wanted.split()) <= keys


def test_quiet_windows_are_quiet_for_the_calibrated_preset_and_not_for_the_classic_one(small_trial: Trial) -> None:
    calibrated, classic = false_alarms([small_trial.reference.baseline], 2, 1_000, ((CALIBRATED, 60), (CLASSIC, 40)))
    assert (calibrated.alarms.of, classic.alarms.of) == (60, 40)
    assert calibrated.alarms.hits <= 3
    assert classic.alarms.hits >= 10
    assert classic.pages.hits > 0


def test_all_rules_look_at_the_same_rows(small_trial: Trial) -> None:
    found = {entry.name: entry for entry in others.side_by_side([small_trial], 1, 500, 5)}
    assert list(found) == ["calibrated", "classic", "KS, p < .05", "KS, Bonferroni", "PSI > .1", "PSI > .2"]
    assert {entry.alarms.of for entry in found.values()} == {5}
    assert found["KS, Bonferroni"].blamed <= found["KS, p < .05"].blamed
    assert found["PSI > .2"].blamed["many_levels"] == 5  # 500 levels in 500 rows


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.key)
def test_every_case_is_found_in_a_large_window_unless_it_is_below_the_floor(small_trial: Trial, case: Case) -> None:
    large = Case(case.key, case.title, 20_000, case.features[-1:], case.drift)
    calibrated, *rest = power([small_trial], large, 1, windows=1, beside=1)
    assert calibrated.mean() == (0 if case.key == "ordinary_zero" else 1)
    assert {entry.together.of for entry in rest} == {1}


def test_one_odd_value_does_not_alarm_and_an_empty_column_does(small_trial: Trial) -> None:
    *single, empty = accidents([small_trial], 1, windows=1)
    assert sum(entry.alarms.hits for entry in single) <= sum(entry.before.hits for entry in single)
    assert {entry.counted.rate for entry in single} == {1.0}
    assert empty.alarms.rate == 1
    assert empty.named is not None
    assert empty.named.rate == 1


def test_streamed_statistics_are_exact_and_ks_on_bins_is_close(small_trial: Trial) -> None:
    found = exactness([small_trial], 1, windows=1)
    assert found.streamed == 0
    assert found.binned <= 0.005


def test_the_figure_is_written(small_trial: Trial, tmp_path: Path) -> None:
    curves = {name: [Share(5, 10)] * len(picture.SIZES) for name in ("calibrated", "classic")}
    picture.draw(curves, {name: Share(1, 100) for name in curves}, tmp_path / "power.svg")
    drawn = (tmp_path / "power.svg").read_text()
    assert drawn.startswith("<?xml")
    picture.draw(curves, {name: Share(1, 100) for name in curves}, tmp_path / "again.svg")
    assert (tmp_path / "again.svg").read_text() == drawn  # of the same figures the same file


def test_what_cannot_be_measured_is_refused() -> None:
    said: list[str] = []
    with pytest.raises(BenchError, match="choose of quiet, power"):
        run.run(Options(only=("quiet", "noise")), said.append)
    with pytest.raises(BenchError, match="--figure which file"):
        run.run(Options(only=("figure",)), said.append)
    with pytest.raises(BenchError, match="the file must end with one of"):
        run.run(Options(figure="power.doc"), said.append)
    assert not said


def test_wilson_intervals_are_those_of_the_textbook() -> None:
    low, high = Share(0, 300).interval
    assert (low, round(high, 4)) == (0.0, 0.0126)  # z^2 / (n + z^2)
    assert str(Share(1, 4) + Share(1, 4)) == "25.00% [7.15%, 59.07%]"


def test_a_column_that_drifted_is_judged_by_the_rule_of_its_reference(small_trial: Trial) -> None:
    scipy_tests, psi = small_trial.tools
    quiet = named("normal").column(np.random.default_rng(1), 2_000)
    assert scipy_tests.flags("normal", quiet + 1) == psi.flags("normal", quiet + 1) == (True, True)
    assert psi.flags("normal", quiet) == (False, False)
    assert scipy_tests.flags("normal", np.full(10, np.nan)) == psi.flags("normal", np.full(10, np.nan))
