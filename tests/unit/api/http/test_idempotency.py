"""Idempotency-Key as a client sees it, in one process and in several that share an outbox directory."""

import asyncio
import json
import os
import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.guard.keys import Scope
from api.http.exchange import Call
from api.http.problems import Reply
from api.idempotency.operations import Take
from api.idempotency.ticket import digest_of
from api.outbox.log import Outbox
from api.requests.headers import read_headers
from contracts.events import decode_event
from tests.builders import NOON
from tests.serving import a_served, an_app, services
from tests.waiting import eventually

JSON = {"content-type": "application/json"}
GOOD = {"features": {"distance": 70, "seats": None, "carrier": "a"}}
BATCH = {"rows": [GOOD, {"features": {"distance": "x"}}, GOOD]}


async def ask(app: Any, body: Any = GOOD, key: str | None = "k-1", path: str = "/predict") -> httpx.Response:
    headers = JSON if key is None else {**JSON, "idempotency-key": key}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as http:
        return await http.post(path, content=json.dumps(body).encode(), headers=headers)


def events(app: Any) -> list[Any]:
    slice_ = services(app).outbox.backlog.read()
    groups = [] if slice_ is None else slice_.groups
    return [decode_event(record.value) for group in groups for record in group.records]


def die(app: Any) -> None:
    """As by SIGKILL, for what others can see: the locks of the process are gone, nothing else is said."""
    ledger, publisher = services(app).ledger, services(app).publisher
    os.close(ledger._transactions._owners._lock)
    publisher._sources.own.slot.release()


def kind(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].rsplit(":", 1)[1]


@pytest.mark.parametrize(("path", "body", "count"), [("/predict", GOOD, 1), ("/predict/batch", BATCH, 2)])
@pytest.mark.parametrize("door", ["fast", "plain"])
async def test_a_retry_gets_the_first_answer_byte_for_byte_and_makes_no_event(
    tmp_path: Path, path: str, body: Any, count: int, door: str
):
    app = an_app(tmp_path, served=a_served())

    first = await ask(app, body, path=path)
    again = await ask(app if door == "fast" else app.app, body, path=path)

    assert (first.status_code, again.status_code) == (200, 200)
    assert again.content == first.content
    assert again.headers["content-type"] == first.headers["content-type"]
    assert ("idempotent-replayed" in first.headers, again.headers["idempotent-replayed"]) == (False, "true")
    assert len(events(app)) == count


async def test_without_the_header_each_request_is_its_own_and_no_file_is_made(tmp_path: Path):
    app = an_app(tmp_path, served=a_served())

    first, again = await ask(app, key=None), await ask(app, key=None)

    assert first.content != again.content
    assert len(events(app)) == 2
    assert not (tmp_path / "outbox" / "idempotency").exists()


async def test_another_key_or_another_path_is_another_request(tmp_path: Path):
    app = an_app(tmp_path, served=a_served())

    answers = [await ask(app), await ask(app, key="k-2"), await ask(app, {"rows": [GOOD]}, path="/predict/batch")]

    assert [answer.status_code for answer in answers] == [200] * 3
    assert len(events(app)) == 3


async def test_the_same_key_with_another_body_is_refused(tmp_path: Path):
    app = an_app(tmp_path, served=a_served())
    await ask(app)

    answer = await ask(app, {"features": {"distance": 71}})

    assert kind(answer) == (422, "idempotency-mismatch")
    assert len(events(app)) == 1


@pytest.mark.parametrize("keys", [["two words"], ["x" * 256], ["é"], ["tab\tbed"], [""], ["k-1", "k-2"], ["k", "k"]])
@pytest.mark.parametrize("door", ["fast", "plain"])
async def test_a_key_that_is_none_is_refused(tmp_path: Path, keys: list[str], door: str):
    app = an_app(tmp_path, served=a_served())
    headers = [("content-type", "application/json"), *(("idempotency-key", key) for key in keys)]
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app if door == "fast" else app.app), base_url="http://api"
    ) as http:
        answer = await http.post("/predict", content=json.dumps(GOOD).encode(), headers=raw)

    assert kind(answer) == (400, "idempotency-key")
    assert events(app) == []


