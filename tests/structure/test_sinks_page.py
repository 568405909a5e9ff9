"""The code that docs/sinks.md gives to whoever writes a receiver does what it says."""

from __future__ import annotations

import base64
import re
import time
from pathlib import Path

import pytest

from contracts.alerts import encode_alert
from stream_app.alerting.webhook import WebhookSettings, WebhookSink
from tests.alerting import an_alert
from tests.receivers import Posted, receiving

PAGE = (Path(__file__).parents[2] / "docs" / "sinks.md").read_text()
SECRET, NEXT, OTHER = ("whsec_" + base64.b64encode(letter * 32).decode() for letter in (b"s", b"n", b"o"))


@pytest.fixture(scope="module")
def is_ours():
    (code,) = re.findall(r"```python\n(.*?is_ours.*?)```", PAGE, re.DOTALL)
    given: dict[str, object] = {}
    exec(code, given)
    return given["is_ours"]


async def posted(clock=time.time, **settings: str) -> Posted:
    async with receiving() as receiver:
        url = f"http://127.0.0.1:{receiver.port}/"
        sink = WebhookSink(WebhookSettings(url=url, secret=SECRET, allow_private_addresses=True, **settings), clock)
        await sink.deliver(an_alert(), encode_alert(an_alert()))
        await sink.close()
    return receiver.posted[0]


async def test_an_alert_is_accepted_and_one_that_was_changed_is_not(is_ours) -> None:
    _, headers, body = await posted()
    assert is_ours(headers, body, SECRET)
    assert not is_ours(headers, body + b" ", SECRET)
    assert not is_ours({**headers, "webhook-id": "other"}, body, SECRET)
    assert not is_ours({**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)}, body, SECRET)
    assert not is_ours({**headers, "webhook-signature": "v1, v2,x"}, body, SECRET)
    assert not is_ours(headers, body, OTHER)


async def test_while_the_secret_is_replaced_either_is_accepted(is_ours) -> None:
    _, headers, body = await posted(secret_next=NEXT)
    assert [is_ours(headers, body, secret) for secret in (SECRET, NEXT, OTHER)] == [True, True, False]


@pytest.mark.parametrize("seconds", [-3600, 3600])
async def test_an_alert_of_another_hour_is_not_accepted(is_ours, seconds: int) -> None:
    _, headers, body = await posted(lambda: time.time() + seconds)
    assert not is_ours(headers, body, SECRET)
