"""The Alertmanager sink against a real Alertmanager: what fires there, what it tells its receivers, what ends it."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka import AIOKafkaProducer

from contracts.alerts import DriftAlert, encode_alert
from stream_app.alerting.alertmanager import AlertmanagerSettings, AlertmanagerSink
from stream_app.alerting.errors import Refused, Retry
from tests.apis import http_client
from tests.incidents import ESCALATE, HARMLESS, LIFE, RAISE, REMIND, RESOLVE, STORM
from tests.receivers import HttpReceiver, listening
from tests.servers.alertmanager import Alertmanager
from tests.servers.verbs import Broker, NoServers
from tests.waiting import eventually


class Notified(HttpReceiver):
    """Whom Alertmanager tells."""

    def about(self, incident: str) -> list[list[tuple[str, str]]]:
        """The notifications of an incident, as (severity, status) of each alert in them."""
        told = [json.loads(posted.body)["alerts"] for posted in self.posted]
        return [
            sorted((alert["labels"]["severity"], alert["status"]) for alert in alerts)
            for alerts in told
            if any(alert["labels"]["incident"] == incident for alert in alerts)
        ]


@pytest.fixture(scope="module")
async def notified() -> AsyncIterator[Notified]:
    receiver = Notified()
    async with listening(receiver.talk) as receiver.port:
        yield receiver


@pytest.fixture(scope="module")
def alertmanager(notified: Notified, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alertmanager]:
    """Without one the tests fail, and say how to get it; they never skip."""
    directory: Path = tmp_path_factory.mktemp("alertmanager")
    try:
        server = Alertmanager(directory, f"http://127.0.0.1:{notified.port}/")
        server.start()
    except NoServers as error:
        raise pytest.fail.Exception(f"Alertmanager: {error}", pytrace=False) from None
    yield server
    server.stop()


@pytest.fixture
def own() -> Any:
    """Makes an alert this test's own: its model and incident are nobody else's."""
    model, incident = f"m{secrets.token_hex(4)}", secrets.token_hex(12)

    def made(alert: DriftAlert, **changed: Any) -> DriftAlert:
        return msgspec.structs.replace(alert, **({"model": model, "incident": incident} | changed))

    return made


@asynccontextmanager
async def sink_to(server: Alertmanager, **settings: Any) -> AsyncIterator[AlertmanagerSink]:
    sink = AlertmanagerSink(AlertmanagerSettings(url=server.url, allow_private_addresses=True, **settings))
    try:
        yield sink
    finally:
        await sink.close()


async def deliver(sink: AlertmanagerSink, *alerts: DriftAlert) -> None:
    for alert in alerts:
        await sink.deliver(alert, b"")


async def firing(server: Alertmanager, incident: str) -> list[dict[str, Any]]:
    """What Alertmanager's own API shows of an incident; ended alerts are not shown."""
    async with http_client() as client:
        answer = await client.get(f"{server.url}/api/v2/alerts", params={"filter": f'incident="{incident}"'})
    answer.raise_for_status()
    return list(answer.json())


def labels(alerts: list[dict[str, Any]]) -> list[str]:
    return [alert["labels"]["severity"] for alert in alerts]


async def test_an_incident_is_one_firing_alert_from_raise_to_resolve(alertmanager: Alertmanager, own: Any) -> None:
    incident = own(RAISE).incident
    async with sink_to(alertmanager) as sink:
        await deliver(sink, own(RAISE))
        (alert,) = await firing(alertmanager, incident)
        assert alert["labels"] == {
            "alertname": "TidemarkDrift",
            "model": own(RAISE).model,
            "version": "3",
            "incident": incident,
            "severity": "warning",
        }
        assert alert["annotations"]["summary"] == RAISE.summary
        assert "miles -> kilometres" in alert["annotations"]["features"]
        assert alert["startsAt"] == "2026-01-01T14:00:00.000Z"

        await deliver(sink, own(ESCALATE))
        (alert,) = await firing(alertmanager, incident)
        assert alert["labels"]["severity"] == "critical"
        assert alert["annotations"]["summary"] == ESCALATE.summary

        await deliver(sink, own(REMIND))
        (alert,) = await firing(alertmanager, incident)
        assert (alert["labels"]["severity"], alert["annotations"]["summary"]) == ("critical", REMIND.summary)

        await deliver(sink, own(RESOLVE))
        assert await firing(alertmanager, incident) == []


async def test_an_alert_that_is_repeated_changes_nothing(
    alertmanager: Alertmanager, notified: Notified, own: Any
) -> None:
    incident = own(RAISE).incident
    async with sink_to(alertmanager) as sink:
        await deliver(sink, own(RAISE))
        await eventually(lambda: notified.about(incident), 10, "the first notification")
        before = await firing(alertmanager, incident)
        await deliver(sink, own(RAISE), own(RAISE))
        after = await firing(alertmanager, incident)
        await deliver(sink, own(RESOLVE), own(RESOLVE))
        await eventually(lambda: len(notified.about(incident)) > 1, 10, "the notification of the end")
        assert await firing(alertmanager, incident) == []
    for alert in (*before, *after):
        alert.pop("updatedAt"), alert.pop("endsAt")  # the end moves with the clock
    assert after == before
    assert notified.about(incident) == [[("warning", "firing")], [("warning", "resolved")]]


async def test_a_new_severity_ends_the_one_before_and_both_are_told_at_once(
    alertmanager: Alertmanager, notified: Notified, own: Any
) -> None:
    incident = own(RAISE).incident
    async with sink_to(alertmanager) as sink:
        for step, alert in enumerate((own(RAISE), own(ESCALATE), own(RESOLVE)), 1):
            await deliver(sink, alert)
            await eventually(lambda told=step: len(notified.about(incident)) >= told, 10, f"notification {step}")
    assert notified.about(incident) == [
        [("warning", "firing")],
        [("critical", "firing"), ("warning", "resolved")],
        [("critical", "resolved")],
    ]


