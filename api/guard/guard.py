"""Guard: whether a request may be worked on at all, decided before its body is read.

In this order: is the key right, may it do this, can more work be taken on, has the key anything left of its rate. So a
stranger learns nothing of the load, and a request that is turned away for the load costs nothing of its rate.

Too much work is answered with a problem and Retry-After, by us. uvicorn's `limit_concurrency` would answer text that no
client expects, counts idle connections as work, and lets strangers lock out those who have a key.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Final

from api.errors import FieldError, InvalidRequest, NotAdmitted, OutOfScope, Overloaded, RateExceeded
from api.guard.key_ring import KeyRing
from api.guard.keys import Scope
from api.guard.rates import TokenBucket
from api.requests.headers import RequestHeaders

ANYBODY = "anybody"
"""The client where no keys are configured."""
_WORK: Final[frozenset[Scope]] = frozenset({"predict", "label"})
"""What is turned away where too many predictions wait: a label can come later."""
_ROUNDING = 1e-8  # seconds: who waits as told must not miss its turn by the last digit of a clock


class Guard:
    """Asked by the fast path and by the routes of FastAPI alike.

    ring: None lets everybody in. waiting: rows that wait to be scored now, at most max_waiting of them. waiting_keyed:
    what waits in the ledger of idempotency keys, which counts too for a request that has to go there.
    clock: seconds, monotonic. wall: seconds since the epoch.
    """

    def __init__(
        self,
        ring: KeyRing | None = None,
        *,
        waiting: Callable[[], int] = lambda: 0,
        waiting_keyed: Callable[[], int] = lambda: 0,
        max_waiting: int = 1,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._ring = ring
        self._waiting = waiting
        self._waiting_keyed = waiting_keyed
        self._max_waiting = max_waiting
        self._clock = clock
        self._wall = wall

    @property
    def ring(self) -> KeyRing | None:
        """The keys in force; None: everybody is let in."""
        return self._ring

    def use(self, ring: KeyRing) -> None:
        """From now on these keys are in force."""
        self._ring = ring

    def admit(self, headers: RequestHeaders, scope: Scope, one_row: bool = True) -> str:
        """The name of the client's key. one_row: it costs one row of its rate. Otherwise only its body tells, and
        `begin` and `charge` are to be called.

        Raises NotAdmitted, OutOfScope, Overloaded or RateExceeded.
        """
        ring = self._ring
        if ring is None:
            if scope in _WORK:
                self.reconsider(headers.idempotency_key)
            return ANYBODY
        client = ring.find(headers)
        if client.expires <= self._wall():
            raise NotAdmitted(
                "expired-key",
                f"This API key expired at {client.entry.expires}: ask for a new one.",
                client=client.name,
            )
        if scope not in client.scopes:
            raise OutOfScope(scope, f"This API key lacks the scope {scope}.", client.name)
        if scope in _WORK:
            self.reconsider(headers.idempotency_key)
        if one_row and client.bucket is not None:
            wait = client.bucket.take(1, self._clock())
            if wait > 0.0:
                raise _exceeded(client.name, client.bucket, wait)
        return client.name

    def knows(self, headers: RequestHeaders, scope: Scope) -> bool:
        """Whether it would be let in, were there room and rate."""
        if self._ring is None:
            return True
        try:
            client = self._ring.find(headers)
        except NotAdmitted:
            return False
        return scope in client.scopes and client.expires > self._wall()

    def reconsider(self, idempotency_key: bytes | None = None) -> None:
        """Also for a body that came later than its headers: the load may have grown meanwhile. Raises Overloaded."""
        waiting = self._waiting()
        if idempotency_key is not None:
            waiting += self._waiting_keyed()
        if waiting >= self._max_waiting:
            raise Overloaded("More requests wait than can be answered soon.")

    def begin(self, client: str) -> None:
        """Take one row for an admitted client's request whose body is to be read, though none may be left: what cannot
        be read, or was answered before, costs that. Raises RateExceeded where the row of an earlier one is still owed.
        """
        bucket = self._bucket_of(client)
        wait = 0.0 if bucket is None else bucket.lend(self._clock())
        if bucket is not None and wait > 0.0:
            raise _exceeded(client, bucket, wait)

    def charge(self, client: str, rows: int, *, laborious: bool = False) -> None:
        """Take all rows of a request that has begun, with the one that it cost then, or give that back, too: a part
        that was taken would be lost with each refusal. It is kept where it was `laborious` to count them.

        Raises RateExceeded, with the wait after which all are there, or InvalidRequest for more than any wait gives.
        """
        bucket = self._bucket_of(client)
        if bucket is None:
            return
        bucket.give_back()
        wait = bucket.take(rows, self._clock())
        if wait == 0.0:
            return
        if laborious:
            bucket.lend(self._clock())
            wait += 1 / bucket.rate
        if wait == math.inf:
            detail = f"has {rows} rows: this API key may send {bucket.burst} at a time"
            raise InvalidRequest(
                "row-count",
                "The request has more rows than its key may send.",
                (FieldError("/rows", detail, "row-count"),),
            )
        raise _exceeded(client, bucket, wait)

    def _bucket_of(self, client: str) -> TokenBucket | None:
        """None: it has no rate, or its key was revoked meanwhile, and this request was let in before."""
        found = None if self._ring is None else self._ring.by_name.get(client)
        return None if found is None else found.bucket


def _exceeded(client: str, bucket: TokenBucket, wait: float) -> RateExceeded:
    whole = math.ceil(wait + _ROUNDING)
    return RateExceeded(whole, f"This API key may send {bucket.rate:g} rows a second.", client)
