"""The guard on a real server: keys that come and go, more connections than it can serve, bodies that never come, and a
log without anything of its clients. No Kafka is needed: events wait in the outbox.
"""

import asyncio
import json
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.apis import GOOD, REPOSITORY, Api, Load, http_client, running, shared_registry
from tests.keys import a_key, an_entry, bearer, write_keys
from tests.registered import a_compiled_version
from tests.waiting import PATIENCE, eventually

MODEL = "guarded"
NOWHERE = "127.0.0.1:1"
BODY = json.dumps({"features": GOOD}).encode()


@pytest.fixture(scope="module")
async def model() -> str:
    await asyncio.to_thread(a_compiled_version, shared_registry(), model=MODEL)
    return MODEL


@pytest.fixture(scope="module")
async def keyed(model: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    """A server with keys, and impatient with bodies. Its keys: 1 for everything, 2 for reading, 3 and 4 with a rate."""
    folder = tmp_path_factory.mktemp("keyed")
    limited = [an_entry(number, rate=1.0, burst=5) for number in (3, 4)]
    entries = [an_entry(1), an_entry(2, scopes=("read",)), *limited]
    api = an_api(
        folder,
        keys_file=write_keys(folder / "keys.json", entries),
        header_timeout_seconds=1,
        body_timeout_seconds=0.5,
        cors_origins="https://a.example",
    )
    async with running(api):
        yield api


def an_api(folder: Path, **settings: Any) -> Api:
    return Api(folder, slim=True, model=MODEL, tracking_uri=shared_registry(), bootstrap=NOWHERE, **settings)


async def post(api: Api, headers: dict[str, str], path: str = "/predict", body: Any = None) -> httpx.Response:
    async with http_client(api.url) as http:
        return await http.post(path, json={"features": GOOD} if body is None else body, headers=headers)


async def get(api: Api, path: str, headers: dict[str, str]) -> httpx.Response:
    async with http_client(api.url) as http:
        return await http.get(path, headers=headers)


async def metric(api: Api, name: str, number: int = 1) -> float:
    """As Api.metric, with a key."""
    lines = (await get(api, "/metrics", bearer(number))).text.splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))


