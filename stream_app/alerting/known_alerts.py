"""Alerts: what was said before, by the topic `drift-alerts`, and what is muted, by the topic `alert-mutes`.

The alerts are read once, at a worker's start, for the versions whose stored state is gone (policy_rebuilt.py). The
mutes are followed: one that is set counts at once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from aiokafka import ConsumerRecord
from aiokafka.errors import KafkaError

from contracts.alerts import Subject, decode_alert
from contracts.errors import InvalidMessage
from contracts.mutes import Mute, decode_mute, in_force
from stream_app import present
from stream_app.alerting.policy_rebuilt import rebuilt
from stream_app.alerting.policy_state import PolicyState
from stream_app.errors import BrokerError
from stream_app.following import Follower
from stream_app.windowing.typed import Version

log = logging.getLogger(__name__)


def _logged(line: str) -> None:
    log.error("%s", line)


def learn(record: ConsumerRecord, mutes: dict[bytes, Mute], say: Callable[[str], None] = _logged) -> None:
    """Take up one record of `alert-mutes`. One that cannot be read mutes nothing, and say() is told of it."""
    key = record.key or b""
    if record.value is None:
        mutes.pop(key, None)
        return
    try:
        mutes[key] = decode_mute(record.value)
    except InvalidMessage as error:
        say(f"{record.topic}/{record.partition} offset {record.offset} is passed over: {error}")


class Alerts:
    """See the module's head. page_after: of the policy. subject: whose states are asked for."""

    def __init__(self, bootstrap: str, alerts: str, mutes: str, page_after: int, subject: Subject = "drift") -> None:
        self._bootstrap, self._topic, self._page_after, self._subject = bootstrap, alerts, page_after, subject
        self._rebuilt: dict[Version, PolicyState] = {}
        self._mutes: dict[bytes, Mute] = {}
        self._follower = Follower(bootstrap, mutes, lambda record: learn(record, self._mutes))

    async def start(self) -> None:
        """Read both topics to their ends, then follow the mutes. Raises BrokerError."""
        try:
            alerts = []
            async for record in present.records(self._bootstrap, self._topic):
                try:
                    alerts.append(decode_alert(record.value or b""))
                except InvalidMessage as error:
                    log.warning("%s/%s offset %s: %s", record.topic, record.partition, record.offset, error)
        except KafkaError as error:
            raise BrokerError(f"cannot read the topic {self._topic}: {error}") from error
        self._rebuilt = rebuilt(alerts, self._page_after, self._subject)
        await self._follower.start()

    async def stop(self) -> None:
        """Stop following; what was read stays."""
        await self._follower.stop()

    def state(self, model: str, version: str) -> PolicyState:
        """The policy's state as far as alerts tell, for a version that has no stored one."""
        return self._rebuilt.get((model, version), PolicyState())

    def mutes(self, model: str, version: str, window_end: datetime) -> tuple[Mute, ...]:
        """Those that are in force for a window that ends then."""
        return in_force(self._mutes.values(), model, version, window_end)
