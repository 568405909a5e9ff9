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
from api.guard.key_ring import Client, KeyRing
from api.guard.keys import Scope
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

    def admit(self, headers: RequestHeaders, scope: Scope, rows: int = 1) -> str:
        """The name of the client's key. rows: what the request costs of its rate; 0 where only its body tells, and
        `charge` is to be called.

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
        if rows and client.bucket is not None:
            self._take(client, rows)
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

    def charge(self, client: str, rows: int) -> None:
        """Take all rows of an admitted client's request, or none. A part that was taken would be lost with each
        refusal, and the client that waits as it is told would never get through.

        Raises RateExceeded, or InvalidRequest for more rows than any wait gives.
        """
        if self._ring is None:
            return
        found = self._ring.by_name.get(client)  # None: the key was revoked meanwhile; this request was let in before
        if found is not None and found.bucket is not None:
            self._take(found, rows)

    def _take(self, client: Client, rows: int) -> None:
        bucket = client.bucket
        assert bucket is not None
        wait = bucket.take(rows, self._clock())
        if wait == 0.0:
            return
        if wait == math.inf:
            detail = f"has {rows} rows: this API key may send {bucket.burst} at a time"
            raise InvalidRequest(
                "row-count",
                "The request has more rows than its key may send.",
                (FieldError("/rows", detail, "row-count"),),
            )
        whole = math.ceil(wait + _ROUNDING)
        raise RateExceeded(whole, f"This API key may send {bucket.rate:g} rows a second.", client.name)
