"""The desk: from a version's files to an answer, by the best way that they allow."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from api.explaining.answer import Explanation
from api.explaining.attribution import choose
from api.explaining.desk import Desk
from api.explaining.messages import Question, Reply, Version
from contracts.compiled import Compiled, Forest, Isotonic, Linear, Sigmoid
from contracts.compiled_scorer import CompiledScorer
from tests.purchases import KINDS, ROWS, SCHEMA, a_folder, baseline, compiled

form_of = cache(compiled)


def before_explanations(form: Compiled) -> Compiled:
    """As a training from before them wrote it."""
    function = form.function
    if isinstance(function, Forest):
        return replace(form, function=replace(function, trees=replace(function.trees, cover=b"")))
    return replace(form, function=replace(function, means=()))


def asked(directory: Path, form: Compiled, row: Any = ROWS[0], top: int = 3) -> Reply:
    folder = a_folder(directory / "files", form)
    return Desk().answer(Question(Version("purchases/1", str(folder), True), row, top))


def explained(directory: Path, form: Compiled, row: Any = ROWS[0], top: int = 3) -> Explanation:
    reply = asked(directory, form, row, top)
    assert reply.outcome == "answer", reply
    return msgspec.json.decode(reply.body, type=Explanation)


def logit(score: float) -> float:
    return float(np.log(score / (1 - score)))


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("kind", KINDS)
def test_base_and_contributions_add_up_to_the_link_of_the_score_that_predict_gives(
    tmp_path: Path, kind: str, row: Any
) -> None:
    form = form_of(kind)
    found = explained(tmp_path, form, row)
    assert found.score == CompiledScorer(form).score([row]).tolist()[0]
    linked = logit(found.score) if found.link == "logit" else found.score
    total = found.base_value + sum(each.contribution for each in found.contributions)
    assert total == pytest.approx(linked, abs=1e-9)
    assert found.total == pytest.approx(linked, abs=1e-9)


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("kind", KINDS)
def test_contributions_to_a_calibrated_score_add_up_to_its_log_odds(tmp_path: Path, kind: str, row: Any) -> None:
    form = replace(form_of(kind), calibration=Sigmoid(1.5, -0.25))
    found = explained(tmp_path, form, row)
    assert found.score == CompiledScorer(form).score([row]).tolist()[0]
    total = found.base_value + sum(each.contribution for each in found.contributions)
    assert found.link == "logit"
    assert total == pytest.approx(logit(found.score), abs=1e-9)


def test_a_score_that_is_calibrated_in_steps_is_explained_by_sampling_and_says_so(tmp_path: Path) -> None:
    form = replace(form_of("hgb"), calibration=Isotonic((-4.0, 4.0), (0.05, 0.95)))
    found = explained(tmp_path, form)
    assert (found.method, found.link) == ("permutation", "identity")
    assert found.total == pytest.approx(CompiledScorer(form).score([ROWS[0]]).tolist()[0], abs=1e-9)
    assert "calibrated in steps" in found.compared_with


@pytest.mark.parametrize(
    ("kind", "method", "link"),
    [("hgb", "tree_shap", "logit"), ("forest", "tree_shap", "identity"), ("logistic", "linear_shap", "logit")],
)
def test_an_answer_says_how_it_was_found_and_has_every_feature_once_largest_first(
    tmp_path: Path, kind: str, method: str, link: str
) -> None:
    found = explained(tmp_path, form_of(kind), top=2)
    assert (found.method, found.link, found.model, found.model_version) == (method, link, "purchases", "1")
    assert sorted(each.feature for each in found.contributions) == sorted(SCHEMA.names)
    sizes = [abs(each.contribution) for each in found.contributions]
    assert sizes == sorted(sizes, reverse=True)
    assert {each.feature: each.value for each in found.contributions} == dict(zip(SCHEMA.names, ROWS[0], strict=True))
    assert len(found.reasons) == 2
    assert found.reasons[0].startswith("amount = 912.3")
    assert found.compared_with


@pytest.mark.parametrize("kind", KINDS)
def test_a_compiled_form_from_before_explanations_is_explained_by_sampling_and_says_so(
    tmp_path: Path, kind: str
) -> None:
    form = before_explanations(form_of(kind))
    assert b"\xa5cover" not in form.to_bytes()
    assert b"\xa5means" not in form.to_bytes()
    found = explained(tmp_path, form)
    assert (found.method, found.link) == ("permutation", "identity")
    assert found.total == pytest.approx(found.score, abs=1e-9)
    assert all(each.standard_error is not None for each in found.contributions)
    assert found.base_standard_error is not None
    assert "from before explanations" in found.compared_with


def test_files_written_by_this_training_carry_covers_and_means() -> None:
    trees = form_of("hgb").function
    assert isinstance(trees, Forest)
    arrays = trees.trees.arrays(100)
    assert arrays.cover[arrays.roots].tolist() == [1500.0] * len(arrays.roots)
    linear = form_of("logistic").function
    assert isinstance(linear, Linear)
    assert np.abs(linear.means[:2]).max() < 1e-9  # of standardised columns


def test_sampling_is_the_same_each_time_and_near_the_exact_values(tmp_path: Path) -> None:
    """The forest's own unit is the score, so that the two can be compared; what they compare with differs a little."""
    exact = {each.feature: each.contribution for each in explained(tmp_path, form_of("forest"), ROWS[1]).contributions}
    form = before_explanations(form_of("forest"))
    one = choose(baseline(), form, own).explain(ROWS[1])
    other = choose(baseline(), form, own).explain(ROWS[1])
    assert one.contributions.tolist() == other.contributions.tolist()
    near = np.array([exact[name] for name in SCHEMA.names])
    assert np.abs(one.contributions - near).max() < 0.05


