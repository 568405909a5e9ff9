"""training.yaml: what is wrong is said by the field's path, before anything is read or fitted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from training.configuration.config import Config, Search, Span, read_config
from training.errors import ConfigError

_REPOSITORY = Path(__file__).parents[4]


def read(folder: Path, text: str) -> Config:
    file = folder / "training.yaml"
    file.write_text(text)
    return read_config(file)


def test_what_is_not_said_has_its_default(tmp_path: Path) -> None:
    assert read(tmp_path, "model: loans\ndata: here\n") == Config(model="loans", data="here")


def test_the_example_shows_every_field_and_is_read() -> None:
    file = _REPOSITORY / "training.yaml"
    shown: dict[str, Any] = msgspec.yaml.decode(file.read_bytes())
    assert set(shown) == set(Config.__struct_fields__)
    assert set(shown["search"]) == set(Search.__struct_fields__)
    config = read_config(file)
    assert config.search is not None
    assert config.search.candidates == 27


def test_a_span_is_told_from_a_list(tmp_path: Path) -> None:
    config = read(tmp_path, "model: m\ndata: d\nsearch: {space: {a: [1, 2.5, x, null], b: {low: 1, high: 3}}}")
    assert config.search is not None
    assert config.search.space == {"a": (1, 2.5, "x", None), "b": Span(low=1, high=3)}


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("splits: {}", "unknown field `splits`"),
        ("calibrate: none", "unknown field `calibrate`: did you mean calibration? there are model, data, seed"),
        ("split: {zzz: 1}", "split: object contains unknown field `zzz`: there are by, validation, test, train_only"),
        ("search: {spaces: {}}", "unknown field `spaces`: did you mean space? there are space, candidates"),
        ("checks: {ranges: {age: {minimal: 1}}}", "`minimal`: did you mean minimum? there are minimum, maximum"),
        ("split: {by: month}", "split.by: invalid enum value 'month'"),
        ("split: {test: 0}", "split: test is 0"),
        ("split: {test: 0.5, validation: 0.5}", "split: validation and test are 1 of the rows"),
        ("seed: -1", "seed is -1"),
        ("seed: one", "seed: expected `int`"),
        ("folds: 1", "folds is 1"),
        ("jobs: 100", "jobs is 100"),
        ("alias: latest", "alias 'latest'"),
        ("alias: v3", "alias 'v3'"),
        ("alias: a b", "alias 'a b'"),
        ("calibration: platt", "calibration: invalid enum value 'platt'"),
        ("threshold: {rule: precision}", "threshold: target is None"),
        ("threshold: {rule: precision, target: 1.5}", "threshold: target is 1.5"),
        ("threshold: {rule: fixed, value: 7}", "threshold: value is 7"),
        ("threshold: {rule: cost, value: 0.5}", "target goes with rule precision"),
        ("costs: {false_alarm: 1}", "costs: object contains unknown field `false_alarm`"),
        ("search: {space: {}}", "search: space is empty"),
        ("search: {space: {c: []}}", "search: space.c: no value to try"),
        ("search: {space: {c: {low: 2, high: 1}}}", "search: space.c: low 2 must be below high 1"),
        ("search: {space: {c: {low: 0, high: 1, log: true}}}", "search: space.c: low 0 has no logarithm"),
        ("search: {space: {c: [1]}, candidates: 1}", "search: candidates is 1"),
        ("search: {space: {c: [1]}, folds: 1}", "search: folds is 1"),
        ("checks: {ranges: {income: {minimum: 3, maximum: 2}}}", "checks: ranges.income: minimum 3 is above maximum 2"),
        ("checks: {duplicates: 2}", "checks: duplicates is 2"),
        ("checks: {leakage_auc: 0.5}", "checks: leakage_auc is 0.5"),
        ("estimator: hgb", "estimator: expected `object`"),
    ],
)
def test_a_wrong_field_is_named(tmp_path: Path, lines: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, f"model: m\ndata: d\n{lines}\n")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("data: d", "missing required field `model`"),
        ("model: a/b\ndata: d", "model 'a/b'"),
        ("model: ' m'\ndata: d", "model ' m'"),
        ("model: ''\ndata: d", "model is empty"),
        ("model: [", "not YAML"),
        ("- 1", "expected `object`"),
        ("", "missing required field"),
    ],
)
def test_a_file_that_is_no_training_is_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert says in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--config .*nowhere\.yaml: No such file"):
        read_config(tmp_path / "nowhere.yaml")
