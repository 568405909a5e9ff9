"""Follows the topic `baselines`: what each model version is counted and compared against.

The topic is compacted and read from its beginning without a group, so every worker knows all of it, and a replay finds
what the live run found. Its end is asked for anew when an event of an unknown version comes: the API publishes a
version's baseline before that version's first event, so what is not there then is not there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from aiokafka import ConsumerRecord

from contracts.baseline import Baseline
from contracts.dead_letters import DeadLetter
from contracts.errors import InvalidBaseline
from stream_app.following import Follower
from stream_app.windowing.typed import Version

log = logging.getLogger(__name__)


def said(record: ConsumerRecord, keys: dict[bytes, Version]) -> tuple[Version, Baseline | None] | None:
    """What a record says of a version: its baseline, or by a tombstone that it has none any more. None: of nobody.

    keys: whose baseline each key was last; kept up to date. Raises InvalidBaseline.
    """
    key = record.key or b""
    if record.value is None:
        known = keys.pop(key, None)
        return None if known is None else (known, None)
    baseline = Baseline.from_bytes(record.value)
    keys[key] = baseline.model, baseline.version
    return keys[key], baseline


class Baselines:
    """The baselines on the topic. `unreadable` fills with the records that are none."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._follower = Follower(bootstrap, topic, self.learn)
        self._keys: dict[bytes, tuple[str, str]] = {}
        self._versions: dict[tuple[str, str], Baseline] = {}
        self._digests: dict[str, Baseline] = {}
        self.unreadable: asyncio.Queue[DeadLetter] = asyncio.Queue()

    @property
    def by_version(self) -> Mapping[tuple[str, str], Baseline]:
        """By (model, version); live."""
        return self._versions

    @property
    def by_digest(self) -> Mapping[str, Baseline]:
        """Every baseline seen, also those that a later one of the same version has replaced; live."""
        return self._digests

    async def start(self) -> None:
        """Read the topic to its end, then follow it. Raises BrokerError."""
        await self._follower.start()

    async def stop(self) -> None:
        """Stop following; what was read stays."""
        await self._follower.stop()

    async def refresh(self) -> None:
        """Return when all that is on the topic now has been read. Raises KafkaError while no broker answers."""
        await self._follower.refresh()

    def learn(self, record: ConsumerRecord) -> None:
        """Take up one record of the topic; a tombstone makes its version unknown again."""
        try:
            found = said(record, self._keys)
        except Exception as error:  # whatever one record does, those behind it are read: all counting waits for them
            unexpected = None if isinstance(error, InvalidBaseline) else error
            log.error("%s/%s offset %s: %s", record.topic, record.partition, record.offset, error, exc_info=unexpected)
            self.unreadable.put_nowait(DeadLetter.of(record, "unreadable", str(error)))
            return
        if found is None:
            return
        version, baseline = found
        if baseline is None:
            self._versions.pop(version, None)
            return
        self._versions[version] = baseline
        self._digests[baseline.digest] = baseline
        log.info("baseline %s of %s", baseline.digest, baseline.key)
