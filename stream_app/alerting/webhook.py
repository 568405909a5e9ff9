"""The webhook sink: one signed HTTP POST per attempt, after the Standard Webhooks specification.

2xx: delivered. 408, 429, 5xx and a failed or slow connection: worth another attempt. Anything else: refused; a
redirect too, because following it would hand alert and signature to a place nobody named.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import ClassVar, Self

import httpx
from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from contracts.alerts import DriftAlert
from stream_app.alerting.errors import Refused, Retry, SinkSettingsError
from stream_app.alerting.settings import Seconds, load
from stream_app.alerting.signature import parse_secret, sign

_RETRIED = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
# a header value, and no dot: the specification forbids it, because the dot separates the parts that are signed
_ID = re.compile(r"[A-Za-z0-9_-]{1,200}")
# a proxy of the environment is for the world outside
_DIRECT: dict[str, httpx.AsyncBaseTransport | None] = {
    "all://localhost": None,
    "all://127.0.0.1": None,
    "all://[::1]": None,
}


class WebhookSettings(BaseSettings):
    """`SINK_WEBHOOK_*`. The URL counts as a secret: many receivers put a token into it."""

    model_config = SettingsConfigDict(env_prefix="SINK_WEBHOOK_", frozen=True, env_ignore_empty=True)

    url: SecretStr
    secret: SecretStr
    connect_timeout_seconds: Seconds = 5.0
    read_timeout_seconds: Seconds = Field(15.0, description="from the request to the answer's head")

    @field_validator("url")
    @classmethod
    def _usable(cls, value: SecretStr) -> SecretStr:
        try:
            url = httpx.URL(value.get_secret_value())
        except httpx.InvalidURL:
            raise ValueError("not a URL, for example https://alerts.example.com/tidemark") from None
        port = 0 if url.port is None else url.port
        if url.scheme not in ("http", "https") or not url.host or "%" in url.host or port > 65535:
            raise ValueError("a URL needs http:// or https:// and a valid host: https://alerts.example.com/tidemark")
        return value

    @field_validator("secret")
    @classmethod
    def _parses(cls, value: SecretStr) -> SecretStr:
        parse_secret(value.get_secret_value())
        return value


class WebhookSink:
    """Posts alerts to one URL. clock: seconds since the epoch; receivers accept a few minutes' difference."""

    name: ClassVar[str] = "webhook"

    def __init__(self, settings: WebhookSettings, clock: Callable[[], float] = time.time) -> None:
        self._url = httpx.URL(settings.url.get_secret_value())
        self._key = parse_secret(settings.secret.get_secret_value())
        self._clock = clock
        # httpx counts a read timeout from the last byte: without a whole a dripping receiver could hold on for ever
        self._whole = settings.connect_timeout_seconds + settings.read_timeout_seconds
        timeout = httpx.Timeout(settings.read_timeout_seconds, connect=settings.connect_timeout_seconds)
        self._client = httpx.AsyncClient(timeout=timeout, follow_redirects=False, mounts=_DIRECT)

    @classmethod
    def from_environment(cls) -> Self:
        """Raises SinkSettingsError."""
        settings = load(WebhookSettings)
        try:
            return cls(settings)
        except (ValueError, ImportError, httpx.InvalidURL):  # the text may hold the proxy's password
            raise SinkSettingsError(
                "a proxy of the environment (HTTPS_PROXY, HTTP_PROXY or ALL_PROXY) cannot be used: give an http:// or "
                "https:// URL, or unset it"
            ) from None

    @property
    def destination(self) -> str:
        """Scheme, host and port: user, path and query may hold secrets."""
        return f"{self._url.scheme}://{self._url.netloc.decode()}"

    async def deliver(self, alert: DriftAlert, body: bytes) -> None:
        """One POST of the record as it is. Raises Retry or Refused."""
        if not _ID.fullmatch(alert.id):
            raise Refused("the alert's id cannot be a webhook-id: letters, digits, - and _ only")
        timestamp = int(self._clock())
        headers = {
            "content-type": "application/json",
            "user-agent": "tidemark-webhook/1",
            "webhook-id": alert.id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(self._key, alert.id, timestamp, body),
        }
        try:
            async with (
                asyncio.timeout(self._whole),
                # the answer's body is not read: nothing in it matters, and it could be endless
                self._client.stream("POST", self._url, content=body, headers=headers) as response,
            ):
                self._judge(response)
        except TimeoutError:
            raise Retry(f"no answer within {self._whole:g} s") from None
        except httpx.TimeoutException as error:
            raise Retry(f"{type(error).__name__} after at most {self._whole:g} s") from None
        except httpx.RequestError as error:
            raise Retry(f"no answer: {type(error).__name__}: {error}") from None

    def _judge(self, response: httpx.Response) -> None:
        if response.is_success:
            return
        answer = f"the receiver answered {response.status_code} {response.reason_phrase}".rstrip()
        if response.status_code in _RETRIED or response.is_server_error:
            raise Retry(answer, retry_after(response.headers.get("retry-after"), self._clock()))
        raise Refused(answer)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def retry_after(header: str | None, now: float) -> float | None:
    """Seconds to wait as the header `Retry-After` says (a number, or an HTTP date); None without a usable one.

    >>> retry_after("120", 0.0), retry_after("Thu, 01 Jan 1970 00:01:00 GMT", 20.0), retry_after("soon", 0.0)
    (120.0, 40.0, None)
    """
    if header is None:
        return None
    if header.isascii() and header.isdigit():
        return float(header)
    try:
        moment = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.fromtimestamp(now, UTC)).total_seconds())
