"""gates.yaml holds the defaults, and whatever is wrong in it is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.errors import SettingsError
from training.gates.rules import Rules, read_rules
from training.reports.gate_files import rules_from

FILE = Path(__file__).parents[4] / "gates.yaml"


def test_the_file_at_the_root_holds_every_threshold_as_the_code_has_it() -> None:
    assert read_rules(FILE.read_bytes(), "gates.yaml") == Rules()
    text = FILE.read_text()
    fields = {
        field for section in Rules.__struct_fields__ for field in getattr(Rules(), section).__struct_fields__
    } | set(Rules.__struct_fields__)
    assert not [field for field in fields if f"{field}:" not in text]


def test_every_threshold_of_the_file_has_a_comment() -> None:
    lines = [line for line in FILE.read_text().splitlines() if line.startswith("  ")]
    assert len(lines) > 25
    assert not [line for line in lines if "#" not in line]


def test_what_the_file_leaves_out_is_as_before() -> None:
    rules = read_rules(b"recall: {floor: 0.3}", "gates.yaml")
    assert rules.recall.floor == 0.3
    assert rules.quality == Rules().quality
    assert read_rules(b"\n", "gates.yaml") == Rules()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("recall: {floor: 1.2}", r"gates.yaml: recall.floor: expected `float` <= 1"),
        ("quality: {auc: 0.3}", r"gates.yaml: quality.auc: expected `float` >= 0.5"),
        ("no_degradation: {resamples: 20}", r"no_degradation.resamples: expected `int` >= 200"),
        ("scorer: {one_row: 0}", r"scorer.one_row: expected `float` > 0"),
        ("leak: {alone: high}", r"leak.alone: expected `float`, got `str`"),
        ("fairness: {segments: region}", r"fairness.segments: expected `array`, got `str`"),
        ("fairness: {regions: [north]}", r"fairness: object contains unknown field `regions`"),
        ("recal: {floor: 0.2}", r"gates.yaml: object contains unknown field `recal`"),
        ("- 1", r"gates.yaml: expected `object`, got `array`"),
        ("recall: {floor", r"gates.yaml: not YAML"),
    ],
)
def test_a_threshold_outside_its_range_is_named(text: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        read_rules(text.encode(), "gates.yaml")


def test_a_rules_file_that_was_asked_for_must_be_there_and_the_usual_one_need_not(tmp_path: Path) -> None:
    assert rules_from(None, tmp_path / "gates.yaml") == Rules()
    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        rules_from(tmp_path / "mine.yaml", tmp_path / "gates.yaml")


def test_thresholds_are_named_by_a_digest_that_changes_with_them() -> None:
    assert Rules().digest == Rules().digest != read_rules(b"recall: {floor: 0.3}", "-").digest
