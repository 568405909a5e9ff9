"""The webhook's own: what is signed, with one secret or with two while one replaces the other."""

from __future__ import annotations

import base64
import json

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from contracts.alerts import encode_alert
from stream_app.alerting.errors import SinkSettingsError
from stream_app.alerting.settings import SinkSettings, both, load
from stream_app.alerting.webhook import WebhookSettings, WebhookSink
from tests.alerting import an_alert
from tests.receivers import Posted, receiving


def secret(letter: str) -> str:
    return "whsec_" + base64.b64encode(letter.encode() * 32).decode()


OLD, NEW, FOREIGN = secret("o"), secret("n"), secret("f")
ALERT, BODY = an_alert(), encode_alert(an_alert())


async def posted(**secrets: str) -> Posted:
    async with receiving() as receiver:
        url = f"http://127.0.0.1:{receiver.port}/"
        sink = WebhookSink(WebhookSettings(url=url, allow_private_addresses=True, **secrets))
        await sink.deliver(ALERT, BODY)
        await sink.close()
    return receiver.posted[0]


def verified(request: Posted, with_secret: str) -> bool:
    """As the official library of receivers says."""
    try:
        return Webhook(with_secret).verify(request.body, request.headers) == json.loads(BODY)
    except WebhookVerificationError:
        return False


async def test_one_secret_makes_one_signature() -> None:
    request = await posted(secret=OLD)
    assert request.headers["webhook-signature"].count("v1,") == 1
    assert (verified(request, OLD), verified(request, NEW)) == (True, False)


async def test_while_a_secret_is_replaced_a_receiver_that_knows_either_accepts_the_alert() -> None:
    """
    sender     OLD       OLD NEW           NEW
    receiver   OLD   OLD        NEW        NEW
    """
    request = await posted(secret=OLD, secret_next=NEW)
    first, second = request.headers["webhook-signature"].split(" ")
    assert first.startswith("v1,")
    assert second.startswith("v1,")
    assert first != second
    assert [verified(request, one) for one in (OLD, NEW, FOREIGN)] == [True, True, False]


async def test_a_next_secret_that_is_the_present_one_signs_once() -> None:
    request = await posted(secret=OLD, secret_next=OLD)
    assert request.headers["webhook-signature"].count("v1,") == 1


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch):
    """Settings come from the environment: it is the interface under test."""
    for name in ("SINK_BOOTSTRAP", "STREAM_BOOTSTRAP", "SINK_WEBHOOK_URL", "SINK_WEBHOOK_SECRET"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch.setenv


def test_a_next_secret_that_is_none_is_named_without_showing_it(environment) -> None:
    environment("SINK_WEBHOOK_URL", "https://alerts.example.com/")
    environment("SINK_WEBHOOK_SECRET", OLD)
    environment("SINK_WEBHOOK_SECRET_NEXT", "topsecret")
    with pytest.raises(SinkSettingsError, match="SINK_WEBHOOK_SECRET_NEXT: a webhook secret begins with") as caught:
        load(WebhookSettings)
    assert "topsecret" not in str(caught.value)


def test_everything_that_is_missing_for_kafka_and_for_the_receiver_is_named_at_once(environment) -> None:
    kafka = r"SINK_BOOTSTRAP is not set: for example SINK_BOOTSTRAP=127\.0\.0\.1:9092"
    receiver = (
        r"SINK_WEBHOOK_URL is not set: for example SINK_WEBHOOK_URL=https://alerts\.example\.com/tidemark; "
        r"SINK_WEBHOOK_SECRET is not set: for example SINK_WEBHOOK_SECRET=whsec_\$\(openssl rand -base64 32\)"
    )
    with pytest.raises(SinkSettingsError, match=f"^{kafka}; {receiver}$"):
        both(lambda: load(SinkSettings), WebhookSink.from_environment)
    environment("SINK_BOOTSTRAP", "127.0.0.1:9092")
    with pytest.raises(SinkSettingsError, match=f"^{receiver}$"):
        both(lambda: load(SinkSettings), WebhookSink.from_environment)


async def test_only_what_is_missing_is_named(environment) -> None:
    environment("SINK_WEBHOOK_URL", "https://alerts.example.com/")
    environment("SINK_WEBHOOK_SECRET", OLD)
    with pytest.raises(SinkSettingsError, match=r"^SINK_BOOTSTRAP is not set: for example SINK_BOOTSTRAP=\S+$"):
        both(lambda: load(SinkSettings), WebhookSink.from_environment)


@pytest.mark.parametrize(
    ("url", "line"),
    [
        ("alerts.example.com/topsecret", "a URL needs http:// or https:// in front, for example https://"),
        ("topsecret", "a URL needs http:// or https:// in front, for example https://"),
        ("http://0177.0.0.1/topsecret", "not a URL"),
        (f"https://{'a' * 64}.example.com/topsecret", "not a URL"),
        ("http://a..b/topsecret", "not a URL"),
        ("http://[fe80::1%25eth0]/topsecret", "a URL needs http:// or https:// and a valid host"),
    ],
)
def test_a_url_that_is_none_is_refused_with_its_variable_and_the_fix(environment, url: str, line: str) -> None:
    environment("SINK_WEBHOOK_URL", url)
    environment("SINK_WEBHOOK_SECRET", OLD)
    with pytest.raises(SinkSettingsError, match=f"^SINK_WEBHOOK_URL: ({line})") as caught:
        load(WebhookSettings)
    assert "topsecret" not in str(caught.value)