async def test_a_sink_that_was_restarted_meanwhile_still_leaves_one_alert_and_then_none(
    alertmanager: Alertmanager, own: Any
) -> None:
    shown = []
    for alert in LIFE:
        async with sink_to(alertmanager) as sink:
            await deliver(sink, own(alert))
        shown.append(labels(await firing(alertmanager, own(RAISE).incident)))
    assert shown == [["warning"], ["critical"], ["critical"], []]


async def test_two_incidents_of_a_model_are_two_alerts_and_end_each_by_itself(
    alertmanager: Alertmanager, own: Any
) -> None:
    other = secrets.token_hex(12)
    async with sink_to(alertmanager) as sink:
        await deliver(sink, own(RAISE), own(HARMLESS, incident=other), own(RESOLVE))
        assert await firing(alertmanager, own(RAISE).incident) == []
        assert labels(await firing(alertmanager, other)) == ["harmless"]


async def test_an_open_incident_fires_for_the_hold_time_and_each_reminder_moves_its_end(
    alertmanager: Alertmanager, own: Any
) -> None:
    """Not for Alertmanager's own resolve_timeout of five minutes."""

    async def ends() -> datetime:
        (alert,) = await firing(alertmanager, own(REMIND).incident)
        return datetime.fromisoformat(alert["endsAt"])

    async with sink_to(alertmanager) as sink:
        await deliver(sink, own(REMIND))
        week = await ends() - datetime.now(UTC)
        assert timedelta(days=6, hours=23) < week < timedelta(days=7, minutes=1)
    async with sink_to(alertmanager, hold_seconds=14 * 86400) as sink:
        await deliver(sink, own(REMIND))
        assert await ends() - datetime.now(UTC) > timedelta(days=13)


async def test_an_incident_that_nobody_speaks_of_any_more_stops_firing_after_the_hold_time(
    alertmanager: Alertmanager, own: Any
) -> None:
    async with sink_to(alertmanager, hold_seconds=2) as sink:
        await deliver(sink, own(STORM))
        (alert,) = await firing(alertmanager, own(STORM).incident)
        assert alert["annotations"]["storm"] == "true"

    async def silent() -> bool:
        return await firing(alertmanager, own(STORM).incident) == []

    await eventually(silent, 20, "the alert to end by itself")


async def test_a_window_of_the_future_fires_now(alertmanager: Alertmanager, own: Any) -> None:
    ahead = datetime.now(UTC) + timedelta(minutes=5)
    async with sink_to(alertmanager) as sink:
        await deliver(sink, own(RAISE, window_end=ahead))
        assert labels(await firing(alertmanager, own(RAISE).incident)) == ["warning"]
        await deliver(sink, own(RESOLVE, window_end=ahead))
        assert await firing(alertmanager, own(RAISE).incident) == []


async def test_the_sink_as_a_process_carries_an_incident_from_kafka_to_its_end(
    alertmanager: Alertmanager,
    notified: Notified,
    own: Any,
    kafka: Broker,
    namespace: str,
    fresh_topic: Callable[..., Awaitable[str]],
    run_service: Callable[..., object],
) -> None:
    topic = await fresh_topic("drift-alerts")
    await fresh_topic("dead-letters")
    incident = own(RAISE).incident
    run_service(
        "sink",
        *("stream_app", "sink", "alertmanager"),
        SINK_BOOTSTRAP=kafka.bootstrap,
        SINK_TOPIC_PREFIX=namespace,
        SINK_ALERTMANAGER_URL=alertmanager.url,
        SINK_ALERTMANAGER_ALLOW_PRIVATE_ADDRESSES="true",
    )
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap) as producer:
        for step, alert in enumerate((own(RAISE), own(ESCALATE), own(RESOLVE)), 1):
            await producer.send_and_wait(topic, encode_alert(alert), key=alert.model.encode())
            await eventually(lambda told=step: len(notified.about(incident)) >= told, 40, f"notification {step}")
    assert notified.about(incident)[-1] == [("critical", "resolved")]
    assert await firing(alertmanager, incident) == []


async def test_what_alertmanager_does_not_take_is_refused_and_a_wrong_prefix_is_named(
    alertmanager: Alertmanager, own: Any
) -> None:
    settings = AlertmanagerSettings(url=f"{alertmanager.url}/other/", allow_private_addresses=True)
    sink = AlertmanagerSink(settings)
    with pytest.raises(Refused, match="404 Not Found: is it the URL of an Alertmanager"):
        await sink.deliver(own(RAISE), b"")
    await sink.close()


async def test_an_alertmanager_that_is_away_is_worth_another_attempt_and_forgets_what_fired(
    notified: Notified, tmp_path: Path, own: Any
) -> None:
    """Its alerts live in its memory: after a restart an incident fires again with its next alert."""
    server = Alertmanager(tmp_path, f"http://127.0.0.1:{notified.port}/")
    server.start()
    try:
        async with sink_to(server) as sink:
            await deliver(sink, own(RAISE))
            server.stop()
            with pytest.raises(Retry, match="no answer"):
                await deliver(sink, own(ESCALATE))
            server.start()
            assert await firing(server, own(RAISE).incident) == []
            await deliver(sink, own(ESCALATE))
            assert labels(await firing(server, own(RAISE).incident)) == ["critical"]
    finally:
        server.stop()
