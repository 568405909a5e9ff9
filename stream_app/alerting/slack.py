"""The Slack sink: one Block Kit message per alert, through an incoming webhook.

An incoming webhook only ever adds a message: it knows no key by which it would recognise a repeat. So an alert that a
crash repeats stands twice in the channel, with the same id in its last line.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

import msgspec
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from contracts.alerts import AlertFeature, DriftAlert, Severity
from stream_app.alerting.http_post import HttpPost
from stream_app.alerting.http_settings import HttpSettings
from stream_app.alerting.particulars import cause, cut, expected_change, findings, first, window
from stream_app.alerting.settings import load

HEADER, SECTION, FIELD, FIELDS, CONTEXT, FALLBACK = 150, 3000, 2000, 10, 2000, 3000
"""Characters of a header, a section, a field and a context element, fields of a section, characters of the text that
notifications show. Source: docs.slack.dev, "Block Kit", reference of each block. A message has 50 blocks at most."""

_MARKS: dict[Severity, str] = {
    "critical": ":red_circle:",
    "warning": ":large_yellow_circle:",
    "harmless": ":white_circle:",
    "info": ":large_green_circle:",
}
# What an incoming webhook answers beside a 4xx. Source: docs.slack.dev, "Sending messages using incoming webhooks".
_ANSWERS = (
    b"action_prohibited",
    b"channel_is_archived",
    b"channel_not_found",
    b"invalid_blocks",
    b"invalid_payload",
    b"invalid_token",
    b"no_active_hooks",
    b"no_service",
    b"no_team",
    b"posting_to_general_channel_denied",
    b"team_disabled",
    b"user_not_found",
)
Block = dict[str, Any]


class SlackSettings(HttpSettings):
    """`SINK_SLACK_*`. The URL is the incoming webhook's: whoever has it can post."""

    model_config = SettingsConfigDict(env_prefix="SINK_SLACK_")

    url: SecretStr = Field(examples=["https://hooks.slack.com/services/..."])


class SlackSink:
    """Posts to one channel: the one that the incoming webhook was made for."""

    name: ClassVar[str] = "slack"
    settings: ClassVar[type[BaseSettings] | None] = SlackSettings
    newest_only: ClassVar[bool] = False

    def __init__(self, settings: SlackSettings) -> None:
        self._post = HttpPost(settings, explain=_explained)

    @classmethod
    def from_environment(cls) -> Self:
        """Raises SinkSettingsError."""
        return cls(load(SlackSettings))

    @property
    def destination(self) -> str:
        """Scheme, host and port: the path is the secret."""
        return self._post.destination

    async def deliver(self, alert: DriftAlert, body: bytes) -> None:
        """One message. Raises Retry or Refused."""
        await self._post.send(msgspec.json.encode(message(alert)), {"content-type": "application/json"})

    async def close(self) -> None:
        """Close the connections."""
        await self._post.close()


def message(alert: DriftAlert) -> Block:
    """The body of the POST. text: what notifications and screen readers use instead of the blocks."""
    blocks: list[Block] = [
        {"type": "header", "text": _plain(f"{_MARKS[alert.severity]} {title(alert)}", HEADER)},
        {"type": "section", "text": _mrkdwn(alert.summary or title(alert), SECTION)},
    ]
    if alert.features:
        named, more = first(alert.features, FIELDS if len(alert.features) <= FIELDS else FIELDS - 1)
        fields = [_field(feature, alert.transition == "escalate" and feature.new) for feature in named]
        if more:
            fields.append(_mrkdwn(f"and {more} more", FIELD))
        blocks.append({"type": "section", "fields": fields})
    context = (
        f"model {alert.model}/{alert.version} | window {window(alert)} | incident {alert.incident} | id {alert.id}"
    )
    blocks.append({"type": "context", "elements": [_mrkdwn(context, CONTEXT)]})
    head, said = title(alert), alert.summary.removeprefix(f"{alert.model}/{alert.version}: ")  # the title has it
    if alert.subject == "performance":
        head = head.partition(":")[0]  # the sentence says all the rest again
    return {"text": cut(f"{head}: {said}", FALLBACK, escaped), "blocks": blocks}


def title(alert: DriftAlert) -> str:
    """The header in words: what happened, and to which model."""
    subject = f"{alert.model}/{alert.version}"
    if alert.subject == "performance":
        return _performance_title(alert, f"performance of {subject}")
    if alert.transition == "resolve":
        return f"Resolved: drift in {subject}"
    what = f"{'storm of drift' if alert.storm else 'drift'} in {subject}"
    if alert.transition == "remind":
        return f"Still {alert.severity}: {what} goes on"
    return f"{alert.severity.capitalize()}: {what}{' spreads' if alert.transition == 'escalate' else ''}"


def _performance_title(alert: DriftAlert, what: str) -> str:
    """what: `performance of flights/3`."""
    if alert.transition == "resolve":
        return f"Resolved: {what} is back"
    if alert.transition == "remind":
        return f"Still {alert.severity}: {what} is down"
    return f"{alert.severity.capitalize()}: {what} fell{' further' if alert.transition == 'escalate' else ''}"


def escaped(text: str) -> str:
    """The three characters that Slack asks to be escaped; without them no mention, link or date can be written.

    Source: docs.slack.dev, "Formatting message text", section "Escaping text".

    >>> escaped("<!channel> R&D")
    '&lt;!channel&gt; R&amp;D'
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _field(feature: AlertFeature, joined: bool) -> Block:
    """A feature: its name in bold, then a line each for findings, cause and expected change."""
    name = cut(f"{feature.feature}{' (new)' if joined else ''}", 200)
    lines = (findings(feature), cause(feature), expected_change(feature))
    rest = "\n".join(line for line in lines if line)
    # a star of the name's own would end the bold type
    head = f"*{escaped(name.replace('*', '∗'))}*\n"
    return {"type": "mrkdwn", "verbatim": True, "text": head + cut(rest, FIELD - len(head), escaped)}


def _plain(text: str, limit: int) -> Block:
    return {"type": "plain_text", "emoji": True, "text": cut(text, limit)}


def _mrkdwn(text: str, limit: int) -> Block:
    """verbatim: what looks like an address or a channel's name is not made a link."""
    return {"type": "mrkdwn", "verbatim": True, "text": cut(text, limit, escaped)}


def _explained(status: int, body: bytes) -> str:
    """
    >>> _explained(410, b"channel_is_archived"), _explained(502, b"<html>")
    ('channel_is_archived', '')
    """
    said = body.strip()
    return said.decode() if said in _ANSWERS else ""