def own() -> Any:
    raise AssertionError("the model itself is not needed")


def test_a_row_that_the_model_refuses_is_told_and_the_next_one_is_answered(tmp_path: Path) -> None:
    folder = a_folder(tmp_path / "files", form_of("forest"))
    desk, version = Desk(), Version("purchases/1", str(folder), True)
    refused = desk.answer(Question(version, (1e300, 1.0, True, "toys", "at"), 3))
    assert (refused.outcome, b"too large" in refused.body) == ("failed", True)
    assert desk.answer(Question(version, ROWS[0], 3)).outcome == "answer"


@pytest.mark.parametrize("broken", ["no folder", "no compiled form", "not a compiled form", "not a baseline"])
def test_files_that_cannot_be_read_are_told_and_may_be_there_the_next_time(tmp_path: Path, broken: str) -> None:
    folder = a_folder(tmp_path / "files", form_of("hgb"))
    if broken == "no folder":
        folder.rename(tmp_path / "away")
    elif broken == "no compiled form":
        (folder / "compiled.msgpack").unlink()
    else:
        (folder / ("compiled.msgpack" if "compiled" in broken else "baseline.json")).write_bytes(b"garbage")
    desk, question = Desk(), Question(Version("purchases/1", str(folder), True), ROWS[0], 3)
    assert desk.answer(question).outcome == "gone"
    right = a_folder(tmp_path / "right", form_of("hgb"))
    assert desk.answer(Question(Version("purchases/1", str(right), True))) == Reply("loaded")


def test_another_version_is_loaded_when_it_is_asked_about(tmp_path: Path) -> None:
    one = a_folder(tmp_path / "one", form_of("hgb"))
    two = a_folder(tmp_path / "two", replace(form_of("logistic"), version="2"), "2")
    desk = Desk()
    for key, folder in (("purchases/1", one), ("purchases/2", two), ("purchases/1", one)):
        reply = desk.answer(Question(Version(key, str(folder), True), ROWS[0], 3))
        assert json.loads(reply.body)["model_version"] == key[-1]
