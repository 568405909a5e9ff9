"""What a request may look like, and what is said about one that does not."""

import json
import math
from datetime import timedelta

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import FieldError, InvalidRequest, RequestRefused, Unreadable
from api.requests.schemas import RequestReader, encode_answer, example_features, model_info, request_schemas
from contracts.schema import Feature, FeatureSchema
from tests.builders import NOON, a_baseline, an_event
from tests.serving import FUTURE

SCHEMA = FeatureSchema(
    (
        Feature("distance", "numeric", nullable=False),
        Feature("dep delay", "numeric"),
        Feature("carrier", "categorical"),
        Feature("a/b~c", "boolean"),
    )
)
READER = RequestReader(SCHEMA, FUTURE)
GOOD = {"distance": 1.5, "dep delay": None, "carrier": "AA", "a/b~c": True}


def refused(body: bytes | dict) -> RequestRefused:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(RequestRefused) as caught:
        READER.read(data, NOON)
    return caught.value


def fault(features: dict | None = None, **fields: object) -> FieldError:
    """The one thing wrong with a request that is good but for this."""
    error = refused({"features": GOOD if features is None else features, **fields})
    (found,) = error.errors
    assert error.category == found.category
    return found


def test_a_request_is_read_into_the_schemas_order():
    request = READER.read(json.dumps({"features": GOOD, "entity_id": "N1"}).encode(), NOON)

    assert msgspec.structs.astuple(request.features) == (1.5, None, "AA", True)
    assert request.entity_id == "N1"
    assert request.event_time is None


def test_nullable_features_may_be_left_out():
    request = READER.read(b'{"features": {"distance": 3}}', NOON)

    assert msgspec.structs.astuple(request.features) == (3.0, None, None, None)


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ({"distance": "1"}, FieldError("/features/distance", "must be a number, without quotes", "wrong-type")),
        ({"distance": True}, FieldError("/features/distance", "must be a number", "wrong-type")),
        ({"distance": None}, FieldError("/features/distance", "may not be null: send a number", "wrong-type")),
        ({"dep delay": []}, FieldError("/features/dep delay", "must be a number or null", "wrong-type")),
        ({"carrier": 7}, FieldError("/features/carrier", "must be a text or null", "wrong-type")),
        (
            {"a/b~c": "true"},
            FieldError("/features/a~1b~0c", "must be true or false or null, without quotes", "wrong-type"),
        ),
        ({"a/b~c": 1}, FieldError("/features/a~1b~0c", "must be true or false or null", "wrong-type")),
        (
            {"distanc": 1},
            FieldError("/features/distanc", "unknown feature: leave it out; did you mean distance?", "unknown-field"),
        ),
        ({"zzz": 1}, FieldError("/features/zzz", "unknown feature: leave it out", "unknown-field")),
    ],
)
def test_a_wrong_feature_is_named_with_the_fix(features: dict, expected: FieldError):
    assert fault({**GOOD, **features}) == expected


def test_a_missing_feature_is_named_with_its_type():
    expected = FieldError("/features/distance", "is missing and has no default: add a number", "missing-field")

    assert fault({"carrier": "AA"}) == expected


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "9" * 310, "9" * 5000])
def test_a_number_that_json_or_a_float_cannot_hold_is_named(number: str):
    error = refused(b'{"features": {"distance": 1, "dep delay": %s}}' % number.encode())

    assert error.errors == (
        FieldError(
            "/features/dep delay", "NaN, Infinity and numbers out of range are not JSON: send null", "non-finite"
        ),
    )


@pytest.mark.parametrize(
    ("time", "detail"),
    [
        ("2026-01-01T12:00:00", "has no time zone: add Z, or an offset such as +02:00"),
        ("yesterday", "must be an RFC 3339 time with a zone, such as 2026-01-31T12:00:00Z"),
        (1767268800, "must be an RFC 3339 time with a zone, such as 2026-01-31T12:00:00Z"),
        ("1969-12-31T23:59:59Z", "is before 1970 or after 2027-01-02: check the clock or the unit of the sender"),
        ("58000-01-01T00:00:00Z", "must be an RFC 3339 time with a zone, such as 2026-01-31T12:00:00Z"),
        ("9999-12-31T23:59:59-10:00", "is before 1970 or after 2027-01-02: check the clock or the unit of the sender"),
        ("0001-01-01T00:00:00+10:00", "is before 1970 or after 2027-01-02: check the clock or the unit of the sender"),
    ],
)
def test_a_wrong_event_time_is_told_how_to_be_right(time: object, detail: str):
    assert fault(event_time=time) == FieldError("/event_time", detail, "event-time")


@pytest.mark.parametrize("time", ["2026-01-01T12:00:00Z", "2026-01-01T13:00:00.123+01:00", "1970-01-01T00:00:00Z"])
def test_event_times_with_a_zone_are_taken(time: str):
    READER.read(json.dumps({"features": GOOD, "event_time": time}).encode(), NOON)


def test_an_event_time_may_be_ahead_of_the_clock_by_the_setting_and_no_more():
    ahead = (NOON + FUTURE).isoformat()
    assert READER.read(json.dumps({"features": GOOD, "event_time": ahead}).encode(), NOON).event_time == NOON + FUTURE

    later = (NOON + FUTURE + timedelta(seconds=1)).isoformat()
    assert fault(event_time=later).category == "event-time"


