"""Labels are read alike alone and among others, and what is wrong with one is told by its field."""

from datetime import UTC
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import InvalidRequest, LabelRefused, RequestRefused, Unreadable
from api.labels.reading import Cut, LabelRequest, is_batch, read_all, read_each, read_one
from tests.builders import NOON

texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30)
labels = st.builds(
    LabelRequest,
    prediction_id=texts,
    truth=st.booleans() | st.floats(allow_nan=False, allow_infinity=False),
    receipt=st.none() | texts,
    labelled_at=st.none() | st.datetimes(timezones=st.just(UTC)),
)


def one_by_one(body: bytes, limit: int = 1000) -> list[LabelRequest | RequestRefused]:
    cut = Cut(body, limit)
    list(cut.steps())
    return list(read_each(cut.labels))


@given(st.lists(labels, min_size=1, max_size=5))
def test_labels_are_read_alike_at_once_and_one_by_one_and_alone(many: list[LabelRequest]) -> None:
    body = msgspec.json.encode({"labels": many})

    assert is_batch(body)
    assert read_all(body, 1000) == one_by_one(body) == [read_one(msgspec.json.encode(one)) for one in many] == many


@pytest.mark.parametrize("name", ["labels", "l\\u0061bels"])
def test_labels_that_are_sent_twice_are_refused_and_none_is_dropped(name: str) -> None:
    body = b'{"labels": [{"prediction_id": "a", "truth": 1}], "%s": [{"prediction_id": "b", "truth": 1}]}'
    body %= name.encode()

    assert read_all(body, 1000) is None
    with pytest.raises(LabelRefused) as refused:
        one_by_one(body)
    assert [(fault.pointer, fault.detail) for fault in refused.value.errors] == [
        ("/labels", "is there twice: send it once")
    ]


GOOD: dict[str, Any] = {"prediction_id": "p", "truth": 1}
WRONG = {
    "no object": (b"[]", "", "wrong-type"),
    "nothing": (b"{}", "/prediction_id", "missing-field"),
    "no truth": ({"prediction_id": "p"}, "/truth", "missing-field"),
    "unknown": ({**GOOD, "thruth": 1}, "/thruth", "unknown-field"),
    "misspelt batch": ({"label": [GOOD]}, "/label", "unknown-field"),
    "id is a number": ({**GOOD, "prediction_id": 7}, "/prediction_id", "prediction-id"),
    "id is empty": ({**GOOD, "prediction_id": ""}, "/prediction_id", "prediction-id"),
    "id is long": ({**GOOD, "prediction_id": "p" * 301}, "/prediction_id", "prediction-id"),
    "id is half a character": (b'{"prediction_id": "\\ud800", "truth": 1}', "/prediction_id", "prediction-id"),
    "truth is a text": ({**GOOD, "truth": "1"}, "/truth", "truth"),
    "truth is null": ({**GOOD, "truth": None}, "/truth", "truth"),
    "truth is NaN": (b'{"prediction_id": "p", "truth": NaN}', "/truth", "non-finite"),
    "truth is endless": (b'{"prediction_id": "p", "truth": 1e999}', "/truth", "non-finite"),
    "receipt is a number": ({**GOOD, "receipt": 1}, "/receipt", "receipt-altered"),
    "receipt is long": ({**GOOD, "receipt": "r" * 5000}, "/receipt", "receipt-altered"),
    "truth twice, once wrong": (b'{"prediction_id": "p", "truth": "x", "truth": 1}', "/truth", "wrong-type"),
    "time without zone": ({**GOOD, "labelled_at": "2026-01-01T12:00:00"}, "/labelled_at", "label-time"),
    "time is a date": ({**GOOD, "labelled_at": "2026-01-01"}, "/labelled_at", "label-time"),
    "time is a number": ({**GOOD, "labelled_at": 1767268800}, "/labelled_at", "label-time"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_with_a_label_is_told_by_its_field(name: str) -> None:
    sent, pointer, category = WRONG[name]
    body = sent if isinstance(sent, bytes) else msgspec.json.encode(sent)

    with pytest.raises(LabelRefused) as alone:
        read_one(body)
    (among,) = one_by_one(b'{"labels": [' + body + b"]}")

    assert isinstance(among, LabelRefused)
    assert among.errors == alone.value.errors
    assert (alone.value.errors[0].pointer, alone.value.category) == (pointer, category)
    assert [fault.category for fault in alone.value.errors][:1] == [category]


def test_a_receipts_own_faults_are_not_told_of_one_that_is_right() -> None:
    with pytest.raises(LabelRefused) as refused:
        read_one(msgspec.json.encode({**GOOD, "receipt": "a right one", "truth": "no"}))

    assert [fault.pointer for fault in refused.value.errors] == ["/truth"]


@pytest.mark.parametrize(
    ("body", "category"),
    [
        (b'{"labels": []}', "row-count"),
        (b'{"labels": [1, 2, 3]}', "row-count"),
        (b'{"labels": 1}', "wrong-type"),
        (b'{"labels": [1], "more": 1}', "unknown-field"),
        (b'{"labels": [1]', "not-json"),
        (b'{"labels": [}', "not-json"),
    ],
)
def test_a_body_that_is_no_batch_is_refused_whole(body: bytes, category: str) -> None:
    with pytest.raises((LabelRefused, Unreadable)) as refused:
        one_by_one(body, limit=2)

    assert refused.value.category == category
    assert not isinstance(refused.value, InvalidRequest)


def test_what_is_right_is_read_although_its_neighbour_is_not() -> None:
    body = b'{"labels": [{"prediction_id": "a", "truth": true}, 7, {"prediction_id": "b", "truth": 0.5}]}'

    assert read_all(body, 10) is None
    first, second, third = one_by_one(body)
    assert (first, third) == (LabelRequest("a", True), LabelRequest("b", 0.5))
    assert isinstance(second, LabelRefused)


def test_a_time_is_read_with_its_zone() -> None:
    assert read_one(msgspec.json.encode({**GOOD, "labelled_at": NOON})).labelled_at == NOON