def raw(headers: list[bytes], body: bytes = BODY) -> bytes:
    """A whole request to the fast path; `headers` as they are."""
    lines = [b"POST /predict HTTP/1.1", b"host: api", b"content-type: application/json", *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


class Wire:
    """One connection, byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def to(cls, api: Api) -> "Wire":
        return cls(*await asyncio.open_connection("127.0.0.1", api.port))

    async def ask(self, request: bytes) -> tuple[int, dict[str, str], Any]:
        self.writer.write(request)
        return await self.answer()

    async def answer(self) -> tuple[int, dict[str, str], Any]:
        async with asyncio.timeout(30 * PATIENCE):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
            body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return int(head[0].split()[1]), headers, json.loads(body) if body else None

    async def closed(self) -> bool:
        async with asyncio.timeout(30 * PATIENCE):
            return await self.reader.read() == b""


def length(body: bytes = BODY) -> bytes:
    return b"content-length: %d" % len(body)


async def keys(path: Path, *arguments: str) -> str:
    """`python -m api keys ...`: what it prints."""
    command = [sys.executable, "-m", "api", "keys", arguments[0], "--file", str(path), *arguments[1:]]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=REPOSITORY, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, error = await process.communicate()
    assert process.returncode == 0, error.decode()
    return out.decode().strip()


async def test_a_key_opens_what_its_scopes_name_by_both_doors(keyed: Api):
    assert (await post(keyed, bearer(1))).status_code == 200
    assert (await post(keyed, {"x-api-key": a_key(1)})).status_code == 200
    assert (await post(keyed, bearer(1), "/predict/batch", {"rows": [{"features": GOOD}]})).status_code == 200
    assert (await get(keyed, "/model", bearer(2))).status_code == 200
    assert (await get(keyed, "/metrics", bearer(2))).status_code == 200
    assert (await post(keyed, bearer(2))).status_code == 403
    for path in ("/model", "/metrics", "/predictions/recent"):
        assert (await get(keyed, path, {})).status_code == 401
    for path in ("/health/live", "/health/ready", "/docs", "/openapi.json"):
        assert (await get(keyed, path, {})).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [b"authorization: Bearer " + a_key(9).encode()],
        [b"authorization: Bearer " + a_key(1).encode(), b"authorization: Bearer " + a_key(2).encode()],
        [b"x-api-key: " + a_key(1).encode(), b"X-API-Key: " + a_key(1).encode()],
        [b"authorization: Bearer " + a_key(1).encode(), b"x-api-key: " + a_key(1).encode()],
        [b"authorization: Bearer cl\xc3\xa9\xff\xfe"],
        [b"authorization: Bearer " + b"k" * 10_240],
        [b"authorization:"],
    ],
)
async def test_whatever_is_no_key_gets_401_and_the_connection_goes_on(keyed: Api, headers: list[bytes]):
    wire = await Wire.to(keyed)

    status, said, problem = await wire.ask(raw([*headers, length()]))

    assert (status, problem["status"], said["content-type"]) == (401, 401, "application/problem+json")
    assert said["www-authenticate"].startswith("bearer")
    right = raw([b"authorization: Bearer " + a_key(1).encode(), length()])
    assert (await wire.ask(right))[0] == 200
    wire.writer.close()


async def test_a_rate_is_of_rows_and_the_refused_is_told_when_to_come_back(keyed: Api):
    def batch(rows: int) -> dict[str, Any]:
        return {"rows": [{"features": GOOD}] * rows}

    assert (await post(keyed, bearer(3), "/predict/batch", batch(5))).status_code == 200
    refused = await post(keyed, bearer(3))
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert (await post(keyed, bearer(1))).status_code == 200

    refused = await post(keyed, bearer(3), "/predict/batch", batch(3))
    assert refused.status_code == 429
    await asyncio.sleep(int(refused.headers["retry-after"]))  # as a client does
    assert (await post(keyed, bearer(3), "/predict/batch", batch(3))).status_code == 200


async def test_a_batch_beyond_the_burst_of_its_key_is_told_what_fits_although_nothing_was_used(keyed: Api):
    too_many = await post(keyed, bearer(4), "/predict/batch", {"rows": [{"features": GOOD}] * 6})

    assert (too_many.status_code, too_many.json()["type"]) == (422, "urn:tidemark:problem:row-count")
    assert "5 at a time" in too_many.json()["errors"][0]["detail"]
    assert "retry-after" not in too_many.headers
    assert (await post(keyed, bearer(4), "/predict/batch", {"rows": [{"features": GOOD}] * 5})).status_code == 200


async def test_keys_are_made_revoked_and_read_again_without_a_restart(model: str, tmp_path: Path):
    path = write_keys(tmp_path / "keys.json", [an_entry(1)])
    api = an_api(tmp_path, keys_file=path)
    async with running(api):
        assert (await post(api, bearer(1))).status_code == 200
        key = await keys(path, "add", "--name", "new", "--scope", "predict", "--expires", "1d")
        new = {"authorization": f"Bearer {key}"}

        async def answered() -> bool:
            return (await post(api, new)).status_code == 200

        await eventually(answered, 20, "the new key")
        await keys(path, "revoke", an_entry(1).id)

        async def revoked() -> bool:
            return (await post(api, bearer(1))).status_code == 401

        await eventually(revoked, 20, "the end of the old one")
        assert (await post(api, new)).status_code == 200

        path.write_bytes(b'{"v": 1, "keys": [{"name": "caf\xe9"}]}')

        def told() -> bool:
            return any("the former ones stay in force" in line for line in api.process.tail(20))

        await eventually(told, 20, "a word on the broken file")
        assert (await post(api, new)).status_code == 200
        write_keys_anew(path)
        await eventually(lambda: readable(api), 20, "the mended file")
        assert await metric(api, "tidemark_api_keys_current ", 4) == 1


def write_keys_anew(path: Path) -> None:
    path.unlink()
    write_keys(path, [an_entry(4)])


async def readable(api: Api) -> bool:
    return (await get(api, "/metrics", bearer(4))).status_code == 200


async def test_a_broken_file_of_keys_ends_the_start_with_one_line(model: str, tmp_path: Path):
    path = tmp_path / "keys.json"
    path.write_text('{"v": 1, "keys": [{"id": "0123456789ab", "name": "a", "hash": "secret", "scopes": ["predict"]}]}')
    api = an_api(tmp_path, keys_file=path)

    api.process.start()

    assert await asyncio.to_thread(api.process.wait, 120) == 2
    (line,) = api.process.tail()
    assert line.startswith(f"api: API_KEYS_FILE: {path}: entry 1: ")
    assert "hash" in line


async def test_with_more_connections_than_it_can_serve_some_are_turned_away_and_no_batch_grows(
    model: str, tmp_path: Path
):
    """What waits is bounded, so the wait of those who were let in is, whatever the number of connections."""
    api = an_api(tmp_path, max_waiting=8)
    async with running(api):
        load = Load(api.url, connections=200)
        async with load.on():
            await load.more(2000)

        assert set(load.refused) == {503}
        assert load.lost == 0
        batches = await api.metric("tidemark_api_batch_rows_count")
        small = [
            line
            for line in (await api.get("/metrics")).text.splitlines()
            if line.startswith("tidemark_api_batch_rows_bucket") and 'le="8.0"' in line
        ]
        assert float(small[0].rsplit(" ", 1)[1]) == batches
        turned_away = await api.metric('tidemark_api_failed_requests_total{why="overloaded"}')
        assert turned_away >= load.refused[503] > 0
        assert await api.metric("tidemark_api_predictions_total") >= len(load.answers)

        wires = [await Wire.to(api) for _ in range(64)]

        async def refused() -> Any:
            answers = await asyncio.gather(*(wire.ask(raw([length()])) for wire in wires))
            assert {status for status, _, _ in answers} <= {200, 503}
            return next((answer for answer in answers if answer[0] == 503), None)

        _, headers, problem = await eventually(refused, 60, "a request that is turned away")
        assert headers["retry-after"] == "1"
        assert problem["type"] == "urn:tidemark:problem:overloaded"
        for wire in wires:
            wire.writer.close()
        assert (await api.predict()).status_code == 200


async def test_a_body_that_never_comes_gets_408_and_its_connection_is_closed(keyed: Api):
    key = b"authorization: Bearer " + a_key(1).encode()
    for begun in (raw([key, length()], b""), raw([key, length()], BODY[:10]), raw([key, CHUNKED], b"5\r\n")):
        wire = await Wire.to(keyed)

        status, headers, problem = await wire.ask(begun)

        assert (status, problem["type"]) == (408, "urn:tidemark:problem:body-late")
        assert headers["connection"] == "close"
        assert await wire.closed()


CHUNKED = b"transfer-encoding: chunked"


def chunks(body: bytes, size: int) -> bytes:
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


async def test_a_body_that_comes_late_or_in_parts_is_answered(keyed: Api):
    key = b"authorization: Bearer " + a_key(1).encode()
    assert (await (await Wire.to(keyed)).ask(raw([key, CHUNKED], chunks(BODY, 7))))[0] == 200

    late = await Wire.to(keyed)
    late.writer.write(raw([key, length(), b"expect: 100-continue"], b""))
    assert (await late.answer())[0] == 100
    late.writer.write(BODY[:5])
    await late.writer.drain()
    assert (await late.ask(BODY[5:]))[0] == 200


async def test_headers_that_never_end_cost_their_connection(keyed: Api):
    for begun in (b"", b"POST /predict HTTP/1.1\r\nhost: api\r\nx-slow: "):
        wire = await Wire.to(keyed)
        wire.writer.write(begun)
        assert await wire.closed()
    answered = await Wire.to(keyed)
    assert (await answered.ask(raw([b"authorization: Bearer " + a_key(1).encode(), length()])))[0] == 200
    answered.writer.write(b"POST /predict HTTP/1.1\r\n")
    assert await answered.closed()


async def test_an_answer_that_is_not_taken_costs_its_connection(keyed: Api):
    page = b"GET /docs/assets/swagger-ui-bundle.js HTTP/1.1\r\nhost: api\r\n\r\n"
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", keyed.port))
        client.sendall(page * 8)

        def gone() -> bool:
            return client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) == bytes([7])  # TCP_CLOSE

        await eventually(gone, 20, "a connection that is given up")


async def test_a_body_without_a_length_is_bounded_too(keyed: Api):
    key = b"authorization: Bearer " + a_key(1).encode()

    status, _, problem = await (await Wire.to(keyed)).ask(raw([key, CHUNKED], chunks(b" " * 70_000, 8192)))

    assert (status, problem["type"]) == (413, "urn:tidemark:problem:too-large")


async def test_a_stranger_is_turned_away_before_its_body_comes(keyed: Api):
    status, _, problem = await (await Wire.to(keyed)).ask(raw([b"content-length: 60000"], b""))

    assert (status, problem["type"]) == (401, "urn:tidemark:problem:no-key")


async def test_a_page_of_a_named_origin_may_call_and_no_other(keyed: Api):
    for origin, allowed in (("https://a.example", "https://a.example"), ("https://b.example", None)):
        answer = await post(keyed, {**bearer(1), "origin": origin})
        assert (answer.status_code, answer.headers.get("access-control-allow-origin")) == (200, allowed)


async def test_the_log_is_lines_of_json_without_anything_of_the_clients(keyed: Api):
    mark, secret = "MARKER", a_key(1).split("_")[2]
    for body in ({"features": {mark: 1}}, {"features": {**GOOD, "distance": mark}}, {"entity_id": mark}, {mark: mark}):
        for path in ("/predict", "/predict/batch", "/explain"):
            assert 400 <= (await post(keyed, bearer(1), path, body)).status_code < 500
    await get(keyed, f"/predictions/{mark}?{mark}={mark}", bearer(1))
    await get(keyed, f"/{mark}", bearer(1))
    await post(keyed, {"authorization": f"Bearer {a_key(1)[:-1]}f"})
    await post(keyed, {})
    for _ in range(60):
        wire = await Wire.to(keyed)
        wire.writer.write(mark.encode() + b"\r\n\r\n")
        assert await wire.reader.read()
        wire.writer.close()

    def told() -> bool:
        return "Invalid HTTP request received." in keyed.process.log.read_text()

    await eventually(told, 20, "uvicorn's own line")
    text = keyed.process.log.read_text()
    assert mark not in text
    assert secret[:-1] not in text
    lines = [json.loads(line) for line in text.splitlines() if not line.startswith("api: http")]
    assert all({"time", "level", "logger", "message"} <= set(line) for line in lines)
    refused = Counter(line["category"] for line in lines if line["logger"] == "api.refused")
    assert {"unknown-field", "wrong-type", "missing-field", "wrong-key", "no-key", "not-found"} <= set(refused)
    garbage = Counter(line["time"][:19] for line in lines if line["logger"] == "uvicorn.error")
    assert max(garbage.values()) <= 20
