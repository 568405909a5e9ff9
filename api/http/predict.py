"""POST /predict: the body in, the whole answer out. The fast path and the FastAPI route both end here, by way of
`api.http.exchange`, so they cannot answer differently.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from api.guard.keys import Scope
from api.http.exchange import Call
from api.http.problems import Reply
from api.predicting.predictor import Job, Predictor
from api.requests.origin import read_origin


class PredictEndpoint:
    """limit: longest body in bytes. now: the wall clock."""

    path = "/predict"
    scope: Scope = "predict"
    once = True
    status = 200
    room = None

    def __init__(self, predictor: Predictor, *, limit: int, now: Callable[[], datetime]) -> None:
        self.limit = limit
        self._predictor = predictor
        self._now = now

    async def answer(self, call: Call) -> Reply:
        """Raises RequestRefused, NotServing or ScoringFailed."""
        served = self._predictor.current()
        request = served.reader.read(call.body, self._now())
        job = Job(served, request, call.received, read_origin(call.headers), call.ticket)
        event = await self._predictor.submit(job)
        return Reply(200, self._predictor.answer(event), request_id=event.id)
