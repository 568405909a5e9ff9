"""KeyRing: from what a request presents to the client whose key it is.

The first look at a key costs a hash. A key that was right is then remembered by the very bytes of its header, so each
further request costs one look-up in a dict. That look-up tells a stranger nothing: Python finds an entry by a 64-bit
hash seeded anew in each process (PYTHONHASHSEED), and compares bytes only where that hash is equal, which for a wrong
key happens once in 2^64; no time depends on how many of its characters are right.
"""

from __future__ import annotations

import hmac
import math
from collections.abc import Callable, Mapping

from api.errors import NotAdmitted
from api.guard.key_file import Entries
from api.guard.keys import LONGEST, KeyEntry, hash_of, id_in
from api.guard.rates import TokenBucket
from api.requests.headers import RequestHeaders

REMEMBERED = 10_000
_NOBODY = hash_of(b"")  # compared for an id that is not there, so that it takes as long as one that is
_HOW = "Send your API key as Authorization: Bearer KEY, or as X-API-Key: KEY."


class Client:
    """One key at work. expires: seconds since the epoch, inf: never."""

    __slots__ = ("bucket", "entry", "expires", "name", "scopes")

    def __init__(self, entry: KeyEntry, bucket: TokenBucket | None) -> None:
        self.entry = entry
        self.name = entry.name
        self.scopes = frozenset(entry.scopes)
        self.expires = math.inf if entry.expires is None else entry.expires.timestamp()
        self.bucket = bucket


class KeyRing:
    """clock: seconds, monotonic, for the rates. before: the ring that this one replaces; equal keys go on where they
    were, so that nobody gets a new burst because somebody else's key was added.
    """

    def __init__(self, entries: Entries, clock: Callable[[], float], before: KeyRing | None = None) -> None:
        known: Mapping[str, Client] = {} if before is None else before._by_id
        self._by_id: dict[str, Client] = {entry.id: _client(entry, known.get(entry.id), clock) for entry in entries}
        self.by_name = {client.name: client for client in self._by_id.values()}
        # two dicts: what is right in one header is not in the other, which has no "Bearer"
        self._seen_bearer: dict[bytes, Client] = {}
        self._seen_key: dict[bytes, Client] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def find(self, headers: RequestHeaders) -> Client:
        """Whose key it is; whether it has expired is not asked here. Raises NotAdmitted."""
        if not headers.api_key:
            client = self._seen_bearer.get(headers.authorization)
            if client is not None:
                return client
        elif not headers.authorization:
            client = self._seen_key.get(headers.api_key)
            if client is not None:
                return client
        return self._look(headers)

    def _look(self, headers: RequestHeaders) -> Client:
        presented = _presented(headers)
        entry_of = self._by_id.get(id_in(presented))
        expected = _NOBODY if entry_of is None else entry_of.entry.hash
        # compare_digest takes as long wherever the first difference lies
        if not hmac.compare_digest(hash_of(presented), expected) or entry_of is None:
            raise NotAdmitted("wrong-key", "This is no API key of this server, or it was revoked.")
        seen = self._seen_key if headers.api_key else self._seen_bearer
        if len(seen) >= REMEMBERED:  # one key can be written in some ways: "Bearer", "bearer", with more spaces
            seen.clear()
        seen[headers.api_key or headers.authorization] = entry_of
        return entry_of


def _presented(headers: RequestHeaders) -> bytes:
    """The key as it was sent. Raises NotAdmitted."""
    if headers.authorization and headers.api_key:
        # a proxy may have checked one and passed on the other
        raise NotAdmitted("wrong-key", "Send one of Authorization and X-API-Key, not both.")
    key = headers.api_key
    if headers.authorization:
        scheme, _, rest = headers.authorization.partition(b" ")
        if scheme.lower() != b"bearer":
            raise NotAdmitted("no-key", _HOW)
        key = rest.strip(b" ")
    if not key:
        raise NotAdmitted("no-key", _HOW)
    if len(key) > LONGEST:
        raise NotAdmitted("wrong-key", f"An API key of this server has less than {LONGEST} characters.")
    return key


def _client(entry: KeyEntry, before: Client | None, clock: Callable[[], float]) -> Client:
    if entry.rate is None or entry.burst is None:
        return Client(entry, None)
    if before is not None and (before.entry.rate, before.entry.burst) == (entry.rate, entry.burst):
        return Client(entry, before.bucket)
    return Client(entry, TokenBucket(entry.rate, entry.burst, clock()))
