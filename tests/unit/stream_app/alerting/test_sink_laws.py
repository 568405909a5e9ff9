"""What every member of SINKS keeps, over real sockets. A new sink adds a row to TARGETS and no test.

An HTTP sink is pointed at the receiver by the settings that all of them have (`SINK_NAME_URL`, ...); its row says what
else it needs and by what its receiver tells a repeat from another alert.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
from prometheus_client import CollectorRegistry

from contracts.alerts import DriftAlert, decode_alert, encode_alert
from contracts.dead_letters import decode_dead_letter, encode_dead_letter
from stream_app.alerting.courier import Courier
from stream_app.alerting.errors import Refused, Retry, SinkSettingsError
from stream_app.alerting.lanes import Lanes
from stream_app.alerting.retry import Limits
from stream_app.alerting.sink import SINKS, Sink
from stream_app.alerting.telemetry import SinkTelemetry
from tests.alerting import an_alert
from tests.certificates import Certificates, certificates
from tests.fakes import FakeRecord, ManualClock, RecordingBox, half
from tests.receivers import (
    Answer,
    HttpReceiver,
    Posted,
    dripping_body,
    dripping_head,
    echo_nonsense,
    echo_redirect,
    echo_refusal,
    hang_up,
    listening,
    receiving,
    silence,
    status,
)
from tests.waiting import eventually

MARK = "topsecret"


class Target(NamedTuple):
    """settings: what the sink needs besides the ones of every HTTP sink; each value is a secret. told: of a request,
    what the receiver recognises the alert by: its id, or its incident where the receiver has one state for that."""

    settings: Mapping[str, str]
    told: Callable[[Posted], str]


class Local(NamedTuple):
    """A sink that writes lines here. settings: may name {directory}. written: the file, None for standard output."""

    settings: Mapping[str, str]
    written: str | None


TARGETS: dict[str, Target | Local] = {
    "log": Local({}, None),
    "file": Local({"SINK_FILE_PATH": "{directory}/alerts.jsonl"}, "alerts.jsonl"),
    "webhook": Target(
        {"SINK_WEBHOOK_SECRET": "whsec_" + base64.b64encode(MARK.encode() * 4).decode()},
        lambda posted: posted.headers["webhook-id"],
    ),
    "slack": Target({}, lambda posted: re.search(rb"\| id (\w+)", posted.body)[1].decode()),  # type: ignore[index]
    "pagerduty": Target(
        {"SINK_PAGERDUTY_ROUTING_KEY": (MARK * 4)[:32]}, lambda posted: json.loads(posted.body)["dedup_key"]
    ),
    "alertmanager": Target({}, lambda posted: json.loads(posted.body)[0]["labels"]["incident"]),
}
HTTP = [sink for sink in SINKS if not isinstance(TARGETS.get(sink.name), Local)]
every_sink = pytest.mark.parametrize("kind", SINKS, ids=lambda kind: kind.name)
every_http_sink = pytest.mark.parametrize("kind", HTTP, ids=lambda kind: kind.name)


class Post:
    """A courier to one sink, with everything around it. Its waits take no time and are written down."""

    def __init__(self, sink: Sink, attempts: int = 4) -> None:
        self.sink, self.box, self.clock = sink, RecordingBox(), ManualClock()
        self.courier = Courier(
            sink,
            self.box,
            Limits(attempts=attempts, give_up_after=1000.0, first_delay=1.0, greatest_delay=60.0),
            SinkTelemetry(sink.name, CollectorRegistry()),
            random=half,
            clock=self.clock,
            pause=self.clock.pause_unless,
        )

    async def carry(self, *alerts: DriftAlert) -> None:
        for alert in alerts:
            assert await self.courier.handle(FakeRecord.of(41, alert), asyncio.Event())


class Build:
    """Makes sinks as their process does: from the environment, which is the interface under test."""

    def __init__(self, patch: pytest.MonkeyPatch, directory: Path) -> None:
        self.patch, self.directory = patch, directory

    @asynccontextmanager
    async def __call__(self, kind: type[Sink], url: str = "", **settings: object) -> AsyncIterator[Sink]:
        """settings: in lower case, of the HTTP sink's own, e.g. read_timeout_seconds."""
        prefix = f"SINK_{kind.name.upper()}_"
        given = {name: value.format(directory=self.directory) for name, value in TARGETS[kind.name].settings.items()}
        if url:
            settings = {"url": url, "allow_private_addresses": True, **settings}
            given |= {f"{prefix}{name}".upper(): str(value) for name, value in settings.items() if value is not None}
        with self.patch.context() as patch:
            for name, value in given.items():
                patch.setenv(name, value)
            sink = kind.from_environment()
        try:
            yield sink
        finally:
            await sink.close()


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Build:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return Build(monkeypatch, tmp_path)


