"""The webhook sink: one signed HTTP POST per attempt, after the Standard Webhooks specification."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import ClassVar, Self

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from contracts.alerts import DriftAlert
from stream_app.alerting.errors import Refused
from stream_app.alerting.http_post import HttpPost
from stream_app.alerting.http_settings import HttpSettings
from stream_app.alerting.settings import load
from stream_app.alerting.signature import PREFIX, parse_secret, sign

# a header value, and no dot: the specification forbids it, because the dot separates the parts that are signed
_ID = re.compile(r"[A-Za-z0-9_-]{1,200}")


class WebhookSettings(HttpSettings):
    """`SINK_WEBHOOK_*`."""

    model_config = SettingsConfigDict(env_prefix="SINK_WEBHOOK_")

    secret: SecretStr = Field(examples=[f"{PREFIX}$(openssl rand -base64 32)"])
    # While a secret is replaced alerts are signed with both, and a receiver that knows either accepts them.
    secret_next: SecretStr | None = None

    @field_validator("secret", "secret_next")
    @classmethod
    def _parses(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            parse_secret(value.get_secret_value())
        return value


class WebhookSink:
    """Posts alerts to one URL. clock: seconds since the epoch; receivers accept a few minutes' difference."""

    name: ClassVar[str] = "webhook"
    settings: ClassVar[type[BaseSettings] | None] = WebhookSettings
    newest_only: ClassVar[bool] = False

    def __init__(self, settings: WebhookSettings, clock: Callable[[], float] = time.time) -> None:
        secrets = [settings.secret, *([settings.secret_next] if settings.secret_next else [])]
        self._keys = tuple(dict.fromkeys(parse_secret(secret.get_secret_value()) for secret in secrets))
        self._post = HttpPost(settings, clock=clock)
        self._clock = clock

    @classmethod
    def from_environment(cls) -> Self:
        """Raises SinkSettingsError."""
        return cls(load(WebhookSettings))

    @property
    def destination(self) -> str:
        """Scheme, host and port: user, path and query may hold secrets."""
        return self._post.destination

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
            "webhook-signature": " ".join(sign(key, alert.id, timestamp, body) for key in self._keys),
        }
        await self._post.send(body, headers)

    async def close(self) -> None:
        """Close the connections."""
        await self._post.close()
