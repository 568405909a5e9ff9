"""What a receipt costs: microseconds to sign one, and to read one again, in this process."""

from __future__ import annotations

import secrets
import time
import timeit
from collections.abc import Callable
from datetime import UTC, datetime

from api.receipts.receipt import KEY_BYTES, Key, Receipts
from contracts.events import EventIds, PredictionEvent

_TIMES, _ROUNDS = 20_000, 7


def costs() -> tuple[float, float]:
    """Of signing and of reading, processor time: the fastest round of each, for other work can only slow one down."""
    receipts, ids = Receipts([Key(secrets.token_bytes(KEY_BYTES))]), EventIds("api.00c0ffee", 1_734_942_503_876)
    event = PredictionEvent(
        id=ids.next(),
        event_time=datetime.now(UTC),
        model="payments",
        model_version="3",
        score=0.123456789,
        features=None,
        decision=False,
    )
    receipt = receipts.sign(event)
    return _cost(lambda: receipts.sign(event)), _cost(lambda: receipts.read(receipt, event.id))


def _cost(call: Callable[[], object]) -> float:
    return min(timeit.repeat(call, timer=time.process_time, number=_TIMES, repeat=_ROUNDS)) / _TIMES * 1e6
