"""The settings that every sink over HTTP has, under its own prefix: `SINK_WEBHOOK_URL`, `SINK_SLACK_URL`, ..."""

from __future__ import annotations

from pathlib import Path

import httpx
from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from stream_app.alerting.settings import Seconds

_EXAMPLE = "https://alerts.example.com/tidemark"


class HttpSettings(BaseSettings):
    """To be inherited with an `env_prefix`. The URL counts as a secret: many receivers put a token into it."""

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True)

    url: SecretStr = Field(examples=[_EXAMPLE])
    connect_timeout_seconds: Seconds = 5.0
    read_timeout_seconds: Seconds = Field(15.0, description="from the request to the answer's head")
    # Whom to trust instead of the public authorities: a PEM file.
    ca_bundle: Path | None = None
    # Loopback, RFC 1918 and unique local addresses are refused unless this says so.
    allow_private_addresses: bool = False

    @classmethod
    def variable(cls, name: str) -> str:
        """The environment variable of one of these settings, for messages."""
        return f"{cls.model_config.get('env_prefix', '')}{name}".upper()

    @field_validator("url")
    @classmethod
    def _usable(cls, value: SecretStr) -> SecretStr:
        text = value.get_secret_value()
        if "://" not in text:
            raise ValueError(f"a URL needs http:// or https:// in front, for example {_EXAMPLE}")
        try:
            url = httpx.URL(text)
            host = url.host
            url.raw_host.decode().encode("idna")  # as the resolver will, whose UnicodeError nobody catches
        except (httpx.InvalidURL, UnicodeError):
            raise ValueError(f"not a URL, for example {_EXAMPLE}") from None
        port = 0 if url.port is None else url.port
        if url.scheme not in ("http", "https") or not host or "%" in host or port > 65535:
            raise ValueError(f"a URL needs http:// or https:// and a valid host: {_EXAMPLE}")
        return value
