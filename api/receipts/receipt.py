"""A receipt: what a late label has to know of its prediction, authenticated by a key of this installation.

    receipt = base64url, without padding, of: head fact tag
    head    = format:u8 key id:4 bytes, length:u16 model, length:u16 version      (big endian; UTF-8)
    fact    = event time:i64 ms, score:f64, decision:u8 (0, 1; 2: none), crc32 of the prediction id:u32
    tag     = the first 16 bytes of BLAKE2b keyed with the installation's key, over head, fact and the prediction id

Keyed BLAKE2b is a message authentication code (RFC 7693, section 2.9). A tag is right for these bytes and this
prediction id alone: whoever lacks the key can neither make a receipt, nor change one, nor hand it to another
prediction. The checksum only tells which of that was tried. It hides nothing: all of it was in the answer, too.
Pure: bytes in, values out.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import struct
import zlib
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec

from api.errors import ReceiptRefused
from contracts.events import PredictionEvent, event_time_ms
from contracts.times import EPOCH, MILLISECOND

KEY_BYTES: Final = 32
LONGEST: Final = 2048
"""Characters; more is none of ours, whatever it is."""
_FORMAT, _TAG_BYTES, _ID_BYTES = 1, 16, 4
_PERSON: Final = b"tidemark-receipt"
_FACT = struct.Struct(">qdBI")
_LENGTH = struct.Struct(">H")
_END = _FACT.size + _TAG_BYTES
_NO_DECISION = 2
_MOST_VERSIONS = 256
_TO_URL, _FROM_URL = bytes.maketrans(b"+/", b"-_"), bytes.maketrans(b"-_", b"+/")


class Fact(NamedTuple):
    """What was predicted. event_time_ms: since the epoch. decision: None where the model has no threshold."""

    model: str
    version: str
    event_time_ms: int
    score: float
    decision: bool | None


class Key(msgspec.Struct, frozen=True):
    """One secret of KEY_BYTES. id: names it in receipts and tells nothing of it."""

    secret: bytes

    @property
    def id(self) -> bytes:
        """4 bytes.

        >>> Key(bytes(32)).id.hex()
        '444fbab8'
        """
        return hashlib.blake2b(b"id", key=self.secret, digest_size=_ID_BYTES, person=_PERSON).digest()


class _Head(NamedTuple):
    """Of one version. hashed: the state of the tag after it, so that each receipt begins there."""

    model: str
    version: str
    hashed: Any


class Receipts:
    """Signs with the first of the keys and reads what any of them signed. Not empty."""

    def __init__(self, keys: Sequence[Key]) -> None:
        self.keys = tuple(keys)
        self._states = {key.id: hashlib.blake2b(key=key.secret, digest_size=_TAG_BYTES, person=_PERSON) for key in keys}
        self._first = self.keys[0].id
        self._signing: dict[tuple[str, str], tuple[bytes, Any]] = {}
        self._read: dict[bytes, _Head] = {}
        self._time, self._ms = EPOCH, 0

    def sign(self, event: PredictionEvent[Any]) -> str:
        """The receipt of an answered prediction; the same whenever it is asked for."""
        head, hashed = self._signer(event)
        if event.event_time is not self._time:  # events of a group often share one
            self._time = event.event_time
            self._ms = (self._time - EPOCH) // MILLISECOND  # event_time_ms without a call: on every prediction's way
        id_, decision = event.id.encode(), event.decision
        fact = _FACT.pack(self._ms, event.score, _NO_DECISION if decision is None else decision, zlib.crc32(id_))
        state = hashed.copy()
        state.update(fact + id_)
        whole = binascii.b2a_base64(head + fact + state.digest(), newline=False)
        return whole.translate(_TO_URL, b"=").decode()

    def sign_all(self, events: Sequence[PredictionEvent[Any]]) -> list[str]:
        """The same receipts, of many events: of one version they are equally long, and become text in one piece."""
        if len({event.model_version for event in events}) != 1 or len({event.model for event in events}) != 1:
            return [self.sign(event) for event in events]
        head, hashed = self._signer(events[0])
        pack, crc32, copied, raw = _FACT.pack, zlib.crc32, hashed.copy, list[bytes]()
        time, ms = EPOCH, 0
        for event in events:
            if event.event_time is not time:
                time = event.event_time
                ms = (time - EPOCH) // MILLISECOND
            id_, decision = event.id.encode(), event.decision
            fact = pack(ms, event.score, _NO_DECISION if decision is None else decision, crc32(id_))
            state = copied()
            state.update(fact + id_)
            raw.append(head + fact + state.digest())
        size = len(raw[0])
        gap = -size % 3  # each but the last is filled up with zeros, to end where four characters do
        text = binascii.b2a_base64(bytes(gap).join(raw), newline=False).translate(_TO_URL, b"=").decode()
        step, length = (size + gap) // 3 * 4, (size * 4 + 2) // 3
        return [text[at : at + length] for at in range(0, step * len(raw), step)]

    def read(self, receipt: str, prediction_id: str) -> Fact:
        """Raises ReceiptRefused: it was altered or forged, another key signed it, or it is another prediction's."""
        raw = _raw(receipt)
        head = raw[:-_END]
        known = self._read.get(head) or self._head(head)
        id_ = prediction_id.encode()
        state = known.hashed.copy()
        state.update(raw[-_END:-_TAG_BYTES] + id_)
        ms, score, decision, checksum = _FACT.unpack_from(raw, len(head))
        if not hmac.compare_digest(state.digest(), raw[-_TAG_BYTES:]):
            if checksum != zlib.crc32(id_):
                raise ReceiptRefused("receipt-prediction", "is of another prediction: send the one of this id")
            raise _altered()
        if len(self._read) < _MOST_VERSIONS:  # only what is right is remembered
            self._read[head] = known
        return Fact(known.model, known.version, ms, score, None if decision == _NO_DECISION else decision == 1)

    def _signer(self, event: PredictionEvent[Any]) -> tuple[bytes, Any]:
        """The head of receipts of the event's version, and the state of the tag after it."""
        version = event.model, event.model_version
        return self._signing.get(version) or self._begin(version)

    def _begin(self, version: tuple[str, str]) -> tuple[bytes, Any]:
        texts = [text.encode() for text in version]
        head = bytes([_FORMAT]) + self._first + b"".join(_LENGTH.pack(len(text)) + text for text in texts)
        hashed = self._states[self._first].copy()
        hashed.update(head)
        if len(self._signing) >= _MOST_VERSIONS:
            self._signing.clear()
        self._signing[version] = head, hashed
        return head, hashed

    def _head(self, head: bytes) -> _Head:
        """Of a version that was not read before, not verified yet."""
        if head[:1] != bytes([_FORMAT]):
            raise _altered()
        state = self._states.get(head[1 : 1 + _ID_BYTES])
        if state is None:
            raise ReceiptRefused(
                "receipt-key", "was signed with a key that is not here: send it to the installation that answered"
            )
        hashed = state.copy()
        hashed.update(head)
        try:
            model, rest = _text(head[1 + _ID_BYTES :])
            version, rest = _text(rest)
        except (struct.error, UnicodeDecodeError) as error:
            raise _altered() from error
        if rest:
            raise _altered()
        return _Head(model, version, hashed)


def fact_of(event: PredictionEvent[Any]) -> Fact:
    """What the receipt of an event says."""
    return Fact(event.model, event.model_version, event_time_ms(event), event.score, event.decision)


def _raw(receipt: str) -> bytes:
    """Only the one spelling that `sign` has: another one of the same bytes would be an altered receipt."""
    try:
        given = receipt.encode("ascii")
        raw = binascii.a2b_base64(given.translate(_FROM_URL) + b"=" * (-len(given) % 4))
    except ValueError as error:
        raise _altered() from error
    if len(raw) <= _END or binascii.b2a_base64(raw, newline=False).translate(_TO_URL, b"=") != given:
        raise _altered()
    return raw


def _text(data: bytes) -> tuple[str, bytes]:
    """The text that `data` begins with, and what is behind it."""
    (length,) = _LENGTH.unpack_from(data)
    text, rest = data[_LENGTH.size : _LENGTH.size + length], data[_LENGTH.size + length :]
    if len(text) != length:
        raise struct.error("cut off")
    return text.decode(), rest


def _altered() -> ReceiptRefused:
    return ReceiptRefused("receipt-altered", "is no receipt of ours, or was altered: send it as the answer had it")