@pytest.fixture
async def receiver() -> AsyncIterator[HttpReceiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates(tmp_path_factory.mktemp("tls"), "127.0.0.1")


@asynccontextmanager
async def delivering(
    kind: type[Sink], build: Build, capsys: pytest.CaptureFixture[str]
) -> AsyncIterator[tuple[Sink, Callable[[], list[str]], HttpReceiver]]:
    """A sink, what its receiver was told by now, and the receiver, which a local sink does not use."""
    target = TARGETS[kind.name]
    async with receiving() as receiver:
        if isinstance(target, Target):
            async with build(kind, url_of(receiver)) as sink:
                yield sink, lambda: [target.told(posted) for posted in receiver.posted], receiver
        else:
            printed: list[str] = []

            def lines() -> list[str]:
                printed.extend(capsys.readouterr().out.splitlines())
                written = printed if target.written is None else (build.directory / target.written).read_text().split()
                return [json.loads(line)["id"] for line in written]

            async with build(kind) as sink:
                yield sink, lines, receiver


def url_of(receiver: HttpReceiver, scheme: str = "http", host: str = "127.0.0.1") -> str:
    return f"{scheme}://{host}:{receiver.port}/hook"


def names(alert: DriftAlert) -> set[str]:
    return {alert.id, alert.incident}


def test_every_sink_has_a_row_in_the_table_of_this_suite() -> None:
    assert [sink.name for sink in SINKS if sink.name not in TARGETS] == []


# ---- every sink


@every_sink
async def test_a_repeat_is_told_by_the_same_key_and_another_alert_by_another(kind, build, capsys) -> None:
    first, second = an_alert(1), an_alert(2)
    async with delivering(kind, build, capsys) as (sink, told, _):
        await Post(sink).carry(first, first, second)
        keys = list(dict.fromkeys(told()))
    assert len(keys) == 2
    assert keys[0] in names(first)
    assert keys[1] in names(second)


@every_sink
async def test_one_models_alerts_keep_their_order_through_failures_and_no_other_model_waits(
    kind, build, capsys
) -> None:
    """
    flights   1 (held, then 503)  1 (503)  1  2  3
    payments       1  2
    """
    opened = asyncio.Event()

    async def held(posted: Posted, writer: asyncio.StreamWriter) -> None:
        await opened.wait()
        await status(503)(posted, writer)

    flights = [an_alert(number, model="flights") for number in (1, 2, 3)]
    payments = [an_alert(number, model="payments") for number in (1, 2)]
    async with delivering(kind, build, capsys) as (sink, told, receiver):
        over_http = isinstance(TARGETS[kind.name], Target)
        receiver.answers.append(held)
        lanes: Lanes[FakeRecord] = Lanes(Post(sink).courier.handle)
        for offset, alert in enumerate(flights):
            lanes.add(FakeRecord.of(offset, alert))
        if over_http:
            await eventually(lambda: receiver.posted, 20, "the first attempt, which is held")
        for offset, alert in enumerate(payments, start=3):
            lanes.add(FakeRecord.of(offset, alert))
        await eventually(lambda: lanes.in_hand <= len(flights), 20, "the other model's alerts")
        if over_http:
            assert lanes.in_hand == len(flights)
        receiver.answers.append(status(503))
        opened.set()
        await eventually(lambda: lanes.position == 5, 20, "all alerts")
        keys = told()
    of_flights = [key for key in keys if any(key in names(alert) for alert in flights)]
    of_payments = [key for key in keys if any(key in names(alert) for alert in payments)]
    assert len(of_flights) == (5 if over_http else 3)
    assert [key in names(alert) for key, alert in zip(dict.fromkeys(of_flights), flights, strict=True)] == [True] * 3
    assert [key in names(alert) for key, alert in zip(of_payments, payments, strict=True)] == [True] * 2
    if over_http:  # the failures were all of the first
        assert set(of_flights[:3]) <= names(flights[0])


@every_sink
async def test_alerts_of_many_models_at_once_all_arrive(kind, build, capsys) -> None:
    alerts = [an_alert(model=f"model-{number}") for number in range(40)]
    async with delivering(kind, build, capsys) as (sink, told, _):
        lanes: Lanes[FakeRecord] = Lanes(Post(sink).courier.handle)
        for offset, alert in enumerate(alerts):
            lanes.add(FakeRecord.of(offset, alert))
        await eventually(lambda: lanes.position == len(alerts), 20, "all alerts")
        keys = told()
    assert len(keys) == len(alerts)
    assert len([alert for alert in alerts if names(alert) & set(keys)]) == len(alerts)


@every_sink
async def test_a_sink_says_where_alerts_go_and_shows_no_secret(kind, build, receiver: HttpReceiver) -> None:
    url = (
        "" if isinstance(TARGETS[kind.name], Local) else f"https://user:{MARK}@alerts.example.com:8443/{MARK}?t={MARK}"
    )
    async with build(kind, url) as sink:
        assert sink.destination
        assert MARK not in sink.destination
        assert MARK not in repr(sink)
        if url:
            assert sink.destination == "https://alerts.example.com:8443"


# ---- over HTTP: attempts


@every_http_sink
@pytest.mark.parametrize(
    "answer", [408, 429, 500, 502, 503, 504, hang_up, echo_nonsense], ids=lambda a: getattr(a, "__name__", str(a))
)
async def test_what_may_pass_is_tried_again_with_backoff_and_jitter(
    kind, build, receiver, answer: int | Answer
) -> None:
    receiver.answers.extend([answer if callable(answer) else status(answer)] * 3)
    async with build(kind, url_of(receiver)) as sink:
        post = Post(sink)
        await post.carry(an_alert())
    assert (len(receiver.posted), post.box.letters) == (4, [])
    assert post.clock.waits == [0.5, 1.0, 2.0]  # half of 1, 2, 4: the random number of this courier is a half
    assert len({TARGETS[kind.name].told(posted) for posted in receiver.posted}) == 1


@every_http_sink
async def test_nobody_listening_is_tried_again(kind, build) -> None:
    async with receiving() as gone:
        url = url_of(gone)
    async with build(kind, url) as sink:
        post = Post(sink)
        await post.carry(an_alert())
    assert post.clock.waits == [0.5, 1.0, 2.0]
    assert "no answer: ConnectError: Connection refused" in post.box.letters[0].detail


@every_http_sink
@pytest.mark.parametrize("code", [429, 503])
async def test_the_receivers_retry_after_is_kept(kind, build, receiver, code: int) -> None:
    receiver.answers.append(status(code, {"Retry-After": "17"}))
    async with build(kind, url_of(receiver)) as sink:
        post = Post(sink)
        await post.carry(an_alert())
    assert (post.clock.waits, len(receiver.posted), post.box.letters) == ([17.5], 2, [])  # half a second of jitter


@every_http_sink
@pytest.mark.parametrize("code", [400, 401, 403, 404, 405, 410, 413, 422])
async def test_any_other_refusal_is_final_and_a_dead_letter(kind, build, receiver, code: int) -> None:
    receiver.answers.append(status(code))
    async with build(kind, url_of(receiver)) as sink:
        post = Post(sink)
        await post.carry(an_alert())
    (letter,) = post.box.letters
    assert (len(receiver.posted), letter.attempts, post.clock.waits) == (1, 1, [])
    assert f"the receiver answered {code} " in letter.detail


@every_http_sink
async def test_a_dead_letter_holds_all_that_sending_again_needs(kind, build, receiver) -> None:
    """And sent again it tells the receiver what it was told before."""
    receiver.answers.extend([status(503)] * 4)
    alert = an_alert()
    async with build(kind, url_of(receiver)) as sink:
        post = Post(sink)
        await post.carry(alert)
        (kept,) = post.box.letters
        letter = decode_dead_letter(encode_dead_letter(kept))
        assert (letter.reason, letter.sink, letter.attempts) == ("undeliverable", kind.name, 4)
        assert (letter.id, letter.key, letter.value) == ("drift-alerts/0/41", b"flights", encode_alert(alert))
        assert letter.detail.startswith(f"sink {kind.name}: 4 attempts")
        await sink.deliver(decode_alert(letter.value), letter.value)
    assert len({TARGETS[kind.name].told(posted) for posted in receiver.posted}) == 1
    assert len(receiver.posted) == 5


# ---- over HTTP: time


@every_http_sink
@pytest.mark.parametrize("answer", [silence, dripping_head], ids=["silent", "dripping"])
async def test_a_receiver_that_never_finishes_its_answer_is_left_in_time(kind, build, receiver, answer: Answer) -> None:
    receiver.answers.append(answer)
    async with build(kind, url_of(receiver), connect_timeout_seconds=0.2, read_timeout_seconds=0.3) as sink:
        with pytest.raises(Retry, match="no answer"):
            await asyncio.wait_for(sink.deliver(an_alert(), encode_alert(an_alert())), 10)


@every_http_sink
async def test_a_receiver_that_accepts_and_never_shakes_hands_is_left_after_the_connect_timeout(kind, build) -> None:
    async def speechless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with listening(speechless) as port:
        url = f"https://127.0.0.1:{port}/"
        async with build(kind, url, connect_timeout_seconds=0.3, read_timeout_seconds=60) as sink:
            with pytest.raises(Retry, match="no answer: ConnectTimeout"):
                await asyncio.wait_for(sink.deliver(an_alert(), encode_alert(an_alert())), 10)


@every_http_sink
@pytest.mark.parametrize("code", [200, 503, 400])
async def test_an_endless_body_is_not_waited_for(kind, build, receiver, code: int) -> None:
    receiver.answers.append(dripping_body(code))
    async with build(kind, url_of(receiver)) as sink:
        attempt = asyncio.wait_for(sink.deliver(an_alert(), encode_alert(an_alert())), 10)
        if code == 200:
            await attempt
        else:
            with pytest.raises(Retry if code == 503 else Refused, match=str(code)):
                await attempt


# ---- over HTTP: where to


@every_http_sink
@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(kind, build, receiver, code: int) -> None:
    async with receiving() as elsewhere:
        receiver.answers.append(status(code, {"location": url_of(elsewhere)}))
        async with build(kind, url_of(receiver)) as sink:
            post = Post(sink)
            await post.carry(an_alert())
        assert (len(receiver.posted), elsewhere.connections) == (1, 0)
    assert "redirects are not followed" in post.box.letters[0].detail


@every_http_sink
async def test_a_certificate_nobody_vouches_for_is_refused_before_a_byte_of_the_alert(kind, build, tls) -> None:
    async with receiving(tls.server) as receiver:
        async with build(kind, url_of(receiver, "https")) as sink:
            with pytest.raises(Retry, match="certificate is not trusted"):
                await sink.deliver(an_alert(), encode_alert(an_alert()))
        assert receiver.posted == []


@every_http_sink
async def test_an_authority_that_is_named_is_trusted(kind, build, tls) -> None:
    async with (
        receiving(tls.server) as receiver,
        build(kind, url_of(receiver, "https"), ca_bundle=tls.authority) as sink,
    ):
        await sink.deliver(an_alert(), encode_alert(an_alert()))
        assert len(receiver.posted) == 1


@every_http_sink
async def test_a_certificate_for_another_name_is_refused_also_from_a_trusted_authority(kind, build, tls) -> None:
    async with (
        receiving(tls.server) as receiver,
        build(kind, url_of(receiver, "https", "localhost"), ca_bundle=tls.authority) as sink,
    ):
        with pytest.raises(Retry, match="certificate is not trusted"):
            await sink.deliver(an_alert(), encode_alert(an_alert()))
        assert receiver.posted == []


LOOPBACK = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.1",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "localhost",
    "LOCALHOST",
]
ELSEWHERE = ["10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "[fd00::1]", "[64:ff9b::10.0.0.1]"]
NEVER = ["169.254.169.254", "2852039166", "[::ffff:169.254.169.254]", "[fe80::1]", "224.0.0.1", "[ff02::1]", "0.0.0.0"]


async def refusal(kind: type[Sink], build: Build, url: str, allow: bool | None) -> str:
    """Why nothing is posted there: said at the start when the address is in the URL, else at the first attempt."""
    try:
        async with build(kind, url, allow_private_addresses=allow) as sink:
            with pytest.raises(Refused) as refused:
                await sink.deliver(an_alert(), encode_alert(an_alert()))
            return str(refused.value)
    except SinkSettingsError as error:
        return str(error)


@every_http_sink
@pytest.mark.parametrize("allow", [None, False])
@pytest.mark.parametrize("host", [*LOOPBACK, *ELSEWHERE])
async def test_a_private_address_in_any_spelling_is_refused_and_the_error_says_how_to_allow_it(
    kind, build, receiver, host: str, allow: bool | None
) -> None:
    why = await refusal(kind, build, url_of(receiver, host=host), allow)
    assert f"SINK_{kind.name.upper()}_ALLOW_PRIVATE_ADDRESSES=true" in why
    assert receiver.connections == 0


@every_http_sink
@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "2130706433", "localhost"])
async def test_a_private_address_that_is_allowed_is_posted_to_under_its_own_name(
    kind, build, receiver, host: str
) -> None:
    async with build(kind, url_of(receiver, host=host)) as sink:
        await sink.deliver(an_alert(), encode_alert(an_alert()))
    assert [posted.headers["host"] for posted in receiver.posted] == [f"{host}:{receiver.port}"]


