"""Signatures against the independent library `standardwebhooks`."""

from __future__ import annotations

import base64
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from stream_app.alerting.signature import parse_secret, sign

keys = st.binary(min_size=24, max_size=64)


def secret_of(key: bytes) -> str:
    return "whsec_" + base64.b64encode(key).decode()


@given(keys, st.text(min_size=1, alphabet="abc019_-"), st.integers(1, 2**32), st.text())
def test_our_signature_is_the_librarys(key: bytes, message_id: str, timestamp: int, body: str) -> None:
    library = Webhook(secret_of(key))
    theirs = library.sign(message_id, datetime.fromtimestamp(timestamp, UTC), body.encode("utf-8", "ignore").decode())
    assert sign(parse_secret(secret_of(key)), message_id, timestamp, body.encode("utf-8", "ignore")) == theirs


@pytest.mark.parametrize("changed", ["body", "id", "timestamp", "secret"])
def test_the_library_refuses_a_message_that_was_changed(changed: str) -> None:
    now, body = int(time.time()), b'{"a":1}'
    headers = {
        "webhook-id": "id2" if changed == "id" else "id1",
        "webhook-timestamp": str(now + (changed == "timestamp")),
        "webhook-signature": sign(b"k" * 32, "id1", now, body),
    }
    library = Webhook(secret_of(b"j" * 32 if changed == "secret" else b"k" * 32))
    with pytest.raises(WebhookVerificationError):
        library.verify(b'{"a":2}' if changed == "body" else body, headers)


@given(keys)
def test_a_secret_is_read_with_and_without_padding(key: bytes) -> None:
    assert parse_secret(secret_of(key)) == parse_secret(secret_of(key).rstrip("=")) == key


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "begins with whsec_"),
        ("topsecret-topsecret-topsecret", "begins with whsec_"),
        ("whsec_" + "%" * 40, "not base64"),
        ("whsec_" + "A", "not base64"),
        ("whsec_topsecret000", "9 bytes, 24 to 64"),
        (secret_of(b"k" * 23), "23 bytes, 24 to 64"),
        (secret_of(b"k" * 65), "65 bytes, 24 to 64"),
    ],
)
def test_a_secret_that_is_none_is_refused_with_a_recipe_and_without_showing_it(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        parse_secret(text)
    assert "openssl rand" in str(caught.value)
    assert "topsecret" not in str(caught.value)
