"""TLS on a real server: what it answers by HTTPS and to whom it does not, handshakes that never end, certificates that
are renewed under load. No Kafka is needed: events wait in the outbox.
"""

import asyncio
import json
import os
import signal
import socket
import ssl
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from tests.apis import GOOD, REPOSITORY, Api, Load, running, shared_registry
from tests.certificates import Authority, trusting
from tests.registered import a_compiled_version
from tests.waiting import PATIENCE, eventually

MODEL = "by-tls"
BODY = json.dumps({"features": GOOD}).encode()
VOLATILE = {"prediction_id", "receipt", "event_time", "id", "since"}


class Secured(NamedTuple):
    api: Api
    authority: Authority
    certificate: Path
    key: Path


@pytest.fixture(scope="module")
async def model() -> str:
    await asyncio.to_thread(a_compiled_version, shared_registry(), model=MODEL)
    return MODEL


def an_api(folder: Path, name: str = "api", **settings: Any) -> Api:
    return Api(
        folder, name, slim=True, model=MODEL, tracking_uri=shared_registry(), bootstrap="127.0.0.1:1", **settings
    )


def a_secured(folder: Path, **settings: Any) -> Secured:
    authority, certificate, key = Authority(folder), folder / "server.pem", folder / "server-key.pem"
    authority.issue(certificate, key, "127.0.0.1", "localhost")
    api = an_api(folder, "secured", tls_cert_file=certificate, tls_key_file=key, **settings)
    return Secured(api, authority, certificate, key)


@pytest.fixture(scope="module")
async def secured(model: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Secured]:
    """Impatient with headers and bodies."""
    made = a_secured(tmp_path_factory.mktemp("secured"), header_timeout_seconds=1, body_timeout_seconds=0.5)
    async with running(made.api):
        yield made


@pytest.fixture(scope="module")
async def plain(model: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    async with running(an_api(tmp_path_factory.mktemp("plain"), "plain")) as api:
        yield api


def still(value: Any) -> Any:
    """Without what differs from one answer to the next."""
    if isinstance(value, dict):
        return {name: still(part) for name, part in value.items() if name not in VOLATILE}
    return [still(part) for part in value] if isinstance(value, list) else value


ASKED = [
    ("POST", "/predict", BODY),
    ("POST", "/predict", b'{"features": {"distance": "far"}}'),
    ("POST", "/predict", b"{"),
    ("POST", "/predict", b" " * 70_000),
    ("POST", "/predict/batch", json.dumps({"rows": [{"features": GOOD}] * 1000}).encode()),
    ("POST", "/predict/batch", json.dumps({"rows": [{"features": GOOD}, {"features": {}}]}).encode()),
    ("POST", "/explain", BODY),
    ("GET", "/model", b""),
    ("GET", "/docs", b""),
    ("GET", "/openapi.json", b""),
    ("GET", "/health/live", b""),
    ("GET", "/predictions/recent", b""),
    ("GET", "/nowhere", b""),
    ("DELETE", "/predict", b""),
]


@pytest.mark.parametrize(("method", "path", "body"), ASKED)
async def test_an_answer_is_the_same_by_https(secured: Secured, plain: Api, method: str, path: str, body: bytes):
    answers = []
    for url, verify in ((secured.api.url, trusting(secured.authority.file)), (plain.url, False)):
        async with httpx.AsyncClient(base_url=url, verify=verify, trust_env=False, timeout=90) as http:
            headers = {"content-type": "application/json"} if body else {}
            answers.append(await http.request(method, path, content=body, headers=headers))

    by_tls, without = answers
    assert by_tls.status_code == without.status_code
    ignored = {"date", "x-request-id", "content-length"}
    assert dict(by_tls.headers).keys() == dict(without.headers).keys()
    for name in dict(by_tls.headers).keys() - ignored:
        assert by_tls.headers[name] == without.headers[name]
    if "json" in by_tls.headers.get("content-type", ""):
        assert still(by_tls.json()) == still(without.json())
    else:
        assert by_tls.text == without.text


async def test_metrics_say_when_the_certificate_ends(secured: Secured, plain: Api):
    ends = await secured.api.metric("tidemark_api_certificate_ends_timestamp_seconds")

    assert 0 < ends - time.time() <= 3600
    assert await secured.api.metric("tidemark_api_certificate_current") == 1
    assert await plain.metric("tidemark_api_certificate_ends_timestamp_seconds") == float("inf")


async def test_the_start_names_https(secured: Secured):
    assert f"api: {secured.api.url} (docs at /docs)" in secured.api.process.tail(50)


async def test_the_probe_of_the_containers_finds_it_ready(secured: Secured):
    env = {"API_PORT": str(secured.api.port), "API_TLS_CERT_FILE": str(secured.certificate)}
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "api.probe", env=env, cwd=REPOSITORY)

    assert await process.wait() == 0


async def test_plain_http_gets_no_answer(secured: Secured):
    reader, writer = await asyncio.open_connection("127.0.0.1", secured.api.port)
    writer.write(b"POST /predict HTTP/1.1\r\nhost: api\r\ncontent-length: %d\r\n\r\n%b" % (len(BODY), BODY))
    async with asyncio.timeout(30 * PATIENCE):
        assert not (await reader.read()).startswith(b"HTTP/")
    writer.close()


async def test_a_client_of_another_authority_does_not_talk_to_it(secured: Secured, tmp_path: Path):
    stranger = trusting(Authority(tmp_path).file)
    async with httpx.AsyncClient(verify=stranger, trust_env=False) as http:
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await http.get(f"{secured.api.url}/health/live")
    assert (await secured.api.predict()).status_code == 200


