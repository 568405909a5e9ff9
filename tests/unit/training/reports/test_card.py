"""The model card: everything that is on record is on it, and what nobody said is said to be missing."""

from __future__ import annotations

import msgspec
import pytest

from tests.builders import a_baseline, a_schema
from tests.gated import an_evaluation, evidence, report_of
from training.configuration.config import Config
from training.configuration.presentation import Card
from training.evaluation.measures import measure
from training.evaluation.record import Costs, Evaluation
from training.gate import Override
from training.reports.card import METRICS, Known, model_card

CONFIG = Config(
    model="flights",
    data=".",
    card=Card(purpose="Tell late\n  flights.", owner="ops | night", limitations=("One year only.",)),
)


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    made = evidence()
    metrics = measure(made.labels, made.scores, 0.5, Costs(false_negative=5.0))
    return an_evaluation(
        made.labels,
        made.scores,
        metrics=metrics,
        costs=Costs(false_negative=5.0),
        config=msgspec.json.encode(CONFIG).decode(),
        importance={"distance": 0.2, "seats": -0.001},
        environment={"numpy": "2.4"},
        warnings=("label: few",),
    )


@pytest.fixture(scope="module")
def page(evaluation: Evaluation) -> str:
    return model_card(Known(evaluation, a_baseline(version="2", schema=a_schema())))


def test_a_card_has_what_a_person_said(page: str) -> None:
    assert "- Purpose: Tell late flights." in page
    assert "- Owner: ops | night" in page
    assert "- One year only." in page
    assert "not stated" not in page


def test_what_nobody_said_is_said_to_be_missing(evaluation: Evaluation) -> None:
    bare = msgspec.structs.replace(evaluation, config="")
    page = model_card(Known(bare, a_baseline(version="2", schema=a_schema())))
    assert page.count("_not stated: fill in `card` in training.yaml_") == 3


def test_a_card_has_every_metric_of_the_test_rows(page: str, evaluation: Evaluation) -> None:
    assert set(METRICS) == set(evaluation.metrics)
    for name in METRICS:
        assert f"| {name} | {evaluation.metrics[name]:.4f} |" in page


def test_a_card_has_the_lineage(page: str, evaluation: Evaluation) -> None:
    for text in (evaluation.data_digest, evaluation.scores_digest, evaluation.code_revision, "numpy 2.4"):
        assert text in page
    assert "python -m training reproduce 2 --model flights" in page


def test_a_card_says_what_the_model_goes_by_and_what_was_warned_of(page: str) -> None:
    assert "| distance | +0.2000 |" in page
    assert "Warning: label: few." in page
    assert "false negative 5" in page


def test_a_card_without_gates_says_how_to_ask_them(page: str) -> None:
    assert "Not asked yet: `python -m training gate VERSION`" in page


def test_a_card_has_every_gate_and_every_override(evaluation: Evaluation) -> None:
    report = report_of(evidence())
    override = Override("recall", "sales | asked", "me", report.at)
    kept = msgspec.structs.replace(report, overrides=(override,))
    page = model_card(Known(evaluation, a_baseline(version="2", schema=a_schema()), kept))
    for finding in report.findings:
        assert f"| {finding.gate} | {finding.status} |" in page
    assert "override of recall by me" in page
    assert "sales | asked" in page


def test_tables_hold_whatever_the_text_is(evaluation: Evaluation) -> None:
    """As many cells in each row as in the head."""
    odd = msgspec.structs.replace(evaluation, params={"a|b": "c\nd"})
    page = model_card(Known(odd, a_baseline(version="2", schema=a_schema())))
    width = 0
    for line in page.splitlines():
        cells = line.replace("\\|", "").count("|")
        width = (width or cells) if line.startswith("|") else 0
        assert not line.startswith("|") or cells == width, line
