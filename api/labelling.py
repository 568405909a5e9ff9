"""Labelling: the parts that take labels, built together: an outbox of their own, what joins them, what drains it.

An outbox of their own, because a label and a prediction owe each other nothing: a Kafka without the topic `labels`, or
a flood of labels, does not keep one prediction from its answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from api.health import Health
from api.idempotency.ledger import Ledger
from api.labels.desk import LabelDesk
from api.outbox.aside import Aside
from api.outbox.log import Outbox
from api.outbox.removal import Removal
from api.outbox.segments import Record
from api.outbox.settler import Settler
from api.outbox.slots import LABELS, Slot
from api.outbox.sources import Source, Sources
from api.publishing.mirror import Mirror
from api.publishing.pace import Pace
from api.publishing.producer import LABEL_FEED, Producer
from api.publishing.publisher import Link, Publisher
from api.publishing.setting_aside import SettingAside
from api.receipts.following import ReceiptKeeper
from api.receipts.keys import DEFAULT_NAME
from api.settings import ApiSettings
from api.telemetry import Telemetry
from contracts.events import EventIds

_LINGER_SECONDS = 0.05
"""At least: nobody waits for a label to be on Kafka, and larger batches are cheaper."""


class _NoMirror:
    """Labels are not looked up."""

    async def write(self, records: Sequence[Record]) -> None: ...

    async def check(self) -> None: ...


@dataclass(frozen=True)
class Labelling:
    """What takes labels and what becomes of them."""

    receipts: ReceiptKeeper
    desk: LabelDesk
    outbox: Outbox
    settler: Settler
    publisher: Publisher

    @property
    def health(self) -> Health:
        """Whether labels are taken, and reach Kafka."""
        accepts = self.outbox.accepts()
        said = [self.outbox.trouble, f"{self.outbox.backlog.pending_bytes} bytes wait for Kafka"]
        if not self.publisher.health.ok:
            said.append(self.publisher.health.detail)
        return Health(accepts and self.publisher.health.ok, "; ".join(filter(None, said)))


def receipt_keeper(settings: ApiSettings) -> ReceiptKeeper:
    """Raises SettingsError."""
    named = settings.receipt_keys_file
    return ReceiptKeeper(named or settings.outbox_dir / DEFAULT_NAME, made=named is None)


def take_labels(
    settings: ApiSettings,
    slot: Slot,
    epoch: int,
    telemetry: Telemetry,
    receipts: ReceiptKeeper,
    mirror: Mirror,
    ledger: Ledger,
    *,
    now: Callable[[], datetime],
    age: Callable[[Outbox], float],
) -> Labelling:
    """Build them. slot: whose part for labels is used. age: of what is oldest in an outbox, seconds.

    Raises OutboxUnusable.
    """
    part = slot.parts[LABELS]
    each_group = settings.outbox_sync == "group"
    outbox = Outbox(
        part.directory,
        epoch,
        max_bytes=settings.label_outbox_max_bytes,
        on_torn=telemetry.torn.inc,
        each_group=each_group,
        what="labels",
        bound="API_LABEL_OUTBOX_MAX_BYTES",
        removal=Removal(),
    )
    telemetry.watch_label_outbox(
        lambda: outbox.backlog.pending_bytes, lambda: age(outbox), settings.label_outbox_max_bytes
    )
    settler = Settler(outbox)
    desk = LabelDesk(
        receipts,
        mirror.some,
        outbox,
        telemetry,
        EventIds(f"label.{slot.identity()}", epoch),
        skew=timedelta(seconds=settings.label_skew_seconds),
        now=now,
        settle=settler.settle if each_group else None,
    )

    async def connect() -> Link:
        return await Producer.connect(settings.bootstrap, settings.topic_prefix, LABEL_FEED)

    publisher = Publisher(
        Sources(Source(part, outbox.backlog), settings.outbox_dir, telemetry.labels, telemetry.torn.inc, LABELS),
        connect,
        _NoMirror(),
        telemetry.labels,
        Pace(
            linger=max(_LINGER_SECONDS, settings.linger_ms / 1000),
            warn=settings.ack_warn_seconds,
            limit=settings.ack_limit_seconds,
            adopt=settings.adopt_seconds,
        ),
        SettingAside(
            Aside(settings.outbox_dir, LABELS, settings.label_outbox_max_bytes), telemetry.labels, name="labels"
        ),
        now=lambda: time.time() * 1000,
        remember=ledger.remember,
        name="labels",
        lazy=True,
    )
    return Labelling(receipts, desk, outbox, settler, publisher)