async def test_the_longest_key_is_taken(tmp_path: Path):
    assert (await ask(an_app(tmp_path, served=a_served()), key="~" * 255)).status_code == 200


async def test_a_retry_while_the_first_is_under_way_is_told_so(tmp_path: Path):
    app = an_app(tmp_path, served=a_served(), batch_rows=1)
    rows = {"rows": [GOOD] * 50}

    answers = await asyncio.gather(*(ask(app, rows, path="/predict/batch") for _ in range(5)))

    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409, 409]
    refused = next(answer for answer in answers if answer.status_code == 409)
    assert kind(refused) == (409, "idempotency-in-progress")
    assert refused.headers["retry-after"] == "1"
    assert len(events(app)) == 50
    assert (await ask(app, rows, path="/predict/batch")).headers["idempotent-replayed"] == "true"


@pytest.mark.parametrize("body", [{"features": {"distance": "x"}}, {"features": {"distance": -1}}])
async def test_a_refusal_is_not_remembered(tmp_path: Path, body: Any):
    app = an_app(tmp_path, served=a_served())

    refused, again = await ask(app, body), await ask(app, body)
    mended = await ask(app)

    assert refused.status_code == again.status_code >= 400
    assert "idempotent-replayed" not in again.headers
    assert (mended.status_code, len(events(app))) == (200, 1)


async def test_what_the_outbox_had_no_room_for_can_be_sent_again(tmp_path: Path):
    app = an_app(tmp_path, served=a_served(), outbox_max_bytes=1 << 20, body_limit_bytes=500_000)
    large = {"features": {"distance": 1, "carrier": "x" * 400_000}}
    assert [(await ask(app, large, key=f"k-{n}")).status_code for n in range(3)] == [200, 200, 503]
    backlog = services(app).outbox.backlog
    backlog.ack(backlog.read())

    assert (await ask(app, large, key="k-2")).status_code == 200


async def test_another_process_of_the_host_answers_a_retry(tmp_path: Path):
    one, other = an_app(tmp_path, served=a_served()), an_app(tmp_path, served=a_served())

    first, again = await ask(one), await ask(other)

    assert again.content == first.content
    assert (len(events(one)), len(events(other))) == (1, 0)


async def test_a_key_that_another_process_works_on_is_in_progress(tmp_path: Path):
    one, other = an_app(tmp_path, served=a_served()), an_app(tmp_path, served=a_served())
    await ask(one, key="else")
    take(one)

    answer = await ask(other)

    assert kind(answer) == (409, "idempotency-in-progress")


def take(app: Any, key: str = "k-1") -> None:
    """This process takes the key, and does not answer."""
    digest = digest_of("anybody", "/predict", key.encode())
    services(app).ledger._transactions._store.run(
        [Take(digest, json.dumps(GOOD).encode(), int(NOON.timestamp() * 1000))]
    )


async def test_a_key_of_a_process_that_died_before_its_event_is_free(tmp_path: Path):
    """one: take, SIGKILL.  other: a first request."""
    one, other = an_app(tmp_path, served=a_served()), an_app(tmp_path, served=a_served())
    await ask(one, key="else")
    take(one)
    die(one)

    answer = await ask(other)

    assert (answer.status_code, len(events(other))) == (200, 1)
    assert "idempotent-replayed" not in answer.headers


@pytest.mark.parametrize(("path", "body"), [("/predict", GOOD), ("/predict/batch", BATCH)])
async def test_a_key_of_a_process_that_died_after_its_event_has_that_events_answer(
    tmp_path: Path, path: str, body: Any
):
    """one: take, append, SIGKILL.  other: the answer that nobody got, and no event."""
    one, other = an_app(tmp_path, served=a_served()), an_app(tmp_path, served=a_served())
    first = await ask(one, body, path=path)
    forget_answers(tmp_path)
    die(one)

    answer = await ask(other, body, path=path)

    assert answer.content == first.content
    assert answer.headers["idempotent-replayed"] == "true"
    assert events(other) == []


def forget_answers(directory: Path) -> None:
    """As if the process had been killed between its append and the store's transaction."""
    with sqlite3.connect(directory / "outbox" / "idempotency" / "keys.db") as keys:
        keys.execute("update keys set answer = null")
    keys.close()


