"""docs/sinks.md: what it shows is what arrives, it has every sink and setting, and the sink in it works."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic_settings import BaseSettings

from contracts.alerts import DriftAlert, encode_alert
from stream_app.alerting.alertmanager import AlertmanagerSettings
from stream_app.alerting.file import FileSettings
from stream_app.alerting.http_settings import HttpSettings
from stream_app.alerting.pagerduty import PagerDutySettings
from stream_app.alerting.settings import SinkSettings
from stream_app.alerting.sink import SINKS
from stream_app.alerting.slack import SlackSettings, message
from stream_app.alerting.webhook import WebhookSettings
from tests.incidents import ESCALATE, HARMLESS, RAISE, REMIND, RESOLVE, STORM
from tests.receivers import receiving

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "sinks.md").read_text()
PAYLOADS = ROOT / "tests" / "unit" / "stream_app" / "alerting" / "payloads"
SIGNS = {
    ":red_circle:": "🔴",
    ":large_yellow_circle:": "🟡",
    ":white_circle:": "⚪",
    ":large_green_circle:": "🟢",
}


def as_slack_shows_it(alert: DriftAlert) -> str:
    """The blocks of a message, as text."""
    head, summary, fields, context = message(alert)["blocks"]
    title = head_of(head)
    features = [
        "\n".join(f"  {line}" for line in field["text"].splitlines())
        for field in fields["fields"]
    ]  # fmt: skip
    parts = [f"{title}\n{'-' * 30}\n{summary['text']['text']}", *features, context["elements"][0]["text"]]
    return html.unescape("\n\n".join(parts))


def head_of(block: dict[str, Any]) -> str:
    text: str = block["text"]["text"]
    for code, sign in SIGNS.items():
        text = text.replace(code, sign)
    return text


def test_the_message_in_slack_is_the_one_that_is_shown() -> None:
    (shown,) = re.findall(r"```slack\n(.*?)\n```", PAGE, re.DOTALL)
    assert shown == as_slack_shows_it(RAISE)


def test_the_headers_of_the_other_messages_are_shown() -> None:
    for alert in (ESCALATE, REMIND, STORM, HARMLESS, RESOLVE):
        assert f"`{head_of(message(alert)['blocks'][0])}`" in PAGE


def test_the_payloads_that_are_shown_are_the_golden_ones() -> None:
    shown = re.findall(r"```json ([\w-]+)\n(.*?)\n```", PAGE, re.DOTALL)
    assert {name for name, _ in shown} == {"pagerduty-raise", "alertmanager-raise"}
    for name, text in shown:
        assert json.loads(text) == json.loads((PAYLOADS / f"{name}.json").read_text())


def test_every_sink_is_in_the_table() -> None:
    assert re.findall(r"^\| `([a-z]+)` \|", PAGE, re.MULTILINE) == [sink.name for sink in SINKS]


@pytest.mark.parametrize(
    "settings", [SinkSettings, WebhookSettings, SlackSettings, PagerDutySettings, AlertmanagerSettings, FileSettings]
)
def test_every_setting_is_named(settings: type[BaseSettings]) -> None:
    prefix = settings.model_config.get("env_prefix", "")
    of_all = set(HttpSettings.model_fields) if issubclass(settings, HttpSettings) else set()
    wanted = {f"{'SINK_NAME_' if name in of_all else prefix}{name}".upper() for name in settings.model_fields}
    assert wanted - set(re.findall(r"SINK_[A-Z_]+", PAGE)) == set()


async def test_the_sink_of_the_example_delivers(monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = (code for code in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "NtfySink" in code)
    module: dict[str, Any] = {"__name__": "ntfy"}
    exec(compile(code, "docs/sinks.md", "exec"), module)
    async with receiving() as receiver:
        monkeypatch.setenv("SINK_NTFY_URL", f"http://127.0.0.1:{receiver.port}/drift")
        monkeypatch.setenv("SINK_NTFY_ALLOW_PRIVATE_ADDRESSES", "true")
        sink = module["NtfySink"].from_environment()
        await sink.deliver(RAISE, encode_alert(RAISE))
        await sink.close()
    assert [posted.body for posted in receiver.posted] == [RAISE.summary.encode()]
    assert {name for name in dir(SINKS[0]) if not name.startswith("_")} <= set(dir(sink))
