"""What is asked of the store of keys, and what it finds."""

from __future__ import annotations

from typing import NamedTuple


class Take(NamedTuple):
    """Take a key for a body. now: milliseconds since the epoch."""

    digest: bytes
    body: bytes
    now: int


class Finish(NamedTuple):
    """What the request of a taken key was answered. taken: when the key was; a later life of it is another's."""

    digest: bytes
    taken: int
    answer: bytes


class Drop(NamedTuple):
    """A taken key that was not answered: as if it had never been."""

    digest: bytes
    taken: int


class Found(NamedTuple):
    """A key that was there. same: whether it was taken for the same body. answer: None, it is not answered yet."""

    same: bool
    owner: str
    answer: bytes | None


Operation = Take | Finish | Drop
