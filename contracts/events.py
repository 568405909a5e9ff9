"""PredictionEvent: what the model saw and said, one per record of the topic `predictions`.

The wire format is JSON. `features` is typed per model version: stage 1 reads with `version_decoder`, the version's own,
and what that refuses with `event_decoder(schema)`; without a schema, `decode_event` reads features as a plain mapping.
"""

from __future__ import annotations

import json
import re
from typing import Any, Generic, Literal, NamedTuple, NoReturn, TypeVar

import msgspec

from contracts.errors import InvalidEvent
from contracts.schema import FeatureSchema
from contracts.times import EPOCH, MILLISECOND, UtcTime

Role = Literal["champion", "shadow", "canary"]
FeaturesT = TypeVar("FeaturesT")
FeatureValue = float | str | bool | None

BATCH_SOURCE = ".b"
"""Ends the source of what the API answers in batches."""

_ENDS = tuple(f"{number:02x}" for number in range(256))
_ID = re.compile(r"^(.{1,200})-([0-9a-f]{12})-([0-9a-f]{10})\Z")


class PredictionEvent(msgspec.Struct, Generic[FeaturesT], frozen=True, gc=False):
    """One answered prediction.

    id: unique; `source-epoch-sequence` when the Tidemark API made it, any text otherwise.
    event_time: when the predicted thing happened, with a zone. score: probability of the positive class, or the
    regression's value. decision: score >= threshold, None where there is none. latency_ms: receipt to score;
    of a shadow, the scoring alone.

    By position it is made in a third of the time: ten names are compared otherwise. That is for api.predicting alone.
    """

    id: str
    event_time: UtcTime
    model: str
    model_version: str
    score: float
    features: FeaturesT
    entity_id: str | None = None
    role: Role = "champion"
    decision: bool | None = None
    latency_ms: float | None = None
    v: Literal[1] = 1


class EventId(NamedTuple):
    """The parts of an id made by the Tidemark API. Within one (partition, source, epoch) the sequence only rises."""

    source: str
    epoch: int
    sequence: int

    def __str__(self) -> str:
        return f"{self.source}-{self.epoch:012x}-{self.sequence:010x}"

    @property
    def of_batch(self) -> bool:
        """Whether it is a row's of a batch; these have a source of their own in each process."""
        return self.source.endswith(BATCH_SOURCE)


class EventIds:
    """The ids of one process, in order: what they share is written once.

    >>> EventIds("api.00", 1734942503876).next()
    'api.00-0193f2a1b3c4-0000000000'
    """

    def __init__(self, source: str, epoch: int) -> None:
        self._shared = str(EventId(source, epoch, 0))[:-10]
        self._sequence = 0

    def next(self) -> str:
        """One that was not given before."""
        number = self._sequence
        self._sequence = number + 1
        return f"{self._shared}{number:010x}"

    def take(self, count: int) -> list[str]:
        """So many that were not given before, in order: what 256 of them share is written once.

        >>> ids = EventIds("a.b", 1734942503876)
        >>> ids.take(255)[-1], ids.take(2)
        ('a.b-0193f2a1b3c4-00000000fe', ['a.b-0193f2a1b3c4-00000000ff', 'a.b-0193f2a1b3c4-0000000100'])
        """
        taken = list[str]()
        while count:
            block, at = divmod(self._sequence, len(_ENDS))
            begin = f"{self._shared}{block:08x}"
            taken += [begin + end for end in _ENDS[at : at + count]]
            given = min(count, len(_ENDS) - at)
            self._sequence += given
            count -= given
        return taken


def parse_id(text: str) -> EventId | None:
    """The parts of an id of the shape `source-epoch-sequence`; None for a foreign id.

    >>> parse_id("api.00-0193f2a1b3c4-000000002a")
    EventId(source='api.00', epoch=1734942503876, sequence=42)
    >>> parse_id("6f1c9d1e-8a53-4a3e-9d0f-1c2b3a4d5e6f") is None
    True
    """
    found = _ID.match(text)
    return EventId(found[1], int(found[2], 16), int(found[3], 16)) if found else None


def event_time_ms(event: PredictionEvent[Any]) -> int:
    """Event time in whole milliseconds since the epoch (UTC), what is finer cut off.

    Rounded, the last half millisecond of a window would be counted into the next one.
    """
    return (event.event_time - EPOCH) // MILLISECOND


EventDecoder = msgspec.json.Decoder[PredictionEvent[Any]]
Envelope = PredictionEvent[msgspec.Raw]

_encode = msgspec.json.Encoder().encode
_plain = msgspec.json.Decoder(PredictionEvent[dict[str, FeatureValue]])
_envelope = msgspec.json.Decoder(PredictionEvent[msgspec.Raw])


def event_decoder(schema: FeatureSchema) -> EventDecoder:
    """The decoder for events of one model version; its `features` are structs in schema order (see `astuple`)."""
    return msgspec.json.Decoder(PredictionEvent[schema.features_type(strict=False)])  # type: ignore[misc]


def version_decoder(schema: FeatureSchema, model: str, version: str) -> EventDecoder:
    """For events of this version alone; any other is an error.

    Faster than `event_decoder`: texts that are known are compared, not made. The events have the fields of a
    PredictionEvent, but are none: isinstance says no, and none equals one.
    """
    names = {"model": model, "model_version": version}
    found = msgspec.structs.fields(PredictionEvent[schema.features_type(strict=False)])  # type: ignore[arg-type, misc]
    fields = [(one.name, Literal[names[one.name]] if one.name in names else one.type, _default(one)) for one in found]
    return msgspec.json.Decoder(msgspec.defstruct("EventOfVersion", fields, frozen=True, gc=False))


def _default(field: msgspec.structs.FieldInfo) -> Any:
    """As the field has it, with its name on the wire."""
    if field.default_factory is not msgspec.NODEFAULT:
        return msgspec.field(default_factory=field.default_factory, name=field.encode_name)
    return msgspec.field(default=field.default, name=field.encode_name)


def encode_event(event: PredictionEvent[Any]) -> bytes:
    """JSON of an event, UTF-8."""
    return _encode(event)


def decode_event(data: bytes) -> PredictionEvent[dict[str, FeatureValue]]:
    """Read an event with its features as a mapping. Raises InvalidEvent."""
    try:
        return _plain.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise_invalid(data, error)


def decode_envelope(data: bytes) -> Envelope:
    """Read everything but the features, which stay undecoded bytes. Raises InvalidEvent."""
    try:
        return _envelope.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise_invalid(data, error)


def raise_invalid(data: bytes, error: Exception) -> NoReturn:
    """Say why `data` could not be decoded: NaN and infinities, which JSON has no words for, apart from the rest."""
    found: list[str] = []
    try:
        json.loads(data, parse_constant=found.append)
    except (ValueError, RecursionError):
        found.clear()
    if found or "out of range" in str(error):
        raise InvalidEvent("non-finite", f"a number is {found[0] if found else 'out of range'}: send null") from error
    detail = "nested too deeply" if isinstance(error, RecursionError) else str(error)
    raise InvalidEvent("malformed", detail) from error
