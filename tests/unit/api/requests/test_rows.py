import json
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import BodyTooLarge, InvalidRequest, RequestRefused
from api.requests.cutting import Cutting
from api.requests.rows import RowsReader
from api.requests.schemas import RequestReader
from tests.builders import NOON, a_schema
from tests.serving import FUTURE

READER = RequestReader(a_schema(), FUTURE)
ROWS = RowsReader(READER, 50)

TEXTS = [
    '{"features": {"distance": 1.5}}',
    '{"features": {"distance": 1, "seats": null, "carrier": "a: NaN, \\" Infinity,"}, "entity_id": "N1"}',
    '{"features": {}, "event_time": "2026-01-01T00:00:00Z"}',
    '{"features": {}, "event_time": "9999-01-01T00:00:00Z"}',
    '{"features": {"distance": NaN}}',
    '{"features": {"distance": -Infinity, "carrier": "\\\\"}}',
    '{"features": {"distance": 1e400}}',
    '{"features": {"distance": "1"}}',
    '{"features": {"distnce": 1}}',
    '{"features": {}, "entity_id": ""}',
    "{}",
    "null",
    "NaN",
    '"rows"',
]


def cut(body: bytes, limit: int = 50) -> list[bytes]:
    cutting = Cutting(body, limit)
    for _ in cutting.steps():
        pass
    return cutting.rows


def alone(text: str) -> Any:
    """The request, or the category and places of what is wrong."""
    try:
        return READER.read(text.encode(), NOON)
    except RequestRefused as error:
        return error.category, [fault.pointer for fault in error.errors]


@given(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=8))
def test_a_row_among_others_is_read_as_it_would_be_alone(texts: list[str]):
    body = ('{"rows": [' + ", ".join(texts) + "]}").encode()

    read = ROWS.read_all(body, NOON) or list(ROWS.read_each(cut(body), NOON))

    found = [
        (row.category, [fault.pointer.removeprefix(f"/rows/{n}") for fault in row.errors])
        if isinstance(row, RequestRefused)
        else row
        for n, row in enumerate(read)
    ]
    assert found == [alone(text) for text in texts]


@given(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=8))
def test_a_body_is_read_at_once_exactly_when_all_its_rows_are_right(texts: list[str]):
    body = ('{"rows": [' + ", ".join(texts) + "]}").encode()

    at_once = ROWS.read_all(body, NOON)

    assert (at_once is not None) == (not any(isinstance(alone(text), tuple) for text in texts))


ARRAYS = st.lists(st.sampled_from([*TEXTS[:3], '{"features": {"carrier": "],"}, "entity_id": ":"}']), max_size=3)
SPACES = st.text(" \t\r\n", max_size=2)


@given(st.lists(ARRAYS, min_size=1, max_size=3), st.sampled_from(["rows", "ro\\u0077s"]), st.lists(SPACES, min_size=4))
def test_rows_that_are_sent_twice_are_refused_and_none_is_dropped(
    arrays: list[list[str]], name: str, spaces: list[str]
):
    a, b, c, d = spaces[:4]
    fields = [f'"{name}"{a}:{b}[{c}{", ".join(rows)}]{d}' for rows in arrays]
    body = ("{" + f"{a},{b}".join(fields) + "}").encode()

    at_once = ROWS.read_all(body, NOON)

    if len(arrays) == 1 and arrays[0]:
        assert at_once in (None, [alone(text) for text in arrays[0]])
        assert list(ROWS.read_each(cut(body), NOON)) == [alone(text) for text in arrays[0]]
    else:
        assert at_once is None
        with pytest.raises(InvalidRequest):
            cut(body)


def test_brackets_in_texts_are_read_at_once():
    row = b'{"features": {"carrier": "[a], [b], \\"c\\", ],", "distance": 1}, "entity_id": "x], \\"rows\\": ["}'

    assert ROWS.read_all(b'{"rows": [%s, %s]}' % (row, row), NOON) == [alone(row.decode())] * 2


