import json
import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from api.errors import RequestRefused
from api.requests.rows import RowsReader, finite
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


def alone(text: str) -> Any:
    """The request, or the category and places of what is wrong."""
    try:
        return READER.read(text.encode(), NOON)
    except RequestRefused as error:
        return error.category, [fault.pointer for fault in error.errors]


@given(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=8))
def test_a_row_among_others_is_read_as_it_would_be_alone(texts: list[str]):
    body = ('{"rows": [' + ", ".join(texts) + "]}").encode()

    read = ROWS.read_all(body, NOON) or list(ROWS.read_each(body, NOON))

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


values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(st.sampled_from('NaInfity-:, []{}"\\ \n'), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('NaN,: "\\', max_size=6), inner, max_size=4),
    max_leaves=12,
)


@given(values)
def test_what_json_has_no_words_for_becomes_out_of_range_and_texts_stay_as_they_were(value: Any):
    text = json.dumps([value])

    assert json.loads(finite(text.encode()), parse_constant=None) == replaced([value])


def replaced(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else math.inf
    if isinstance(value, list):
        return [replaced(item) for item in value]
    if isinstance(value, dict):
        return {name: replaced(item) for name, item in value.items()}
    return value