async def test_answers_are_in_the_store_before_their_records_can_be_forgotten(tmp_path: Path):
    """one: take, append, SIGKILL.  The publisher that drains its outbox puts the answer into the store first."""
    one, other = an_app(tmp_path, served=a_served()), an_app(tmp_path, served=a_served())
    first = await ask(one)
    forget_answers(tmp_path)
    slice_ = services(one).outbox.backlog.read()
    await services(other).ledger.remember([r.outcome for g in slice_.groups for r in g.records if r.outcome])
    for file in (tmp_path / "outbox").glob("00/*.log"):
        file.unlink()
    die(one)

    assert (await ask(other)).content == first.content


async def test_an_answer_behind_damage_is_found(tmp_path: Path):
    one, other = an_app(tmp_path, served=a_served()), an_app(tmp_path, served=a_served())
    await ask(one, key="first")
    first = await ask(one)
    forget_answers(tmp_path)
    die(one)
    (file,) = (tmp_path / "outbox").glob("00/*.log")
    data = bytearray(file.read_bytes())
    data[40] ^= 255
    file.write_bytes(data)

    assert (await ask(other)).content == first.content


async def test_a_key_is_forgotten_after_its_time(tmp_path: Path):
    clock = [NOON]
    app = an_app(tmp_path, served=a_served(), now=lambda: clock[0], idempotency_seconds=60)
    await ask(app)
    clock[0] += timedelta(seconds=59)
    assert "idempotent-replayed" in (await ask(app)).headers
    clock[0] += timedelta(seconds=2)

    assert "idempotent-replayed" not in (await ask(app)).headers
    assert len(events(app)) == 2


async def test_a_locked_file_gives_503_and_no_event_and_requests_without_a_key_go_on(tmp_path: Path):
    app = an_app(tmp_path, served=a_served())
    await ask(app, key="first")
    locker = sqlite3.connect(tmp_path / "outbox" / "idempotency" / "keys.db", isolation_level=None)
    locker.execute("begin immediate")

    waiting = asyncio.ensure_future(ask(app))
    without = await ask(app, key=None)
    done = waiting.done()
    refused = await waiting
    locker.execute("rollback")
    locker.close()

    assert (without.status_code, done) == (200, False)
    assert kind(refused) == (503, "idempotency")
    assert refused.headers["retry-after"] == "1"
    assert len(events(app)) == 2
    assert (await ask(app)).status_code == 200


async def test_a_file_that_is_no_store_gives_503(tmp_path: Path):
    (tmp_path / "outbox" / "idempotency").mkdir(parents=True)
    (tmp_path / "outbox" / "idempotency" / "keys.db").write_bytes(b"no database" * 1000)
    app = an_app(tmp_path, served=a_served())

    assert kind(await ask(app)) == (503, "idempotency")
    assert (await ask(app, key=None)).status_code == 200


async def test_the_metrics_tell_first_requests_from_replays(tmp_path: Path):
    app = an_app(tmp_path, served=a_served())
    for _ in range(3):
        await ask(app)

    registry = services(app).telemetry.registry
    series = "tidemark_api_idempotent_requests_total"
    assert [registry.get_sample_value(series, {"outcome": name}) for name in ("first", "replayed")] == [1, 2]


class Interrupted:
    """An endpoint whose caller goes away while it works."""

    path = "/predict"
    scope: Scope = "predict"
    limit = 1000
    once = True
    status = 200
    room = None

    def __init__(self) -> None:
        self.worked = 0
        self.go = asyncio.Event()

    async def answer(self, call: Call) -> Reply:
        await self.go.wait()
        self.worked += 1
        return Reply(200, b"done")


async def test_a_caller_that_is_cancelled_does_not_leave_its_key_in_progress(tmp_path: Path):
    once, endpoint = services(an_app(tmp_path)).exchange._once, Interrupted()
    call = Call(b"{}", read_headers([(b"idempotency-key", b"k")]), "anybody", 0.0)
    caller = asyncio.ensure_future(once.answer(endpoint, call))
    await eventually(lambda: len(once._under_way) == 1, 20, "the work")
    caller.cancel()
    endpoint.go.set()
    await asyncio.gather(*once._under_way)

    assert (await once.answer(endpoint, call)).body == b"done"
    assert endpoint.worked == 1