def test_thousands_of_brackets_in_texts_are_left_to_cutting():
    """Each is a place where a second array might begin."""
    row = b'{"features": {"carrier": "%s"}}' % (b"]," * 2_001)
    body = b'{"rows": [%s]}' % row

    assert ROWS.read_all(body, NOON) is None
    assert list(ROWS.read_each(cut(body), NOON)) == [alone(row.decode())]


values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(st.sampled_from('NaInfity-:, []{}"\\ \n'), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('NaN,: "\\', max_size=6), inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(values, min_size=1, max_size=6), st.sampled_from([None, 1]))
def test_a_body_is_cut_into_just_its_rows(rows: list[Any], indent: int | None):
    body = json.dumps({"rows": rows}, indent=indent).encode()

    assert [json.dumps(json.loads(row)) for row in cut(body)] == [json.dumps(row) for row in rows]


@given(st.text('[]{}",:\\ 0N\n', max_size=40))
def test_whatever_is_sent_is_cut_or_refused_and_what_is_json_is_cut_right(text: str):
    body = ('{"rows": [' + text).encode()
    try:
        rows = json.loads(body, strict=False)["rows"]
    except (ValueError, TypeError):
        rows = None
    try:
        found = cut(body)
    except RequestRefused:
        assert not rows or len(json.loads(body, strict=False)) > 1 or body.count(b'"rows"') > 1
        return
    if rows is not None:
        assert [json.loads(row, strict=False) for row in found] == rows


LONG = {
    "text": '"' + "a" * 40_000 + '"',
    "backslashes": '"' + "\\\\" * 40_000 + '"',
    "list": "[" + "0," * 20_000 + "0]",
    "texts": "[" + '"]",' * 20_000 + '"{"]',
    "blanks": " " * 40_000,
}


@pytest.mark.parametrize("name", LONG)
def test_a_row_longer_than_a_look_is_one_row(name: str):
    assert cut(f'{{"rows": [{LONG[name]},1]}}'.encode()) == [LONG[name].encode(), b"1"]


def test_cutting_ends_at_the_first_row_too_many():
    cutting = Cutting(b'{"rows": [' + b"NaN," * 100_000 + b"0]}", 50)
    with pytest.raises(InvalidRequest, match="no batch") as refused:
        list(cutting.steps())

    assert refused.value.errors[0].detail == "has more than 50 rows: send 1 to 50 in one request"
    assert len(cutting.rows) == 51


@pytest.mark.parametrize("row", [b"[" * 1_000_000, b"[" + b"[]," * 600_000], ids=["deep", "flat"])
def test_a_row_of_brackets_is_not_cut_to_its_end(row: bytes):
    """That would be two seconds of processor time, for one row of a client's rate."""
    cutting, looks = Cutting(b'{"rows": [{"features": {}},' + row, 50), count()
    with pytest.raises(InvalidRequest, match="no batch") as refused:
        list(zip(cutting.steps(), looks, strict=False))

    assert refused.value.errors[0].pointer == "/rows/1"
    assert refused.value.errors[0].detail == "has more brackets than requests have: send flat ones"
    assert next(looks) < 8_200


def test_as_many_brackets_as_rows_may_need_are_taken():
    row = '{"features": {}, "more": [[[[[[]]]]]]}'

    assert len(cut(('{"rows": [' + ",".join([row] * 50) + "]}").encode())) == 50


def test_rows_far_too_many_are_not_even_decoded():
    assert ROWS.read_all(b'{"rows": [' + b",".join([b'{"features": {}}'] * 51) + b"]}", NOON) is None


def test_the_faults_of_a_row_are_not_looked_for_in_more_than_a_request_may_have():
    long = b'{"features": {"distance": 1, "no": "' + b"x" * 70_000 + b'"}}'
    right = b'{"features": {"distance": 1, "carrier": "' + b"x" * 70_000 + b'"}}'

    refused, read = ROWS.read_each([long, right], NOON)

    assert isinstance(refused, BodyTooLarge)
    assert [fault.pointer for fault in refused.errors] == ["/rows/0"]
    assert not isinstance(read, RequestRefused)