@pytest.mark.parametrize("entity", ["", "x" * 201, 7, ["a"]])
def test_a_wrong_entity_is_named(entity: object):
    assert fault(entity_id=entity).pointer == "/entity_id"


@pytest.mark.parametrize(
    ("body", "category", "detail"),
    [
        (b"", "not-json", "The body is not JSON: Expecting value at character 0."),
        (b"{", "not-json", "The body is not JSON: Expecting property name enclosed in double quotes at character 1."),
        (b'{"features": {}} x', "not-json", "The body is not JSON: Extra data at character 17."),
        (b'{"features": {"carrier": "\xff"}}', "not-utf-8", "The body is not UTF-8: byte 26 is wrong. Send UTF-8."),
        (b"[" * 100_000, "not-json", "The body is nested too deeply. A request has two levels."),
    ],
)
def test_a_body_that_is_not_json_is_unreadable(body: bytes, category: str, detail: str):
    error = refused(body)

    assert isinstance(error, Unreadable)
    assert (error.category, str(error), error.errors) == (category, detail, ())


@pytest.mark.parametrize(
    ("body", "pointer"),
    [(b"[1]", ""), (b"null", ""), (b'"x"', ""), (b"{}", "/features"), (b'{"features": [1]}', "/features")],
)
def test_json_of_another_shape_is_told_which_shape_it_should_have(body: bytes, pointer: str):
    error = refused(body)

    assert isinstance(error, InvalidRequest)
    assert [found.pointer for found in error.errors] == [pointer]


def test_half_a_character_is_no_text():
    assert refused(b'{"features": {"distance": 1, "carrier": "\\ud800"}}').errors[0].pointer == "/features/carrier"


def test_all_faults_are_told_at_once_and_a_flood_is_cut():
    several = refused({"entity_id": "", "x": 1, "features": {"distance": "1", "y": 2}})
    assert [found.pointer for found in several.errors] == ["/x", "/entity_id", "/features/y", "/features/distance"]

    assert len(refused({"features": {f"unknown {n}": n for n in range(500)}}).errors) == 20


def test_values_are_never_repeated():
    error = refused({"entity_id": ["secret"], "event_time": "secret", "features": {**GOOD, "distance": "secret"}})

    assert "secret" not in str(error) + str(error.errors)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
names = st.sampled_from(["distance", "dep delay", "carrier", "a/b~c", "other"])


@given(
    st.fixed_dictionaries(
        {"features": st.dictionaries(names, anything, max_size=5)},
        optional={"entity_id": anything, "event_time": anything | st.datetimes().map(str), "more": anything},
    )
    | anything
)
def test_the_slow_reading_agrees_with_the_fast_one(data: object):
    """Whatever the decoder refuses has a named fault of its own; the decoder's words are only the last resort."""
    body = json.dumps(data).encode()
    try:
        request = READER.read(body, NOON)
    except InvalidRequest as error:
        details = [found.detail for found in error.errors]
    else:
        first = msgspec.structs.astuple(request.features)[0]
        assert isinstance(first, float)
        assert math.isfinite(first)
        return
    assert details
    assert not any("$" in detail or "`" in detail for detail in details)


def test_the_example_of_the_page_can_be_sent_as_it_is():
    baseline = a_baseline()
    reader = RequestReader(baseline.schema, FUTURE)
    schemas = request_schemas(reader, baseline)
    example = schemas["PredictionRequest"]["example"]

    jsonschema.validate(example, {**schemas["PredictionRequest"], "components": {"schemas": schemas}})
    read = reader.read(json.dumps(example).encode(), NOON)
    assert (read.entity_id, read.event_time) == ("example", None)  # a time of then would be a late event now


def test_the_example_is_a_usual_row_of_the_reference():
    row = example_features(a_baseline())

    assert row["carrier"] == "a"
    assert row["distance"] == pytest.approx(100, abs=1)
    assert row["seats"] == pytest.approx(110, abs=1)


def test_the_schema_of_the_request_names_the_features_and_refuses_others():
    schemas = request_schemas(READER, a_baseline(schema=SCHEMA))

    features = schemas["Features"]
    assert set(features["properties"]) == {"distance", "dep delay", "carrier", "a/b~c"}
    assert features["required"] == ["distance"]
    assert features["additionalProperties"] is False


def test_the_answer_is_the_event_without_its_features_and_with_its_receipt():
    event = an_event(score=0.25, decision=False)

    assert json.loads(encode_answer(event, "receipt of it")) == {
        "prediction_id": event.id,
        "score": 0.25,
        "decision": False,
        "model": "flights",
        "model_version": "1",
        "event_time": "2026-01-01T12:00:00Z",
        "role": "champion",
        "receipt": "receipt of it",
    }


def test_what_is_told_of_a_model_calls_the_rows_of_its_reference_so():
    """It is fitted to other rows than these: no field says how many."""
    told = msgspec.to_builtins(model_info(a_baseline(rows=1_234), "champion", "constant", NOON, cached=False))

    assert told["baseline_rows"] == 1_234
    assert "trained_rows" not in told
