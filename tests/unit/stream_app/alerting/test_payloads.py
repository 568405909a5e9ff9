"""What each sink sends: golden payloads, and the limits that the receivers publish."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.alerts import DriftAlert, Severity
from stream_app.alerting import alertmanager, pagerduty, slack
from stream_app.alerting.particulars import cut
from tests.alerting import window
from tests.incidents import ESCALATE, HARMLESS, LIFE, PERFORMANCE, RAISE, RESOLVE, STORM, crowded, of_incident

PAYLOADS = Path(__file__).parent / "payloads"
NOW, HOLD = window(13), timedelta(days=7)
KEY = "0123456789abcdef0123456789abcdef"
ALERTS = {**{alert.transition: alert for alert in LIFE}, "storm": STORM, "harmless": HARMLESS} | {
    f"performance-{alert.transition}": alert for alert in PERFORMANCE
}
WORST = [
    crowded(0),
    crowded(1, 10_000),
    crowded(10, 5000),
    crowded(11, 5000),
    crowded(1000, 1000),
    crowded(50, 60_000),
]


def of_slack(alert: DriftAlert) -> Any:
    return slack.message(alert)


def of_pagerduty(alert: DriftAlert) -> Any:
    return pagerduty.event(alert, KEY)


def of_alertmanager(alert: DriftAlert) -> Any:
    return alertmanager.posted(alert, alertmanager.ended(alert, None), NOW, HOLD)


MADE = {"slack": of_slack, "pagerduty": of_pagerduty, "alertmanager": of_alertmanager}


def write() -> None:
    """`python -m tests.unit.stream_app.alerting.test_payloads` writes the golden payloads anew after a change."""
    for sink, payload in MADE.items():
        for name, alert in ALERTS.items():
            text = json.dumps(payload(alert), indent=2, ensure_ascii=False) + "\n"
            (PAYLOADS / f"{sink}-{name}.json").write_text(text)


@pytest.mark.parametrize("sink", MADE)
@pytest.mark.parametrize("name", ALERTS)
def test_the_payload_is_the_golden_one(sink: str, name: str) -> None:
    assert MADE[sink](ALERTS[name]) == json.loads((PAYLOADS / f"{sink}-{name}.json").read_text())


# ---- Slack: docs.slack.dev, reference of Block Kit, as a JSON Schema of the blocks that are used

_TEXT = {"type": "object", "additionalProperties": False, "required": ["type", "text"]}


def _slack_text(kind: str, limit: int) -> dict[str, Any]:
    own = {"emoji" if kind == "plain_text" else "verbatim": {"type": "boolean"}}
    return {**_TEXT, "properties": {"type": {"const": kind}, "text": _between(1, limit), **own}}


def _between(least: int, most: int) -> dict[str, Any]:
    return {"type": "string", "minLength": least, "maxLength": most}


def _block(kind: str, **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["type"],
        "minProperties": 2,
        "properties": {"type": {"const": kind}, **properties},
    }


SLACK = {
    "type": "object",
    "required": ["text", "blocks"],
    "additionalProperties": False,
    "properties": {
        "text": _between(1, 40_000),
        "blocks": {
            "type": "array",
            "minItems": 1,
            "maxItems": 50,
            "items": {
                "oneOf": [
                    _block("header", text=_slack_text("plain_text", 150)),
                    _block(
                        "section",
                        text=_slack_text("mrkdwn", 3000),
                        fields={"type": "array", "minItems": 1, "maxItems": 10, "items": _slack_text("mrkdwn", 2000)},
                    ),
                    _block(
                        "context",
                        elements={"type": "array", "minItems": 1, "maxItems": 10, "items": _slack_text("mrkdwn", 2000)},
                    ),
                ]
            },
        },
    },
}


def mrkdwn(value: Any) -> Iterator[str]:
    """Every mrkdwn text of a message."""
    if isinstance(value, dict):
        if value.get("type") == "mrkdwn":
            yield value["text"]
        for inner in value.values():
            yield from mrkdwn(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from mrkdwn(inner)


@pytest.mark.parametrize("alert", [*ALERTS.values(), *WORST], ids=lambda alert: f"{alert.transition}")
def test_a_slack_message_keeps_the_limits_of_block_kit(alert: DriftAlert) -> None:
    jsonschema.validate(slack.message(alert), SLACK)


@given(st.text(), st.text(), st.integers(0, 12))
def test_nothing_that_an_alert_holds_is_markup_to_slack(name: str, summary: str, features: int) -> None:
    (feature,) = crowded(1).features
    named = msgspec.structs.replace(feature, feature=name)
    message = slack.message(of_incident("raise", 2, *[named] * features, summary=summary, model=name))
    jsonschema.validate(message, SLACK)
    for text in [*mrkdwn(message), message["text"]]:
        assert not re.search(r"[<>]|&(?!amp;|lt;|gt;)", text)


@given(st.text(), st.integers(1, 100))
def test_a_text_is_cut_between_characters_and_never_within_an_escape(text: str, limit: int) -> None:
    short, beginnings = cut(text, limit, slack.escaped), [slack.escaped(text[:end]) for end in range(len(text))]
    if len(slack.escaped(text)) <= limit:
        assert short == slack.escaped(text)
    else:
        assert short == max(fit for fit in beginnings if len(fit) < max(limit, 1)) + "…"


def test_slack_names_each_feature_up_to_ten_and_then_counts_the_rest() -> None:
    def fields(count: int) -> list[str]:
        return [field["text"] for field in slack.message(crowded(count, 3))["blocks"][2]["fields"]]

    assert len(fields(10)) == 10
    assert all("effect 1.00" in text for text in fields(10))
    assert len(fields(11)) == 10
    assert fields(11)[-1] == "and 2 more"


@pytest.mark.parametrize(
    ("alert", "header"),
    [
        (RAISE, ":large_yellow_circle: Warning: drift in flights/3"),
        (ESCALATE, ":red_circle: Critical: drift in flights/3 spreads"),
        (LIFE[2], ":red_circle: Still critical: drift in flights/3 goes on"),
        (RESOLVE, ":large_green_circle: Resolved: drift in flights/3"),
        (STORM, ":red_circle: Critical: storm of drift in flights/3"),
        (HARMLESS, ":white_circle: Harmless: drift in flights/3"),
    ],
)
def test_the_header_in_slack_says_what_happened(alert: DriftAlert, header: str) -> None:
    assert slack.message(alert)["blocks"][0]["text"]["text"] == header


# ---- PagerDuty: developer.pagerduty.com, Events API v2, "Send an Alert Event"

PAGERDUTY = {
    "type": "object",
    "required": ["routing_key", "event_action", "dedup_key"],
    "properties": {
        "routing_key": {"type": "string", "pattern": "^[A-Za-z0-9]{32}$"},
        "event_action": {"enum": ["trigger", "acknowledge", "resolve"]},
        "dedup_key": _between(1, 255),
        "payload": {
            "type": "object",
            "required": ["summary", "source", "severity"],
            "properties": {
                "summary": _between(1, 1024),
                "source": _between(1, 10_000_000),
                "severity": {"enum": ["critical", "error", "warning", "info"]},
                "timestamp": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"},
                "custom_details": {"type": "object"},
            },
        },
    },
    "if": {"properties": {"event_action": {"const": "trigger"}}},
    "then": {"required": ["payload"]},
}


@pytest.mark.parametrize("alert", [*LIFE, STORM, *WORST], ids=lambda alert: f"{alert.transition}")
def test_a_pagerduty_event_keeps_the_published_form_and_limits(alert: DriftAlert) -> None:
    event = pagerduty.event(alert, KEY)
    jsonschema.validate(event, PAGERDUTY)
    assert len(msgspec.json.encode(event)) <= 512_000


@pytest.mark.parametrize("transition", ["raise", "escalate", "remind"])
@pytest.mark.parametrize("severity", ["harmless", "info"])
def test_what_is_harmless_never_triggers_at_pagerduty(transition: Any, severity: Severity) -> None:
    assert pagerduty.event(of_incident(transition, 2, severity=severity), KEY) is None


def test_every_transition_of_an_incident_has_the_same_dedup_key() -> None:
    events = [pagerduty.event(alert, KEY) for alert in LIFE]
    assert [event["event_action"] for event in events if event] == ["trigger", "trigger", "trigger", "resolve"]
    assert {event["dedup_key"] for event in events if event} == {RAISE.incident}


def test_pagerduty_is_told_how_many_features_were_left_out() -> None:
    details = pagerduty.event(crowded(60), KEY)["payload"]["custom_details"]  # type: ignore[index]
    assert (len(details["features"]), details["features_left_out"]) == (50, 10)


# ---- Alertmanager: api/v2/openapi.yaml of prometheus/alertmanager, definitions postableAlerts and labelSet

LABELS = {"type": "object", "additionalProperties": {"type": "string", "minLength": 1}}
ALERTMANAGER = {
    "type": "array",
    "minItems": 1,
    "items": {
        "type": "object",
        "required": ["labels"],
        "additionalProperties": False,
        "properties": {
            "labels": {**LABELS, "required": ["alertname", "model", "version", "incident", "severity"]},
            "annotations": {**LABELS, "required": ["summary"]},
            "startsAt": {"type": "string", "format": "date-time"},
            "endsAt": {"type": "string", "format": "date-time"},
        },
    },
}


@pytest.mark.parametrize("alert", [*ALERTS.values(), *WORST], ids=lambda alert: f"{alert.transition}")
def test_what_is_posted_to_alertmanager_fits_its_api(alert: DriftAlert) -> None:
    jsonschema.validate(of_alertmanager(alert), ALERTMANAGER)


@pytest.mark.parametrize(
    ("alert", "before", "ending"),
    [
        (RAISE, None, ()),
        (RAISE, "warning", ()),  # a repeat
        (ESCALATE, "warning", ("warning",)),
        (ESCALATE, "critical", ()),
        (ESCALATE, None, ("harmless", "warning")),
        (RESOLVE, "critical", ("critical",)),
        (RESOLVE, None, ("harmless", "warning", "critical")),
    ],
)
def test_an_alert_with_another_severity_ends_the_one_before(
    alert: DriftAlert, before: Severity | None, ending: tuple[Severity, ...]
) -> None:
    assert alertmanager.ended(alert, before) == ending


def test_a_firing_alert_ends_far_ahead_and_a_resolved_one_now() -> None:
    (firing,) = alertmanager.posted(RAISE, (), NOW, HOLD)
    assert (firing["startsAt"], firing["endsAt"]) == ("2026-01-01T14:00:00Z", "2026-01-09T00:00:00Z")
    (over,) = alertmanager.posted(RESOLVE, ("critical",), NOW, HOLD)
    assert ("startsAt" in over, over["endsAt"]) == (False, "2026-01-02T00:00:00Z")


def test_a_window_ahead_of_the_clock_starts_now() -> None:
    """Alertmanager refuses an alert that ends before it starts, and does not fire one that starts tomorrow."""
    (firing,) = alertmanager.posted(RAISE, (), window(1), HOLD)
    assert firing["startsAt"] == window(1).isoformat().replace("+00:00", "Z")


if __name__ == "__main__":
    write()
