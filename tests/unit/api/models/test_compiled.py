"""Which scorer answers: the compiled form where it is right, otherwise the model itself, and why is said."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import Pipeline

from api.errors import ScoringFailed
from api.models.served import Served, prepare, score_each
from api.models.version import ModelVersion
from api.predicting.predictor import Predictor
from api.telemetry import Telemetry
from contracts.compiled import Compiled, Linear, Sample
from contracts.schema import Feature, FeatureSchema
from tests.builders import NOON, NOON_MS, a_baseline, a_fitted_pipeline, reference_columns
from tests.compiled import a_compiled
from tests.serving import FUTURE, a_served, an_outbox
from training.compiled.export import export

SCHEMA = FeatureSchema((Feature("distance", "numeric"), Feature("seats", "numeric"), Feature("carrier", "categorical")))
PIPELINE = a_fitted_pipeline(SCHEMA)
FRAME = pd.DataFrame(reference_columns(SCHEMA, 100)).astype({"carrier": "str"})


def a_form(estimator: Any = PIPELINE, model: str = "flights") -> Compiled:
    form = export(estimator, SCHEMA, FRAME, model=model, version="1", seed=0).compiled
    assert form is not None
    return form


FORM = a_form()


def changed(form: Compiled = FORM, **fields: Any) -> bytes:
    return msgspec.structs.replace(form, **fields).to_bytes()


def served(compiled: bytes | None, estimator: Any = PIPELINE) -> Served:
    return prepare(ModelVersion("flights", "1", a_baseline(schema=SCHEMA), estimator, compiled=compiled), NOON, FUTURE)


def rows(made: Served) -> list[msgspec.Struct]:
    values = zip(*(FRAME[name] for name in SCHEMA.names), strict=True)
    return [made.reader.features_type(**{f"f{i}": value for i, value in enumerate(row)}) for row in values]


def test_a_version_with_a_right_compiled_form_is_scored_by_it() -> None:
    made = served(FORM.to_bytes())
    assert made.scorer.kind == "compiled-linear"
    assert made.scorer_note.endswith("of the model's own scores on 256 rows")
    np.testing.assert_allclose(made.scorer.score(rows(made)), PIPELINE.predict_proba(FRAME)[:, 1], rtol=0, atol=1e-15)


def test_a_version_without_one_is_scored_by_the_model_and_that_is_said() -> None:
    made = served(None)
    assert (made.scorer.kind, made.scorer_note) == ("predict_proba", "the version has no compiled.msgpack")


def skewed(by: float) -> bytes:
    """The compiled form with another intercept."""
    function = FORM.function
    assert isinstance(function, Linear)
    return changed(function=Linear(function.coefficients, function.intercept + by))


def test_a_form_that_differs_by_a_millionth_is_not_used_and_one_that_differs_by_less_is() -> None:
    assert served(skewed(1e-7)).scorer.kind == "compiled-linear"
    made = served(skewed(1e-4))
    assert made.scorer.kind == "predict_proba"
    assert "compiled.msgpack is not used: on its sample it differs by up to" in made.scorer_note


def test_a_form_of_another_model_is_not_used_although_it_agrees_with_its_own_sample() -> None:
    other = a_fitted_pipeline(SCHEMA, seed=1)
    made = served(a_form(other).to_bytes())
    assert made.scorer.kind == "predict_proba"
    assert "differs by up to" in made.scorer_note
    assert "from the stored scores and by" in made.scorer_note


@pytest.mark.parametrize(
    ("compiled", "why"),
    [
        (b"not it", "not a compiled model"),
        (a_form(model="trains").to_bytes(), "it is that of trains/1"),
        (changed(features=("seats", "distance", "carrier")), "its features are not those"),
        (a_compiled().to_bytes(), "differs by up to"),
        (a_compiled(blocks=()).to_bytes(), "0 columns"),
        (changed(sample=Sample((("text", 1.0, "a"),), (0.5,))), "its sample cannot be scored: "),
        (changed(v=2), "format 2"),
    ],
    ids=["bytes", "key", "features", "scores", "blocks", "sample", "format"],
)
def test_whatever_is_wrong_with_a_form_the_model_itself_answers(compiled: bytes, why: str) -> None:
    made = served(compiled)
    assert made.scorer.kind == "predict_proba"
    assert why in made.scorer_note
    assert len(made.scorer.score(rows(made))) == len(FRAME)


def forest() -> Any:
    preparation = a_fitted_pipeline(SCHEMA)["prepare"]
    made = Pipeline([("prepare", preparation), ("model", RandomForestClassifier(5, random_state=0))])
    return made.fit(FRAME, FRAME["distance"] > 100)


def test_trees_without_onnxruntime_are_scored_by_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    model = forest()
    form = a_form(model).to_bytes()
    assert served(form, model).scorer.kind == "compiled-trees"
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # as if it were not installed: importing it fails
    made = served(form, model)
    assert (made.scorer.kind, made.scorer_note) == (
        "predict_proba",
        "compiled.msgpack is not used: onnxruntime is not installed",
    )


def test_a_row_that_the_model_would_refuse_costs_its_neighbours_nothing() -> None:
    model = forest()
    made = served(a_form(model).to_bytes(), model)
    too_large = made.reader.features_type(f0=1e300, f1=1.0, f2="a")
    good = rows(made)[:3]
    found = score_each(made.scorer, [*good, too_large, *good])
    assert [isinstance(score, ScoringFailed) for score in found] == [False] * 3 + [True] + [False] * 3
    assert found[:3] == model.predict_proba(FRAME.head(3))[:, 1].tolist() == found[4:]


def test_the_gauge_says_whether_the_champion_is_compiled(tmp_path: Path) -> None:
    telemetry = Telemetry()
    predictor = Predictor(an_outbox(tmp_path), telemetry, source="a", epoch=NOON_MS, rows=8, sign=str, now=lambda: NOON)
    for version, value in ((served(FORM.to_bytes()), 1.0), (a_served(), 0.0)):
        predictor.swap(version)
        assert telemetry.registry.get_sample_value("tidemark_api_compiled_scorer") == value