async def test_a_caller_that_is_cancelled_while_its_key_is_taken_leaves_it_to_the_next(tmp_path: Path):
    once, endpoint = services(an_app(tmp_path)).exchange._once, Interrupted()
    endpoint.go.set()
    call = Call(b"{}", read_headers([(b"idempotency-key", b"k")]), "anybody", 0.0)
    caller = asyncio.ensure_future(once.answer(endpoint, call))
    for _ in range(2):  # passes of the loop: the work is a task, and begins with the key
        await asyncio.sleep(0)
    assert once._ledger.waiting == 1
    caller.cancel()
    await asyncio.gather(*once._under_way)

    assert (await once.answer(endpoint, call)).body == b"done"


class Defective:
    """An outbox that raises what nobody expects, before or after the group is in it."""

    def __init__(self, outbox: Outbox, after: bool) -> None:
        self._outbox = outbox
        self._after = after
        self.defects = 1

    def append(self, *group: Any) -> None:
        if not self._after:
            self._defect()
        self._outbox.append(*group)
        self._defect()

    def _defect(self) -> None:
        if self.defects:
            self.defects -= 1
            raise MemoryError("a defect")


@pytest.mark.parametrize(("path", "body"), [("/predict", GOOD), ("/predict/batch", {"rows": [GOOD]})])
async def test_a_key_is_free_whatever_was_raised_before_its_event_was_in_the_outbox(
    tmp_path: Path, path: str, body: Any
):
    app = an_app(tmp_path, served=a_served())
    predictor = services(app).predictor
    predictor.commits._outbox = Defective(predictor.commits._outbox, after=False)

    failed = await ask(app, body, path=path)
    again = await ask(app, body, path=path)

    assert kind(failed) == (500, "unexpected")
    assert (again.status_code, len(events(app))) == (200, 1)
    assert "idempotent-replayed" not in again.headers


@pytest.mark.parametrize(("path", "body"), [("/predict", GOOD), ("/predict/batch", {"rows": [GOOD]})])
async def test_a_key_has_its_events_answer_once_it_is_sent_whatever_was_raised_after_it_was_in_the_outbox(
    tmp_path: Path, path: str, body: Any
):
    app = an_app(tmp_path, served=a_served())
    ledger, predictor = services(app).ledger, services(app).predictor
    predictor.commits._outbox = Defective(predictor.commits._outbox, after=True)

    failed = await ask(app, body, path=path)
    meanwhile = await ask(app, body, path=path)
    slice_ = services(app).outbox.backlog.read()
    await ledger.remember([r.outcome for g in slice_.groups for r in g.records if r.outcome])
    again = await ask(app, body, path=path)

    assert kind(failed) == (500, "unexpected")
    assert kind(meanwhile) == (409, "idempotency-in-progress")
    assert (again.status_code, again.headers["idempotent-replayed"], len(events(app))) == (200, "true", 1)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1), st.booleans()), min_size=1, max_size=12))
async def test_however_retries_meet_there_is_one_event_for_each_key(
    tmp_path_factory: pytest.TempPathFactory, requests: list[tuple[int, int, bool]]
):
    """Requests with one of three keys to one of two processes, some at the same time, as any of them would be sent
    again until it is answered.
    """
    directory = tmp_path_factory.mktemp("law")
    apps = [an_app(directory, served=a_served()) for _ in range(2)]

    async def until_answered(key: int, app: int) -> bytes:
        body = {"features": {"distance": key}}
        while (answer := await ask(apps[app], body, key=f"k-{key}")).status_code != 200:
            assert answer.status_code in (409, 503)  # 503: the disk kept another process's transaction too long
            await asyncio.sleep(0.001)
        return answer.content

    answers: list[tuple[int, bytes]] = []
    together: list[tuple[int, int]] = []
    for key, app, wait in requests:
        together.append((key, app))
        if wait:
            found = await asyncio.gather(*(until_answered(*one) for one in together))
            answers += zip((one for one, _ in together), found, strict=True)
            together = []
    found = await asyncio.gather(*(until_answered(*one) for one in together))
    answers += zip((one for one, _ in together), found, strict=True)

    made = sorted(event.features["distance"] for app in apps for event in events(app))
    assert made == sorted({key for key, _ in answers})
    assert len(set(answers)) == len(made)
