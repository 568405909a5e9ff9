"""LabelDesk: labels in, each joined with its prediction, all that can be joined committed together.

With a receipt nothing is looked up, however old the prediction is. Without one the mirror is asked, for all labels of a
request at once. A label that is refused costs the others nothing; without room in the outbox none is taken.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from api.errors import ApiError, FieldError, LookupsAway, PredictionUnknown
from api.idempotency.ticket import Ticket
from api.labels.joining import join
from api.labels.reading import LabelRequest
from api.outbox.log import Outbox
from api.outbox.segments import Group, Record
from api.receipts.receipt import Fact
from api.telemetry import Telemetry
from contracts.events import EventIds
from contracts.headers import Origin
from contracts.labels import Label, encode_label
from contracts.times import UtcTime, milliseconds

Found = Mapping[str, "Fact | ApiError"]


class Reader(Protocol):
    """What is asked of api.receipts.following.ReceiptKeeper."""

    def read(self, receipt: str, prediction_id: str) -> Fact:
        """Raises ReceiptRefused."""


class Accepted(msgspec.Struct, frozen=True, gc=False):
    """One joined label. joined: how."""

    label: Label
    joined: str


class _Predicted(msgspec.Struct, frozen=True, gc=False):
    """What a label needs of an event of the mirror."""

    event_time: UtcTime
    model: str
    model_version: str
    score: float
    decision: bool | None = None


_predicted = msgspec.json.Decoder(_Predicted).decode


class LabelDesk:
    """look_up: the events of some predictions, JSON, None where there is none; raises LookupsAway. ids: of labels.

    skew: how far clocks may be apart. now: the wall clock. settle: called after a commit and awaited before its answer.
    """

    def __init__(
        self,
        receipts: Reader,
        look_up: Callable[[Sequence[str]], Awaitable[Sequence[bytes | None]]],
        outbox: Outbox,
        telemetry: Telemetry,
        ids: EventIds,
        *,
        skew: timedelta,
        now: Callable[[], datetime],
        settle: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._receipts = receipts
        self._look_up = look_up
        self._outbox = outbox
        self._telemetry = telemetry
        self._ids = ids
        self._skew = skew
        self._now = now
        self._settle = settle

    async def find(self, labels: Sequence[LabelRequest]) -> Found:
        """What the mirror knows of those that have no receipt, by prediction id, or why it does not."""
        wanted = list(dict.fromkeys(label.prediction_id for label in labels if label.receipt is None))
        if not wanted:
            return {}
        try:
            events = await self._look_up(wanted)
        except LookupsAway as error:
            away = LookupsAway(f"{error} A label that has the receipt of its prediction needs no look-up.")
            return dict.fromkeys(wanted, away)
        return {id_: _fact_of(event) for id_, event in zip(wanted, events, strict=True)}

    def join(self, label: LabelRequest, found: Found) -> Accepted:
        """Raises LabelRefused, PredictionUnknown or LookupsAway."""
        if label.receipt is not None:
            fact: Fact | ApiError = self._receipts.read(label.receipt, label.prediction_id)
        else:
            fact = found[label.prediction_id]
        if isinstance(fact, ApiError):
            raise fact
        joined = join(label, fact, self._now(), self._skew)
        return Accepted(joined, "mirror" if label.receipt is None else "receipt")

    async def commit(self, accepted: Sequence[Accepted], origin: Origin | None, keep: Keep | None = None) -> None:
        """All or none; they are durable when it returns. Raises OutboxClosed."""
        if not accepted:
            return
        records = [self._record(one.label, origin) for one in accepted]
        if keep is not None:
            records[0] = msgspec.structs.replace(records[0], outcome=keep.ticket.outcome(keep.answer))

        def settled() -> None:
            for how in ("receipt", "mirror"):
                count = sum(one.joined == how for one in accepted)
                if count:
                    self._telemetry.labels.accepted.labels(how).inc(count)
            if keep is not None:
                keep.ticket.committed = True

        self._outbox.append(Group("", milliseconds(self._now()), records), settled)
        if self._settle is not None:
            await self._settle()

    def _record(self, label: Label, origin: Origin | None) -> Record:
        key, time = label.prediction_id.encode(), label.labelled_at.isoformat()
        # ids are given where they are committed: in the outbox they must rise
        return Record(key, self._ids.next(), time, encode_label(label), None, origin)


class Keep(msgspec.Struct, frozen=True):
    """What is kept of a request under its idempotency key. answer: JSON."""

    ticket: Ticket
    answer: bytes


def _fact_of(event: bytes | None) -> Fact | ApiError:
    if event is None:
        detail = "is not known: it was never made, or is older than the look-ups keep; send the receipt of its answer"
        fault = FieldError("/prediction_id", detail, "no-such-prediction")
        return PredictionUnknown("no-such-prediction", "There is no such prediction, or it is too old.", (fault,))
    known = _predicted(event)
    return Fact(known.model, known.model_version, milliseconds(known.event_time), known.score, known.decision)
