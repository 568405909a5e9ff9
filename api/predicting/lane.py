"""Lane: a version on its way to become the champion, beside the one that answers.

As a canary it answers its share of the entities; a row that it cannot score is answered by the champion, and counted.
As a shadow it scores what the champion has answered: see api.predicting.shadow. Requests are read with the champion's
schema, so a lane belongs to one champion: a swap makes another one.
"""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from api.errors import ScoringFailed
from api.models.served import Served, score_each
from api.requests.schemas import PredictionRequest
from api.routing.conversion import Conversion
from api.routing.router import chooser, shadows
from api.telemetry import Telemetry
from contracts.events import Role
from contracts.rollout import Rollout

log = logging.getLogger(__name__)

SLOW_SECONDS = 0.1
"""A batch that takes a canary longer holds every other request up, too."""
_HELD_UP, _AMONG = 3, 10
"""A canary is slow, too, when so many of its last batches took longer by the clock alone. One says nothing about it: a
busy machine now and then stands still for whoever computes just then.
"""
_REST = 10.0
"""A slow canary rests for so many times as long as its batch took."""

Trouble = Callable[[str, Role, str, int], None]
"""Told of rows that could not be scored: the version, its role, why, and how many."""


class Scored(NamedTuple):
    """A row that the canary answers: its features as that version takes them, and its score."""

    features: msgspec.Struct
    score: float


class Lane:
    """served: the version. champion: whose requests these are. source: names this process, for rows without an entity.

    stopwatch: seconds, monotonic. processor: seconds that this thread has computed.
    """

    def __init__(
        self,
        rollout: Rollout,
        served: Served,
        champion: Served,
        telemetry: Telemetry,
        trouble: Trouble,
        *,
        source: str,
        stopwatch: Callable[[], float] = time.perf_counter,
        processor: Callable[[], float] = time.thread_time,
    ) -> None:
        self.rollout = rollout
        self.served = served
        self.champion = champion
        self.shadows = shadows(rollout)
        self.conversion = Conversion(champion.baseline.schema, served.baseline.schema, served.reader.features_type)
        self._chosen = chooser(rollout)
        self._telemetry = telemetry
        self._trouble = trouble
        self._source = source
        self._stopwatch, self._processor = stopwatch, processor
        self._nameless = 0
        self._held_up = deque[bool](maxlen=_AMONG)
        self._rests_until = 0.0

    def answers(self, requests: Sequence[PredictionRequest]) -> Mapping[int, Scored]:
        """By their places, the rows that the canary answers. Raises nothing: the others are the champion's."""
        chosen = self._chosen
        if chosen is None:
            return {}
        # a row about nobody is somebody new each time: it gets a number, and so its fair chance
        places = [
            place
            for place, request in enumerate(requests)
            if chosen(self._numbered() if request.entity_id is None else request.entity_id)
        ]
        return self._scored(places, [requests[place].features for place in places]) if places else {}

    def _scored(self, places: Sequence[int], rows: Sequence[msgspec.Struct]) -> dict[int, Scored]:
        begun, computed = self._stopwatch(), self._processor()
        if begun < self._rests_until:
            self._fell_back(Counter(slow=len(rows)))
            return {}
        lost = Counter[str]()
        found = dict[int, Scored]()
        converted = self.conversion.rows(rows)
        ready = [(place, row) for place, row in zip(places, converted, strict=True) if row is not None]
        if len(ready) < len(rows):
            lost["schema" if self.conversion.wrong else "absent"] = len(rows) - len(ready)
        scores = self._each([row for _, row in ready]) if ready else []
        for (place, row), score in zip(ready, scores, strict=True):
            if isinstance(score, ScoringFailed):
                lost["scoring"] += 1
            else:
                found[place] = Scored(row, score)
        self._rest(begun, self._stopwatch() - begun, self._processor() - computed)
        self._telemetry.canary_rows.inc(len(found))
        self._fell_back(lost)
        return found

    def _rest(self, begun: float, took: float, computed: float) -> None:
        """took, computed: seconds of one batch, by the clock and by the processor."""
        self._held_up.append(took > SLOW_SECONDS)
        if computed > SLOW_SECONDS or (took > SLOW_SECONDS and sum(self._held_up) >= _HELD_UP):
            self._rests_until = begun + took * _REST

    def _each(self, rows: Sequence[msgspec.Struct]) -> list[float | ScoringFailed]:
        try:
            return score_each(self.served.scorer, rows)
        except Exception as error:  # of a scorer that breaks its own promise: the champion answers all the same
            log.exception("models: %s as canary: unexpected; the champion answers", self.served.key)
            return [ScoringFailed(type(error).__name__)] * len(rows)

    def _fell_back(self, lost: Counter[str]) -> None:
        for why, rows in lost.items():
            self._telemetry.canary_fallbacks.labels(why).inc(rows)
            self._trouble(self.rollout.version, "canary", why, rows)

    def _numbered(self) -> str:
        self._nameless += 1
        return f"{self._source}#{self._nameless}"


class Beside(NamedTuple):
    """A score or error for each row, whoever answers it. canary: the rows that the canary answers, by their places.

    own_at, canary_at: when each version had its scores, as if it had been asked alone (stopwatch): so their latencies
    can be compared. seconds: of both.
    """

    scores: list[float | ScoringFailed]
    canary: Mapping[int, Scored]
    own_at: float
    canary_at: float
    seconds: float

    def latency_ms(self, place: int, received: float) -> float:
        """Receipt to score of one row."""
        return round(((self.canary_at if place in self.canary else self.own_at) - received) * 1000, 3)

    def features(self, place: int) -> msgspec.Struct | None:
        """As the canary takes them; None for a row that it does not answer."""
        found = self.canary.get(place)
        return None if found is None else found.features


def score_beside(lane: Lane, requests: Sequence[PredictionRequest], stopwatch: Callable[[], float]) -> Beside:
    """Score rows while a rollout is under way."""
    begun = stopwatch()
    canary = lane.answers(requests)
    between = stopwatch()
    own = [request.features for place, request in enumerate(requests) if place not in canary]
    rest = iter(score_each(lane.champion.scorer, own) if own else ())
    scores = [canary[place].score if place in canary else next(rest) for place in range(len(requests))]
    ended = stopwatch()
    return Beside(scores, canary, begun + (ended - between), between, ended - begun)