async def test_tls_below_1_2_is_refused(secured: Secured):
    old = trusting(secured.authority.file)
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection("127.0.0.1", secured.api.port, ssl=old)


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"], ids=["nothing", "a beginning"])
async def test_a_handshake_that_never_ends_costs_its_connection(secured: Secured, sent: bytes):
    begun = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", secured.api.port)
    writer.write(sent)

    async with asyncio.timeout(30 * PATIENCE):
        assert await reader.read() == b""

    assert time.monotonic() - begun < 10 * PATIENCE
    writer.close()


@pytest.mark.parametrize("sent", [b"", b"POST /predict HTTP/1.1\r\nx-slow: "], ids=["nothing", "a beginning"])
async def test_headers_that_never_end_cost_their_connection(secured: Secured, sent: bytes):
    reader, writer = await by_tls(secured)
    writer.write(sent)

    async with asyncio.timeout(30 * PATIENCE):
        assert await reader.read() == b""
    writer.close()


async def by_tls(secured: Secured) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    context = trusting(secured.authority.file)
    return await asyncio.open_connection("127.0.0.1", secured.api.port, ssl=context)


async def test_a_body_may_come_in_pieces_and_one_that_never_comes_gets_408(secured: Secured):
    reader, writer = await by_tls(secured)
    head = b"POST /predict HTTP/1.1\r\nhost: api\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    for piece in (head % len(BODY), BODY[:10], BODY[10:]):
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.05)
    assert await status(reader) == 200
    writer.write((head % len(BODY) + BODY) * 3)  # sent before they are answered
    assert [await status(reader) for _ in range(3)] == [200] * 3

    writer.write(head % len(BODY))
    assert await status(reader) == 408
    async with asyncio.timeout(30 * PATIENCE):
        assert await reader.read() == b""
    writer.close()


async def status(reader: asyncio.StreamReader) -> int:
    async with asyncio.timeout(30 * PATIENCE):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
    return int(head[9:12])


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_certificate_is_renewed_under_load_and_a_broken_one_is_not_taken(
    model: str, tmp_path: Path, workers: int
):
    secured = a_secured(tmp_path, workers=workers)
    async with running(secured.api):
        load = Load(secured.api.url, connections=4, pause=0.005)
        async with load.on():
            await load.more(50)
            before = await shown(secured)
            secured.certificate.write_text("no certificate")
            await eventually(lambda: told(secured, workers, "the former one stays in force"), 30, "a word on it")
            assert await shown(secured) == before
            await eventually(lambda: current(secured, 0), 20, "its series")

            secured.authority.issue(secured.certificate, secured.key, "127.0.0.1", with_rsa=True)
            await eventually(lambda: told(secured, workers, "read again"), 30, "the new one")
            after = {await shown(secured) for _ in range(8)}
            assert len(after) == 1
            assert before not in after
            await load.more(50)
            await eventually(lambda: current(secured, workers), 20, "its series")

        assert (load.lost, sum(load.refused.values())) == (0, 0)


async def test_a_worker_that_is_started_again_shows_the_renewed_certificate(model: str, tmp_path: Path):
    secured = a_secured(tmp_path, workers=2)
    async with running(secured.api):
        before = await shown(secured)
        secured.authority.issue(secured.certificate, secured.key, "127.0.0.1")
        await eventually(lambda: told(secured, 2, "read again"), 30, "the new one")
        pids = [int(line.split("process ")[1]) for line in started(secured)]
        os.kill(pids[0], signal.SIGKILL)
        await eventually(lambda: len(started(secured)) == 3, 60, "its follower")
        await eventually(lambda: told(secured, 3, "in force until"), 60, "it serves")
        assert before not in {await shown(secured) for _ in range(16)}


async def current(secured: Secured, workers: int) -> bool:
    """Whether so many show that the files are in force: what another one shows is up to a second old."""
    return await secured.api.metric("tidemark_api_certificate_current") == workers


def told(secured: Secured, workers: int, words: str) -> bool:
    return sum(words in line for line in secured.api.process.tail(400)) >= workers


def started(secured: Secured) -> list[str]:
    lines = [json.loads(line).get("message", "") for line in secured.api.process.tail(400) if line.startswith("{")]
    return [line for line in lines if ": started, process " in line]


async def shown(secured: Secured) -> bytes:
    """The certificate of a new connection (DER)."""

    def get() -> bytes:
        context = trusting(secured.authority.file)
        with (
            socket.create_connection(("127.0.0.1", secured.api.port), timeout=30) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as wrapped,
        ):
            found = wrapped.getpeercert(binary_form=True)
        assert found is not None
        return found

    return await asyncio.to_thread(get)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
async def test_it_ends_in_order_although_clients_hold_connections(
    model: str, tmp_path: Path, number: signal.Signals, code: int
):
    secured = a_secured(tmp_path, drain_seconds=0)
    async with running(secured.api):
        _, writer = await by_tls(secured)
        bare = socket.create_connection(("127.0.0.1", secured.api.port))
        begun = time.monotonic()
        os.kill(secured.api.process.pid, number)
        assert await asyncio.to_thread(secured.api.process.wait, 60) == code
        assert time.monotonic() - begun < 10 * PATIENCE
        writer.close()
        bare.close()


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_pair_that_does_not_fit_ends_the_start_with_one_line(model: str, tmp_path: Path, workers: int):
    secured = a_secured(tmp_path, workers=workers)
    secured.authority.issue(tmp_path / "other.pem", secured.key, "127.0.0.1")

    secured.api.process.start()

    assert await asyncio.to_thread(secured.api.process.wait, 120) == 2
    (line,) = secured.api.process.tail()
    assert line == (
        f"api: API_TLS_KEY_FILE: {secured.key} is not the key of the first certificate in {secured.certificate} "
        "(API_TLS_CERT_FILE)"
    )
