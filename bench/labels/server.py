"""Our server as it takes labels: what it has accepted, and when all of it is on Kafka."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from bench.api.ours import Ours
from bench.benchmark import BenchError

_ACCEPTED, _REFUSED = "tidemark_api_labels_total", "tidemark_api_labels_refused_total"
_PENDING = "tidemark_api_label_outbox_pending_bytes"
_DRAIN_SECONDS, _POLL_SECONDS = 300.0, 0.05


class Predicted(msgspec.Struct):
    """Of one answer, what its label is sent with."""

    prediction_id: str
    receipt: str


class _Predictions(msgspec.Struct):
    predictions: list[Predicted]


class LabelServer(Ours):
    """As the benchmark `api` has it, with labels counted too."""

    def predict(self, batches: Path) -> list[Predicted]:
        """The answers to all rows of a file of batches. Raises BenchError."""
        found: list[Predicted] = []
        with batches.open("rb") as bodies:
            for body in bodies:
                status, answer = self.post("/predict/batch", body)
                if status != 200:
                    raise BenchError(f"ours answers {status}: {answer[:300].decode(errors='replace')}")
                found += msgspec.json.decode(answer, type=_Predictions).predictions
        return found

    def accepted(self) -> int:
        """Labels since its start, as its own metrics count them."""
        return round(self._metric(_ACCEPTED))

    def refused(self) -> int:
        """The same of those that it refused."""
        return round(self._metric(_REFUSED))

    def drained(self) -> float:
        """Returns when every event and every label is acknowledged: the seconds that it took. Raises BenchError."""
        began = time.monotonic()
        super().drained()
        while self._metric(_PENDING) > 0:
            if time.monotonic() - began > _DRAIN_SECONDS:
                raise BenchError(f"the outbox of labels was not drained in {_DRAIN_SECONDS:g} s")
            time.sleep(_POLL_SECONDS)
        return time.monotonic() - began
