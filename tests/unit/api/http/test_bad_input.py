"""Bad input, one table over every door: each is a problem that names the field, is counted, and makes no event."""

import gzip
import json
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import RequestRefused
from api.explaining.reading import ExplanationReader
from api.requests.cutting import Cutting
from api.requests.rows import RowsReader
from api.requests.schemas import RequestReader
from contracts.schema import Feature, FeatureSchema
from tests.builders import NOON, a_baseline
from tests.keys import a_key, an_entry, bearer, write_keys
from tests.serving import FUTURE, a_served, an_app, services

GOOD = b'{"features": {"distance": 70, "seats": null, "carrier": "a"}}'
JSON = {"content-type": "application/json", **bearer(1)}
SCHEMA = FeatureSchema(
    (
        Feature("distance", "numeric", nullable=False),
        Feature("seats", "numeric"),
        Feature("carrier", "categorical"),
    )
)
KEYS = (an_entry(1), an_entry(2, expires=datetime(2020, 1, 1, tzinfo=UTC)))


class Bad(NamedTuple):
    """pointer None: the fault is not in a field. row: whether it is of one row, so that a batch goes on without it."""

    body: bytes
    status: int
    category: str
    pointer: str | None = None
    headers: dict[str, str] = JSON
    row: bool = True


def features(text: str) -> bytes:
    return f'{{"features": {{"distance": 70, {text}}}}}'.encode()


def whole(body: bytes, status: int, category: str, headers: dict[str, str] = JSON) -> Bad:
    return Bad(body, status, category, headers=headers, row=False)


BAD: dict[str, Bad] = {
    "wrong type": Bad(features('"carrier": 7'), 422, "wrong-type", "/features/carrier"),
    "a number as a string": Bad(features('"seats": "7"'), 422, "wrong-type", "/features/seats"),
    "a list for a number": Bad(features('"seats": [7]'), 422, "wrong-type", "/features/seats"),
    "true for a number": Bad(features('"seats": true'), 422, "wrong-type", "/features/seats"),
    "missing field": Bad(b'{"features": {"seats": 1}}', 422, "missing-field", "/features/distance"),
    "no features": Bad(b'{"entity_id": "N1"}', 422, "missing-field", "/features"),
    "null for what must be there": Bad(b'{"features": {"distance": null}}', 422, "wrong-type", "/features/distance"),
    "unknown feature": Bad(features('"a/b~c": 1'), 422, "unknown-field", "/features/a~1b~0c"),
    "unknown field": Bad(b'{"features": {"distance": 70}, "x": 1}', 422, "unknown-field", "/x"),
    "a feature twice, once wrong": Bad(
        b'{"features": {"distance": "x", "distance": 2}}', 422, "wrong-type", "/features/distance"
    ),
    "features twice, once wrong": Bad(
        b'{"features": {"distance": "x"}, "features": {"distance": 2}}', 422, "wrong-type", "/features"
    ),
    "an entity twice, once wrong": Bad(
        b'{"features": {"distance": 2}, "entity_id": "", "entity_id": "N1"}', 422, "wrong-type", "/entity_id"
    ),
    "NaN": Bad(features('"seats": NaN'), 422, "non-finite", "/features/seats"),
    "Infinity": Bad(features('"seats": -Infinity'), 422, "non-finite", "/features/seats"),
    "1e999": Bad(features('"seats": 1e999'), 422, "non-finite", "/features/seats"),
    "10^400": Bad(features(f'"seats": 1{"0" * 400}'), 422, "non-finite", "/features/seats"),
    "an integer of 10,000 digits": Bad(features(f'"seats": {"9" * 10_000}'), 422, "non-finite", "/features/seats"),
    "half a character": Bad(features('"carrier": "\\ud800"'), 422, "wrong-type", "/features/carrier"),
    "the year 9999": Bad(
        b'{"features": {"distance": 70}, "event_time": "9999-12-31T23:59:59Z"}', 422, "event-time", "/event_time"
    ),
    "the year 1": Bad(
        b'{"features": {"distance": 70}, "event_time": "0001-01-01T00:00:00Z"}', 422, "event-time", "/event_time"
    ),
    "a time in milliseconds": Bad(
        b'{"features": {"distance": 70}, "event_time": 1767268800000}', 422, "event-time", "/event_time"
    ),
    "an entity of 201 characters": Bad(
        b'{"features": {"distance": 70}, "entity_id": "%s"}' % (b"x" * 201), 422, "entity-id", "/entity_id"
    ),
    "a list": Bad(b"[1, 2]", 422, "wrong-type", ""),
    "null": Bad(b"null", 422, "wrong-type", ""),
    "nothing": whole(b"", 400, "not-json"),
    "no JSON": whole(b"distance=70", 400, "not-json"),
    "JSON that ends early": whole(GOOD[:-1], 400, "not-json"),
    "bad UTF-8": whole(b'{"features": {"carrier": "\xff"}}', 400, "not-utf-8"),
    "60,000 levels": whole(b"[" * 60_000, 400, "not-json"),
    "10 MB": whole(b" " * 10_000_000, 413, "too-large"),
    "a length of 5,000 digits": whole(GOOD, 413, "too-large", {**JSON, "content-length": "9" * 5000}),
    "a form": whole(b"a=1", 415, "content-type", {**JSON, "content-type": "application/x-www-form-urlencoded"}),
    "no content type": whole(GOOD, 415, "content-type", bearer(1)),
    "another charset": whole(GOOD, 415, "content-type", {**JSON, "content-type": "application/json; charset=latin-1"}),
    "no key": whole(GOOD, 401, "no-key", {"content-type": "application/json"}),
    "a wrong key": whole(GOOD, 401, "wrong-key", {**JSON, "authorization": f"Bearer {a_key(9)}"}),
    "an expired key": whole(GOOD, 401, "expired-key", {**JSON, **bearer(2)}),
}
DOORS = ("fast", "plain", "explain")
# a list is no batch however deep it goes
NOT_AS_A_ROW = ("60,000 levels",)


