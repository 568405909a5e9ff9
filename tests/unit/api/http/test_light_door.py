"""The light door and the two behind it, on a real socket: one request, one answer, byte for byte, by each of them."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from api.http.light_door import door_to
from api.http.one_write import OneWrite
from tests.doors import Answering, answering
from tests.keys import a_key, an_entry, write_keys
from tests.serving import FirstNumberScorer, a_served, an_app, of_one_identity, services
from tests.waiting import eventually

GOOD = json.dumps({"features": {"distance": 70, "seats": None, "carrier": "a"}}).encode()
KEY = f"x-api-key: {a_key(1)}"
READER = f"x-api-key: {a_key(2)}"
# what differs from one application, second or answer to the next
OWN = re.compile(
    rb"(?<=date: )[^\r]+|api\.[0-9a-f]{8}-[0-9a-f]{12}|(?<=x-request-id: )[0-9a-f]{32}|[0-9a-f]{16}(?=[\".])"
)


class BrokenScorer(FirstNumberScorer):
    def score(self, rows: Any) -> Any:
        if any(row.f0 == 13 for row in rows):
            raise RuntimeError("a bug")
        return super().score(rows)


def ask(
    body: bytes = GOOD, *more: str, kind: str | None = "application/json", target: str = "/predict", last: bool = False
) -> bytes:
    """A request. more: headers."""
    lines = [f"POST {target} HTTP/1.1", "Host: api", f"Content-Length: {len(body)}", *more]
    lines += [f"Content-Type: {kind}"] if kind else []
    lines += ["Connection: close"] if last else []
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def chunked(*chunks: bytes) -> bytes:
    head = (
        b"POST /predict HTTP/1.1\r\nHost: api\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\n"
    )
    return head + b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


def features(text: str) -> bytes:
    return b'{"features": {' + text.encode() + b"}}"


# which of them the light door takes, and the status; without a key in force
TAKEN = {
    "good": (ask(), 200),
    "named by its client": (ask(GOOD, "X-Request-Id: r-1"), 200),
    "badly named by its client": (ask(GOOD, "X-Request-Id: a b"), 200),
    "of a trace": (ask(GOOD, f"traceparent: 00-{'a' * 32}-{'b' * 16}-01"), 200),
    "chunked": (chunked(GOOD[:9], GOOD[9:]), 200),
    "another JSON": (ask(kind="application/vnd.us+json"), 200),
    "a length of 5,000 digits": (ask().replace(b"Length: ", b"Length: " + b"0" * 5000), 200),
    "with an idempotency key": (ask(GOOD, "Idempotency-Key: k-1"), 200),
    "the same again": (ask(GOOD, "Idempotency-Key: k-1"), 200),
    "the same key, other body": (ask(features('"distance": 1'), "Idempotency-Key: k-1"), 422),
    "a wrong idempotency key": (ask(GOOD, f"Idempotency-Key: {'k' * 300}"), 400),
    "an unknown feature": (ask(features('"distnce": 1'), "X-Request-Id: r-2"), 422),
    "no JSON": (ask(b"distance=1"), 400),
    "nothing": (ask(b""), 400),
    "bad UTF-8": (ask(b'{"features": {"carrier": "\xff"}}'), 400),
    "an offer of HTTP/2": (ask(GOOD, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AA"), 200),
    "an offer of a web socket": (ask(GOOD, "Connection: upgrade", "Upgrade: websocket"), 200),
    "an offer with chunks": (chunked(GOOD).replace(b"Host: api", b"Connection: upgrade\r\nUpgrade: h2c"), 200),
    "a form": (ask(b"a=1", kind="application/x-www-form-urlencoded"), 415),
    "no content type": (ask(kind=None), 415),
    "the model fails": (ask(features('"distance": -1')), 500),
    "a defect": (ask(features('"distance": 13')), 500),
}
LEFT = {
    "too long": (ask(GOOD + b" " * 65_536), 413),
    "ten megabytes": (ask(GOOD + b" " * 10_000_000), 413),
    "ten megabytes in chunks": (chunked(*[b" " * 100_000] * 100), 413),
    "a query": (ask(target="/predict?a=1"), 200),
    "an escaped path": (ask(target="/%70redict"), 200),
    "a whole address": (ask(target="http://api/predict"), 200),
    "another path": (ask(target="/predicts"), 404),
    "another method": (b"GET /predict HTTP/1.1\r\nHost: api\r\n\r\n", 405),
    "its head alone": (b"HEAD /predict HTTP/1.1\r\nHost: api\r\n\r\n", 405),
    "a wish to go on": (ask(GOOD, "Expect: 100-continue"), 100),
    "an offer of an old client": (
        ask(GOOD, "Connection: keep-alive, upgrade", "Upgrade: h2c").replace(b"HTTP/1.1", b"HTTP/1.0"),
        200,
    ),
    "an offer without a body": (
        b"GET /health/live HTTP/1.1\r\nHost: api\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
        200,
    ),
    "a way through": (b"CONNECT api:80 HTTP/1.1\r\nHost: api\r\n\r\n", 400),
    "an old client": (ask().replace(b"HTTP/1.1", b"HTTP/1.0"), 200),
    "an old client that stays": (ask(GOOD, "Connection: keep-alive").replace(b"HTTP/1.1", b"HTTP/1.0"), 200),
    "its last": (ask(last=True), 200),
    "no HTTP": (b"nonsense\r\n\r\n", 400),
    "a chunk that is none": (chunked(GOOD).replace(b"\r\n\r\n", b"\r\n\r\nx", 1), 400),
}
LAST = ask(GOOD, last=True)


def statuses(answers: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+) ", answers)]


async def by_each_door(
    directory: Path, conversations: Iterable[list[bytes]], served: Any = True, **settings: Any
) -> tuple[list[list[bytes]], int]:
    """What each door says in each conversation, without what is its own; and how often the light door was used."""
    said, light = [], 0
    for door in ("light", "edge", "plain"):
        edge = an_app(
            of_one_identity(directory / door), served=a_served(scorer=BrokenScorer()) if served else None, **settings
        )
        app = edge if door != "plain" else edge.app
        async with answering(app, light=door == "light") as to:
            said.append([OWN.sub(b"-", await to.ask(*requests)) for requests in conversations])
            light += to.light
    return said, light


@pytest.mark.parametrize("name", TAKEN)
async def test_what_the_light_door_takes_it_answers_as_the_others_do(tmp_path: Path, name: str):
    first = [ask(GOOD, "Idempotency-Key: k-1")] if "same" in name else []
    (light, edge, plain), taken = await by_each_door(tmp_path, [[*first, TAKEN[name][0], LAST]])

    assert light == edge == plain
    assert statuses(light[0])[-2:] == [TAKEN[name][1], 200]
    assert taken == len(first) + 1


@pytest.mark.parametrize("name", LEFT)
async def test_what_it_leaves_to_the_others_is_answered_as_if_it_were_not_there(tmp_path: Path, name: str):
    (light, edge, plain), taken = await by_each_door(tmp_path, [[LEFT[name][0] + LAST]])

    assert light == edge == plain
    assert statuses(light[0])[0] == LEFT[name][1]
    assert taken == 0


@pytest.mark.parametrize(("size", "status"), [(65_536, 200), (65_537, 413)])
async def test_the_longest_body_is_the_same_however_it_arrives(tmp_path: Path, size: int, status: int):
    (light, edge, plain), _ = await by_each_door(tmp_path, [[ask(GOOD.ljust(size)), LAST]])

    assert light == edge == plain
    assert statuses(light[0]) == [status, 200]


async def test_one_connection_carries_many_requests(tmp_path: Path):
    requests = [request for request, _ in TAKEN.values()]
    (light, edge, plain), taken = await by_each_door(tmp_path, [[*requests, LAST]])

    assert light == edge == plain
    assert statuses(light[0]) == [status for _, status in TAKEN.values()] + [200]
    assert taken == len(requests)


async def test_many_requests_in_one_packet_are_answered_in_their_order(tmp_path: Path):
    named = [ask(GOOD, f"X-Request-Id: r-{number}") for number in range(20)]
    refused = ask(b"{}", "X-Request-Id: refused")
    mixed = b"".join([refused, named[0], refused, *named[1:10], LEFT["another path"][0], *named[10:], LAST])
    (light, edge, plain), _ = await by_each_door(tmp_path, [[mixed]])

    assert light == edge == plain
    assert re.findall(rb"x-request-id: (r-\d+)", light[0]) == [b"r-%d" % number for number in range(20)]


async def test_a_packet_of_nothing_but_offers_is_answered_offer_by_offer(tmp_path: Path):
    offers = [ask(GOOD, "Connection: upgrade", "Upgrade: h2c", f"X-Request-Id: r-{number}") for number in range(600)]
    async with answering(an_app(tmp_path, served=a_served())) as to:
        answers = await to.talk(b"".join(offers) + LAST)

    assert statuses(answers) == [200] * 601
    assert re.findall(rb"x-request-id: (r-\d+)", answers) == [b"r-%d" % number for number in range(600)]


async def test_who_is_not_let_in_hears_the_same_at_each_door(tmp_path: Path):
    keys = write_keys(
        tmp_path / "keys.json", [an_entry(1, rate=1.0, burst=1), an_entry(2, scopes=("read",)), an_entry(3)]
    )
    asked = [ask(), ask(GOOD, "X-API-Key: tm_0"), ask(GOOD, READER), ask(GOOD, KEY), ask(GOOD, KEY)]
    (light, edge, plain), taken = await by_each_door(tmp_path, [[*asked, LAST]], keys_file=keys)

    assert light == edge == plain
    assert statuses(light[0]) == [401, 401, 403, 200, 429, 401]
    assert taken == len(asked)


async def test_without_a_model_each_door_says_so(tmp_path: Path):
    (light, edge, plain), _ = await by_each_door(tmp_path, [[ask(), LAST]], served=False)

    assert light == edge == plain
    assert statuses(light[0]) == [503, 503]


@pytest.mark.parametrize(
    "request_",
    [
        ask(GOOD, "X-Request-Id: r-1"),
        chunked(GOOD[:9], GOOD[9:]),
        ask(GOOD, "Connection: Upgrade", "Upgrade: h2c"),
    ],
    ids=["whole", "chunked", "offering HTTP/2"],
)
async def test_a_request_in_two_pieces_gets_the_same_answer_wherever_it_is_cut(tmp_path: Path, request_: bytes):
    app = an_app(tmp_path, served=a_served())
    async with answering(app) as to:
        whole = without_numbers(await to.talk(request_ + LAST))
        for place in range(1, len(request_)):
            assert without_numbers(await to.talk(request_[:place], request_[place:] + LAST)) == whole, place


async def test_a_head_alone_waits_for_its_body_a_moment_and_one_packet(tmp_path: Path):
    head, body = ask()[: -len(GOOD)], GOOD
    async with answering(an_app(tmp_path, served=a_served()), wait=60) as to:
        whole = without_numbers(await to.talk(ask() + LAST))
        to.light = 0
        assert without_numbers(await to.talk(head, body + LAST)) == whole
        assert to.light == 1
        assert without_numbers(await to.talk(head + body[:5], body[5:] + LAST)) == whole
        assert to.light == 2
        assert without_numbers(await to.talk(head, body[:5], body[5:] + LAST)) == whole
        assert to.light == 2


async def test_a_body_that_comes_late_goes_the_ordinary_way(tmp_path: Path):
    async with answering(an_app(tmp_path, served=a_served())) as to:
        reader, writer = await to.connect()
        for _ in range(3):
            writer.write(ask()[: -len(GOOD)])
            await eventually(lambda: begun(to), 5, "a request on the ordinary way")
            writer.write(GOOD)
            head = await reader.readuntil(b"\r\n\r\n")
            assert statuses(head) == [200]
            await reader.readexactly(int(head.split(b"content-length: ")[1].split(b"\r\n")[0]))
        writer.close()
        assert to.light == 0


def begun(to: Answering) -> bool:
    cycles = [connection.cycle for connection in to.server.server_state.connections]
    return any(cycle is not None and not cycle.response_complete for cycle in cycles)


async def test_who_hangs_up_behind_the_head_leaves_nothing_behind(tmp_path: Path):
    async with answering(an_app(tmp_path, served=a_served()), wait=60) as to:
        _, writer = await to.connect()
        to.received.clear()
        writer.write(ask()[: -len(GOOD)])
        await to.received.wait()
        writer.close()
        await eventually(lambda: not to.server.server_state.connections, 5, "a closed connection")
        assert statuses(await to.talk(LAST)) == [200]


async def test_a_server_that_ends_still_answers_a_request_whose_head_is_there(tmp_path: Path):
    async with answering(an_app(tmp_path, served=a_served()), wait=60) as to:
        reader, writer = await to.connect()
        to.received.clear()
        writer.write(ask()[: -len(GOOD)])
        await to.received.wait()
        for connection in list(to.server.server_state.connections):
            connection.shutdown()
        writer.write(GOOD)
        answer = await reader.read()
        writer.close()
    assert statuses(answer) == [200]
    assert b"connection: close" in answer


async def test_a_request_may_come_byte_by_byte(tmp_path: Path):
    async with answering(an_app(tmp_path, served=a_served())) as to:
        whole = without_numbers(await to.talk(ask() + LAST))
        assert without_numbers(await to.talk(*(bytes([byte]) for byte in ask()), LAST)) == whole


def without_numbers(answer: bytes) -> bytes:
    """Without the sequence in the ids, the times, and the receipts, which depend on both."""
    own = rb"-[0-9a-f]{10}(?=[\"\r])|(?<=latency_ms\":)[\d.]+|(?<=receipt\":\")[^\"]+"
    return re.sub(own, b"", OWN.sub(b"-", answer))


async def test_where_anything_stands_around_the_api_there_is_no_light_door(tmp_path: Path):
    assert issubclass(door_to(an_app(tmp_path / "open")), OneWrite)
    assert door_to(an_app(tmp_path / "open 2", cors_origins="https://a.example")) is OneWrite


async def test_its_answers_are_counted_and_timed_like_all_others(tmp_path: Path):
    app = an_app(tmp_path, served=a_served())
    async with answering(app) as to:
        await to.ask(ask(), ask(b"{}"), LAST)
        assert to.server.server_state.total_requests == 3

    page = services(app).telemetry.page().decode()
    assert 'request_seconds_count{route="/predict",status="2xx"} 2.0' in page
    assert 'request_seconds_count{route="/predict",status="4xx"} 1.0' in page
    assert "requests_in_flight 0.0" in page
