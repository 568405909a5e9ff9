from typing import Any

import msgspec

from api.routing.conversion import Conversion
from contracts.schema import Feature, FeatureSchema


def schema(*features: Feature) -> FeatureSchema:
    return FeatureSchema(features)


def converted(source: FeatureSchema, target: FeatureSchema, **values: Any) -> dict[str, Any] | None:
    """A row of these values, by their names; None where it cannot be converted."""
    row = msgspec.convert(values, source.features_type(strict=True))
    (found,) = Conversion(source, target, target.features_type(strict=True)).rows([row])
    return None if found is None else msgspec.to_builtins(found)


A, B, C = Feature("a", "numeric"), Feature("b", "numeric"), Feature("c", "categorical")


def test_rows_of_one_schema_are_taken_as_they_are():
    assert converted(schema(A, C), schema(A, C), a=1.5, c="x") == {"a": 1.5, "c": "x"}


def test_features_go_to_their_names_whatever_their_order():
    assert converted(schema(A, C), schema(C, A), a=1.5, c="x") == {"c": "x", "a": 1.5}


def test_what_the_other_version_does_not_know_is_dropped_and_what_it_may_miss_is_missing():
    assert converted(schema(A, C), schema(B, A), a=1.5, c="x") == {"b": None, "a": 1.5}


def test_a_row_without_what_the_other_version_needs_is_not_converted():
    needed = Feature("a", "numeric", nullable=False)

    assert converted(schema(A, C), schema(needed), a=None, c="x") is None
    assert converted(schema(A, C), schema(needed), a=2.0, c="x") == {"a": 2.0}


def test_schemas_that_no_row_can_bridge_are_told_and_convert_nothing():
    needed = Feature("d", "numeric", nullable=False)
    conversion = Conversion(schema(A, C), schema(Feature("c", "numeric"), needed), object)  # type: ignore[arg-type]

    assert conversion.wrong == "'c' is numeric, in requests it is categorical; 'd' is needed, and no request has it"
    assert converted(schema(A, C), schema(needed), a=1.0, c="x") is None