async def ask(door: str, directory: Path, bad: Bad, body: bytes) -> tuple[Any, httpx.Response]:
    app = an_app(
        directory,
        served=a_served(a_baseline(threshold=0.5, schema=SCHEMA)),
        keys_file=write_keys(directory / "keys.json", KEYS),
    )
    path = {"batch": "/predict/batch", "explain": "/explain"}.get(door, "/predict")
    transport = httpx.ASGITransport(app if door == "fast" else app.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as http:
        return app, await http.post(path, content=body, headers=bad.headers)


def refused(app: Any, category: str) -> float | None:
    registry = services(app).telemetry.registry
    return registry.get_sample_value("tidemark_api_refused_requests_total", {"category": category})


def assert_problem(problem: dict[str, Any], bad: Bad, prefix: str = "") -> None:
    assert problem["status"] == bad.status
    assert problem["type"] == f"urn:tidemark:problem:{bad.category}"
    assert problem["title"]
    assert problem["detail"]
    if bad.pointer is not None:
        assert [fault["pointer"] for fault in problem["errors"]] == [prefix + bad.pointer]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", BAD)
async def test_bad_input_is_a_problem_that_names_the_field_and_makes_no_event(tmp_path: Path, name: str, door: str):
    bad = BAD[name]

    app, answer = await ask(door, tmp_path, bad, bad.body)

    assert (answer.status_code, answer.headers["content-type"]) == (bad.status, "application/problem+json")
    assert_problem(answer.json(), bad)
    assert refused(app, bad.category) == 1
    assert services(app).outbox.backlog.pending_bytes == 0


@pytest.mark.parametrize("name", [name for name, bad in BAD.items() if bad.row and name not in NOT_AS_A_ROW])
async def test_a_bad_row_of_a_batch_is_told_in_its_place_and_makes_no_event(tmp_path: Path, name: str):
    bad = BAD[name]

    app, answer = await ask("batch", tmp_path, bad, b'{"rows": [%s]}' % bad.body)

    told = answer.json()
    assert (answer.status_code, told["answered"], told["refused"]) == (200, 0, 1)
    assert_problem(told["predictions"][0]["error"], bad, "/rows/0")
    assert services(app).outbox.backlog.pending_bytes == 0


@pytest.mark.parametrize("name", [name for name, bad in BAD.items() if not bad.row and name not in NOT_AS_A_ROW])
async def test_what_is_no_batch_at_all_gets_what_a_prediction_gets(tmp_path: Path, name: str):
    bad = BAD[name]

    app, answer = await ask("batch", tmp_path, bad, bad.body)

    assert answer.status_code == bad.status
    assert_problem(answer.json(), bad)
    assert refused(app, bad.category) == 1
    assert services(app).outbox.backlog.pending_bytes == 0


BATCHES: dict[str, Bad] = {
    "empty": Bad(b'{"rows": []}', 422, "row-count", "/rows"),
    "1,001 rows": Bad(b'{"rows": [%s]}' % b",".join([GOOD] * 1001), 422, "row-count", "/rows"),
    "no rows": Bad(b"{}", 422, "missing-field", "/rows"),
    "rows that are no list": Bad(b'{"rows": {}}', 422, "wrong-type", "/rows"),
    "an unknown field": Bad(b'{"rows": [], "x": 1}', 422, "unknown-field", "/x"),
    "half a character for a name": Bad(rb'{"\ud800": 1, "rows": []}', 422, "unknown-field", "/?"),
    "half a character in a name": Bad(rb'{"ro\uDC00ws": "\ud800"}', 422, "unknown-field", "/ro?ws"),
    "rows twice": Bad(b'{"rows": [%s, %s], "rows": [%s]}' % (GOOD, GOOD, GOOD), 422, "wrong-type", "/rows"),
    "no rows and then some": Bad(b'{"rows": [], "rows": [%s]}' % GOOD, 422, "wrong-type", "/rows"),
    "rows twice, once escaped": Bad(
        b'{"rows": [%s]\n,\t"ro\\u0077s" : [%s]}' % (GOOD, GOOD), 422, "wrong-type", "/rows"
    ),
    "100,000 levels": Bad(b'{"rows": ' + b"[" * 100_000, 422, "wrong-type", "/rows/0"),
    "60,000 levels of no batch": Bad(BAD["60,000 levels"].body, 422, "wrong-type", ""),
}


@pytest.mark.parametrize("name", BATCHES)
async def test_a_batch_of_another_shape_is_a_problem_and_makes_no_event(tmp_path: Path, name: str):
    bad = BATCHES[name]

    app, answer = await ask("batch", tmp_path, bad, bad.body)

    assert answer.status_code == bad.status
    assert_problem(answer.json(), bad)
    assert refused(app, bad.category) == 1
    assert services(app).outbox.backlog.pending_bytes == 0


SAID: dict[str, tuple[str, Bad, str]] = {
    "gzip": (
        "both",
        Bad(gzip.compress(GOOD), 415, "content-type", headers={**JSON, "content-encoding": "gzip"}),
        "Content-Encoding",
    ),
    "no gzip": ("both", Bad(b"x", 400, "not-json", headers={**JSON, "content-encoding": "identity"}), "not JSON"),
    "another charset": (
        "both",
        Bad(GOOD, 415, "content-type", headers={**JSON, "content-type": "application/json; x=1; charset=utf-16"}),
        "The parameter charset of Content-Type is not utf-8: leave it out",
    ),
    "a key that is no text": ("batch", Bad(rb'{ "\x": 1}', 400, "not-json"), "the key at byte 2 is no text"),
    "a mark": ("both", Bad(b"\xef\xbb\xbf" + GOOD, 400, "not-json"), "begins with a byte order mark: leave it out"),
    "no row": ("batch", Bad(b'{"rows": []}', 422, "row-count"), "The batch cannot be taken"),
    "10 MB": ("batch", Bad(b" " * 10_000_000, 413, "too-large"), "fewer rows"),
    "a date": (
        "fast",
        Bad(b'{"features": {"distance": 70}, "event_time": "2026-11-21"}', 422, "event-time"),
        "is a date without a time: send an RFC 3339 time with a zone, such as 2026-01-31T12:00:00Z",
    ),
    "half of a pair": (
        "fast",
        Bad(rb'{"features": {"distance": 70}, "entity_id": "\ud800"}', 422, "entity-id"),
        "holds half of a surrogate pair",
    ),
    "half of a pair in a feature": (
        "fast",
        Bad(features('"carrier": "\\ud800"'), 422, "wrong-type"),
        "holds half of a surrogate pair",
    ),
}


@pytest.mark.parametrize("name", SAID)
async def test_what_is_wrong_is_said_so_that_it_can_be_mended(tmp_path: Path, name: str):
    where, bad, words = SAID[name]

    for door in ("fast", "plain", "batch") if where == "both" else (where,):
        (tmp_path / door).mkdir()
        app, answer = await ask(door, tmp_path / door, bad, bad.body)

        assert_problem(answer.json(), bad)
        assert answer.status_code == bad.status
        assert refused(app, bad.category) == 1
        assert words in answer.text


READER = RequestReader(SCHEMA, FUTURE)
ROWS = RowsReader(READER, 1000)
EXPLAINED = ExplanationReader(READER)
POINTER = {"type": "string", "format": "json-pointer"}
words = st.sampled_from(
    ["features", "rows", "distance", "seats", "carrier", "entity_id", "event_time", "top", "~/", ""]
)
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**300, max_value=10**420)
    | st.floats()
    | st.text(max_size=6)
    | st.datetimes().map(lambda time: time.isoformat() + "Z"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words | st.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)
