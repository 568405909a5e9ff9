"""What the API and its explaining process say to one another: MessagePack, each behind its length in four bytes."""

from __future__ import annotations

import struct
from typing import Literal

import msgspec

from contracts.encoder import Row

LENGTH = struct.Struct(">I")

Outcome = Literal["loaded", "answer", "failed", "gone"]


class Version(msgspec.Struct, frozen=True):
    """The version to explain with. folder: of its files. compiled: whether its compiled form is what scores it."""

    key: str
    folder: str
    compiled: bool


class Question(msgspec.Struct, frozen=True):
    """row: values in schema order; None: only load the version. top: how many reasons at most."""

    version: Version
    row: Row | None = None
    top: int = 0


class Reply(msgspec.Struct, frozen=True):
    """body: of an answer, JSON; of the others what went wrong, as text. gone: the version's files cannot be read."""

    outcome: Outcome
    body: bytes = b""


def framed(message: Question | Reply) -> bytes:
    """With its length in front."""
    data = msgspec.msgpack.encode(message)
    return LENGTH.pack(len(data)) + data


def read_question(data: bytes) -> Question:
    """Without the length."""
    return _questions.decode(data)


def read_reply(data: bytes) -> Reply:
    """Without the length."""
    return _replies.decode(data)


_questions = msgspec.msgpack.Decoder(Question)
_replies = msgspec.msgpack.Decoder(Reply)
