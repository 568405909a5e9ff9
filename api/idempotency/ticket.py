"""Ticket: the right to work on one idempotency key; what the key is, and which ones can be used."""

from __future__ import annotations

import hashlib
import re

from api.errors import IdempotencyKeyWrong
from api.outbox.segments import Outcome

_KEY = re.compile(rb"[\x21-\x7e]{1,255}")


class Ticket:
    """digest: names client, path and key. taken: when, milliseconds since the epoch.

    committed: an event that carries this ticket's outcome is in the outbox, whatever is answered. To be set when the
    append has returned, no earlier: whatever is raised before it leaves no event, and the key is to be free again.
    """

    __slots__ = ("committed", "digest", "taken")

    def __init__(self, digest: bytes, taken: int) -> None:
        self.digest = digest
        self.taken = taken
        self.committed = False

    def outcome(self, answer: bytes) -> Outcome:
        """To be committed with the first of the request's events."""
        return Outcome(self.digest, self.taken, answer)


def digest_of(client: str, path: str, key: bytes) -> bytes:
    """The same key of another client, or for another path, is another key. Raises IdempotencyKeyWrong."""
    if _KEY.fullmatch(key) is None:
        raise IdempotencyKeyWrong(
            "idempotency-key", "Idempotency-Key must be 1 to 255 visible ASCII characters, such as a UUID."
        )
    return hashlib.sha256(b"\0".join((client.encode(), path.encode(), key))).digest()
