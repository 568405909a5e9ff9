"""POST /explain: why the score of a row is what it is. The row is scored again, by the version that answers now; there
is no event, so it is not counted as a prediction.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import msgspec

from api.errors import ExplainBusy
from api.explaining.messages import Version
from api.explaining.queue import ExplanationQueue
from api.explaining.reading import ExplanationReader
from api.guard.keys import Scope
from api.http.exchange import Call
from api.http.problems import Reply
from api.models.compiled import is_compiled
from api.models.served import Served
from api.predicting.predictor import Predictor


class ExplainEndpoint:
    """limit: longest body in bytes. now: the wall clock."""

    path = "/explain"
    scope: Scope = "predict"
    once = False
    room = None

    def __init__(
        self, predictor: Predictor, queue: ExplanationQueue, *, limit: int, now: Callable[[], datetime]
    ) -> None:
        self.limit = limit
        self._predictor = predictor
        self._queue = queue
        self._now = now
        self._read_for: tuple[Served, ExplanationReader] | None = None

    async def answer(self, call: Call) -> Reply:
        """Raises RequestRefused, NotServing or ScoringFailed."""
        served = self._predictor.current()
        request = self._reader(served).read(call.body, self._now())
        if served.folder is None:
            raise ExplainBusy(f"There is no local copy of {served.key} to explain with: API_MODEL_CACHE has no room.")
        version = Version(served.key, str(served.folder), is_compiled(served.scorer))
        row = msgspec.structs.astuple(request.features)
        return Reply(200, await self._queue.explain(version, row, request.top))

    def _reader(self, served: Served) -> ExplanationReader:
        if self._read_for is None or self._read_for[0] is not served:
            self._read_for = served, ExplanationReader(served.reader)
        return self._read_for[1]