written = anything.map(lambda data: json.dumps(data).encode())


def an_object(members: list[tuple[str, str]]) -> str:
    """JSON, in which a name may be there again and again."""
    return "{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in members) + "}"


values = st.sampled_from(["1", '"a"', '""', "null", "NaN"])
members = st.tuples(st.sampled_from(["distance", "carrier"]), values)
tops = st.tuples(st.just("features"), st.lists(members, min_size=2, max_size=4).map(an_object))
others = st.tuples(st.sampled_from(["entity_id", "event_time", "top"]), values)
repeated = st.lists(tops | others, min_size=1, max_size=3).map(an_object).map(str.encode)
cut = st.tuples(written, st.integers(0, 40), st.binary(max_size=3)).map(lambda t: t[0][: t[1]] + t[2] + t[0][t[1] :])


def read_rows(body: bytes) -> list[RequestRefused]:
    if ROWS.read_all(body, NOON) is not None:
        return []
    cutting = Cutting(body, 1000)
    list(cutting.steps())
    return [row for row in ROWS.read_each(cutting.rows, NOON) if isinstance(row, RequestRefused)]


def read_one(reader: Any, body: bytes) -> list[RequestRefused]:
    reader.read(body, NOON)
    return []


EVERY_READER = pytest.mark.parametrize(
    "read", [partial(read_one, READER), partial(read_one, EXPLAINED), read_rows], ids=["predict", "explain", "batch"]
)