@every_http_sink
@pytest.mark.parametrize("host", NEVER)
async def test_link_local_and_the_like_are_never_posted_to(kind, build, receiver, host: str) -> None:
    assert "never used" in await refusal(kind, build, url_of(receiver, host=host), allow=True)


# ---- over HTTP: secrets


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    for name in (None, "httpx", "httpcore", "httpcore.http11", "httpcore.connection", "httpcore.proxy", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name)
    return caplog


@every_http_sink
async def test_no_secret_is_logged_or_kept_whatever_the_receiver_does(
    kind, build, receiver, tls, everything_logged, capfd
) -> None:
    """The receiver says everything it was told back, in every place of an answer, and fails in every way."""
    private = f"user:{MARK}@127.0.0.1"
    path = f"/{MARK}/path?token={MARK}"
    letters = []

    async def fail(url: str, *answers: Answer, **settings: object) -> None:
        receiver.answers.extend(answers)
        async with build(kind, url, **settings) as sink:
            post = Post(sink, attempts=2)
            await post.carry(an_alert())
            letters.extend(post.box.letters)

    here = partial(fail, f"http://{private}:{receiver.port}{path}")
    await here(status(503), hang_up)
    await here(echo_nonsense, echo_nonsense)
    await here(echo_refusal)
    await here(echo_redirect)
    await here(silence, silence, connect_timeout_seconds=0.1, read_timeout_seconds=0.1)
    await fail(f"https://{private}:{receiver.port}{path}", connect_timeout_seconds=0.2)  # no TLS is spoken there
    async with receiving(tls.server) as secure:
        await fail(f"https://{private}:{secure.port}{path}")
    async with listening(receiver.talk) as port:
        gone = port
    await fail(f"http://{private}:{gone}{path}")
    await fail(f"http://user:{MARK}@localhost:{receiver.port}{path}", allow_private_addresses=None)
    assert len(letters) == 9
    await here()

    said = everything_logged.text + "".join(capfd.readouterr()) + repr(letters)
    assert "connect_tcp.started" in said  # the library was listened to
    assert MARK in receiver.posted[0].line  # and the receiver was told
    secrets = [MARK, base64.b64encode(f"user:{MARK}".encode()).decode(), *TARGETS[kind.name].settings.values()]
    assert [secret for secret in secrets if secret in said] == []
