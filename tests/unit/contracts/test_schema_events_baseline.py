"""Schema, events and baseline: typed decoding, errors that name the field, ids that tell ours from foreign ones."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.baseline import Baseline, Reference
from contracts.errors import InvalidBaseline, InvalidEvent, InvalidSchema
from contracts.events import (
    EventId,
    decode_envelope,
    decode_event,
    encode_event,
    event_decoder,
    event_time_ms,
    parse_id,
    version_decoder,
)
from contracts.schema import Feature, FeatureSchema
from contracts.topics import TOPICS
from tests.builders import NOON, NOON_MS, a_baseline, a_schema, an_event, an_event_id


def test_a_feature_may_have_any_name_and_decodes_by_it() -> None:
    schema = FeatureSchema(
        (Feature("class", "numeric"), Feature("dep delay", "boolean"), Feature("größe", "categorical"))
    )
    event = an_event(features={"größe": "XL", "class": 3, "dep delay": True})
    decoded = event_decoder(schema).decode(encode_event(event))
    assert msgspec.structs.astuple(decoded.features) == (3.0, True, "XL")


@given(st.text(min_size=1, max_size=5))
def test_every_name_that_a_schema_takes_can_be_decoded(name: str) -> None:
    try:
        schema = FeatureSchema((Feature(name, "numeric"),))
    except InvalidSchema:
        return
    decoded = event_decoder(schema).decode(encode_event(an_event(features={name: 3})))
    assert msgspec.structs.astuple(decoded.features) == (3.0,)


@given(st.text(), st.text(), st.text(), st.text())
def test_the_decoder_of_a_version_reads_its_events_and_no_others(
    model: str, version: str, other: str, next_: str
) -> None:
    decode = version_decoder(a_schema(), model, version).decode
    mine = encode_event(an_event(model=model, model_version=version))
    found, plainly = decode(mine), event_decoder(a_schema()).decode(mine)
    assert [str(value) for value in msgspec.structs.asdict(found).values()] == [
        str(value) for value in msgspec.structs.asdict(plainly).values()
    ]
    if (other, next_) != (model, version):
        with pytest.raises(msgspec.ValidationError):
            decode(encode_event(an_event(model=other, model_version=next_)))


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ((), "no features"),
        ((Feature("", "numeric"),), "empty name"),
        ((Feature("a", "numeric"), Feature("a", "numeric")), "'a' appears twice"),
        ((Feature("prediction:score", "numeric"),), "reserved"),
        *(((Feature(f"a{sign}b", "numeric"),), "cannot hold") for sign in ('"', "\\", "\n", "\0", "\ud800")),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused_by_name(features: tuple[Feature, ...], message: str) -> None:
    with pytest.raises(InvalidSchema, match=message):
        FeatureSchema(features)


def test_a_request_must_hold_what_is_not_nullable_and_nothing_unknown() -> None:
    schema = FeatureSchema((Feature("a", "numeric"), Feature("b", "numeric", nullable=False)))
    decode = msgspec.json.Decoder(schema.features_type(strict=True)).decode
    assert msgspec.structs.astuple(decode(b'{"b": 1}')) == (None, 1.0)
    for bad, named in ((b'{"a": 1}', "`b`"), (b'{"b": null}', "$.b"), (b'{"b": 1, "c": 2}', "`c`")):
        with pytest.raises(msgspec.ValidationError, match=named.replace("$", r"\$")):
            decode(bad)


@given(st.text(min_size=1, max_size=30), st.integers(0, 2**48 - 1), st.integers(0, 2**40 - 1))
def test_our_ids_are_read_back(source: str, epoch: int, sequence: int) -> None:
    ours = EventId(source.replace("\n", " "), epoch, sequence)
    assert parse_id(str(ours)) == ours


@given(st.uuids())
def test_a_uuid_is_a_foreign_id(foreign: uuid.UUID) -> None:
    assert parse_id(str(foreign)) is None


def test_an_id_with_a_newline_behind_it_is_a_foreign_one() -> None:
    assert parse_id(f"{an_event_id()}\n") is None


@pytest.mark.parametrize(
    ("data", "reason", "detail"),
    [
        (b"not json", "malformed", "invalid character"),
        (b"[]", "malformed", "object"),
        (b"\xff\xfe", "malformed", "malformed"),
        (b"", "malformed", "truncated|malformed"),
        (encode_event(an_event()).replace(b'"id":"', b'"id":' + b"[" * 100_000), "malformed", "deep|str"),
        (encode_event(an_event(features={"x": "@"})).replace(b'"@"', b"[" * 100_000), "malformed", "deep|float"),
        (b"[" * 100_000, "malformed", "object|deep"),
        (encode_event(an_event()).replace(b'"score":0.25', b'"score":"high"'), "malformed", r"\$\.score"),
        (encode_event(an_event()).replace(b'"id":', b'"no":'), "malformed", "`id`"),
        (encode_event(an_event()).replace(b"+00:00", b"").replace(b'00Z"', b'00"'), "malformed", "timezone"),
        (encode_event(an_event()).replace(b"0.25", b"NaN"), "non-finite", "NaN"),
        (encode_event(an_event()).replace(b"0.25", b"-Infinity"), "non-finite", "Infinity"),
        (encode_event(an_event()).replace(b"0.25", b"1e999"), "non-finite", "out of range"),
        (encode_event(an_event()).replace(b"0.25", b"9" * 400), "non-finite", "out of range"),
    ],
)
def test_a_record_that_cannot_be_read_says_why(data: bytes, reason: str, detail: str) -> None:
    for decode in (decode_event, decode_envelope):
        with pytest.raises(InvalidEvent, match=detail) as caught:
            decode(data)
        assert caught.value.reason == reason


@pytest.mark.parametrize("micros", [0, 499, 500, 501, 999])
def test_event_time_is_whole_milliseconds_and_what_is_finer_does_not_move_it_into_the_next(micros: int) -> None:
    assert event_time_ms(an_event(event_time=NOON + timedelta(microseconds=micros))) == NOON_MS
    before_1970 = datetime(1969, 12, 31, 23, 59, 59, 999_000 + micros, tzinfo=UTC)
    assert event_time_ms(an_event(event_time=before_1970)) == -1


def test_a_baseline_survives_the_wire_and_its_digest_names_it() -> None:
    baseline = a_baseline(rows=300)
    back = Baseline.from_bytes(baseline.to_bytes())
    assert back == baseline
    assert back.digest == baseline.digest
    assert msgspec.structs.replace(baseline, rows=301).digest != baseline.digest


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff", b"[1]", a_baseline(rows=300).to_bytes()[:-9]])
def test_bytes_that_are_no_baseline_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidBaseline, match="not a baseline"):
        Baseline.from_bytes(data)


def test_a_baseline_that_contradicts_itself_is_refused_by_name() -> None:
    good = a_baseline(rows=300)
    without = {name: reference for name, reference in good.features.items() if name != "seats"}
    with pytest.raises(InvalidBaseline, match="seats"):
        msgspec.structs.replace(good, features=without)
    with pytest.raises(InvalidBaseline, match="'seats' is numeric"):
        msgspec.structs.replace(good, features={**good.features, "seats": good.features["carrier"]})
    with pytest.raises(InvalidBaseline, match="counts for"):
        Reference(good.score.bins, (1, 2, 3))


def test_a_feature_that_is_not_monitored_has_no_reference() -> None:
    schema = FeatureSchema((*a_schema().features, Feature("hour", "numeric", monitored=False)))
    assert schema.names[-1] == "hour"
    assert [feature.name for feature in schema.monitored] == ["distance", "seats", "carrier"]


def test_topic_names_are_unique_and_every_topic_says_how_long_it_keeps_records() -> None:
    assert len({topic.name for topic in TOPICS}) == len(TOPICS)
    for topic in TOPICS:
        assert (topic.cleanup == "compact") == (topic.retention_ms is None)
        assert topic.named("eu.").startswith("eu.")
