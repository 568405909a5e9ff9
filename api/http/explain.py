"""POST /explain: why the score of a row is what it is. The row is scored again, by the version that answers now or the
one on its way, if that is asked for; there is no event, so it is not counted as a prediction.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import msgspec

from api.errors import ExplainBusy, FieldError, InvalidRequest
from api.explaining.messages import Version
from api.explaining.queue import ExplanationQueue
from api.explaining.reading import ExplanationReader, ExplanationRequest
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
    status = 200
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
        champion = self._predictor.current()
        request = self._reader(champion).read(call.body, self._now())
        served, features = self._asked(champion, request)
        if served.folder is None:
            raise ExplainBusy(f"There is no local copy of {served.key} to explain with: API_MODEL_CACHE has no room.")
        version = Version(served.key, str(served.folder), is_compiled(served.scorer))
        row = msgspec.structs.astuple(features)
        return Reply(200, await self._queue.explain(version, row, request.top))

    def _asked(self, champion: Served, request: ExplanationRequest) -> tuple[Served, msgspec.Struct]:
        """The version asked for, and the row as that one takes it. Raises InvalidRequest."""
        version, lane = request.version, self._predictor.lanes.lane
        if version is None or version == champion.baseline.version:
            return champion, request.features
        if lane is None or lane.champion is not champion or version != lane.rollout.version:
            answers = f"the champion is {champion.baseline.version}"
            others = answers if lane is None else f"{answers}, on its way is {lane.rollout.version}"
            raise _refusal("/version", f"is not loaded: {others}")
        (features,) = lane.conversion.rows([request.features])
        if features is None:
            why = lane.conversion.wrong or "a feature that it needs is null"
            raise _refusal("/features", f"does not fit version {version}: {why}")
        return lane.served, features

    def _reader(self, served: Served) -> ExplanationReader:
        if self._read_for is None or self._read_for[0] is not served:
            self._read_for = served, ExplanationReader(served.reader)
        return self._read_for[1]


def _refusal(pointer: str, detail: str) -> InvalidRequest:
    fault = FieldError(pointer, detail, "wrong-type")
    return InvalidRequest(fault.category, "The request does not fit the model.", (fault,))