def errors_of(read: Any, body: bytes) -> list[RequestRefused]:
    try:
        errors: list[RequestRefused] = read(body)
    except RequestRefused as error:
        return [error]
    return errors


@EVERY_READER
@given(body=st.binary(max_size=60) | written | cut)
def test_whatever_is_sent_the_refusal_names_a_fault_and_where_it_is(read: Any, body: bytes):
    """Nothing but a refusal comes out of reading, and each fault has a pointer as RFC 6901 writes them."""
    for error in errors_of(read, body):
        assert str(error)
        assert error.category
        if error.category not in ("not-json", "not-utf-8"):
            assert error.errors
        for fault in error.errors:
            jsonschema.validate(fault.pointer, POINTER, format_checker=jsonschema.FormatChecker())
            assert fault.pointer == "" or fault.pointer.startswith("/")
            assert "~" not in fault.pointer.replace("~0", "").replace("~1", "")
            assert fault.detail


@EVERY_READER
@given(body=repeated)
def test_where_names_are_there_twice_each_fault_is_one_of_a_field(read: Any, body: bytes):
    """In the decoder's own words it has neither a pointer nor a fix."""
    batch = read is read_rows
    for error in errors_of(read, b'{"rows":[%s]}' % body if batch else body):
        assert all(fault.pointer.removeprefix("/rows/0") for fault in error.errors)
        assert error.errors
