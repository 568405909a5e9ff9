"""Lanes: which version is on its way now, beside whichever version answers now. Either may change at any time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from api.models.served import Served
from api.predicting.committing import Committed, Shadowed
from api.predicting.lane import Lane, Trouble
from api.requests.schemas import PredictionRequest
from api.telemetry import Telemetry
from contracts.headers import Origin
from contracts.rollout import Rollout


class Shadow(Protocol):
    """What is asked of api.predicting.shadow.Shadow."""

    def offer(
        self,
        lane: Lane,
        requests: Sequence[PredictionRequest],
        origins: Sequence[Origin | None],
        committed: Sequence[Committed],
    ) -> None:
        """Rows and what was answered. Returns at once."""


class Lanes:
    """lane: the version on its way, where one is and requests can be answered. source: names this process."""

    def __init__(self, telemetry: Telemetry, source: str, stopwatch: Callable[[], float] = time.perf_counter) -> None:
        self.lane: Lane | None = None
        self.source = source
        self._telemetry = telemetry
        self._stopwatch = stopwatch
        self._champion: Served | None = None
        self._rolling: tuple[Rollout, Served] | None = None
        self._shadow: Shadow | None = None
        self._trouble: Trouble = lambda version, role, why, rows: None

    def tell(self, shadow: Shadow, trouble: Trouble) -> None:
        """Who scores in the background, and who is told of what the version on its way could not score."""
        self._shadow, self._trouble = shadow, trouble

    def answered_by(self, champion: Served) -> None:
        """From now on requests are read for this version."""
        self._champion = champion
        self._set()

    def roll(self, rollout: Rollout | None, served: Served | None) -> None:
        """From now on this version is on its way; None: none is."""
        self._rolling = None if rollout is None or served is None else (rollout, served)
        self._set()

    def shadowing(
        self, lane: Lane, requests: Sequence[PredictionRequest], origins: Sequence[Origin | None]
    ) -> Shadowed | None:
        """For `Committer.commit_beside`: has the answered rows scored again, where a shadow is to."""
        shadow = self._shadow
        if shadow is None or not lane.shadows:
            return None
        return lambda committed: shadow.offer(lane, requests, origins, committed)

    def _set(self) -> None:
        before, self.lane = self.lane, self._lane_now()
        if before is not None:
            self._telemetry.rollout_info.remove(*_shown(before))
        if self.lane is not None:
            self._telemetry.rollout_info.labels(*_shown(self.lane)).set(1)
        share = 0.0 if self.lane is None or self.lane.shadows else self.lane.rollout.share
        self._telemetry.rollout_share.set(share)

    def _lane_now(self) -> Lane | None:
        if self._rolling is None or self._champion is None:
            return None
        rollout, served = self._rolling
        if served.key == self._champion.key:  # it has arrived
            return None
        return Lane(
            rollout,
            served,
            self._champion,
            self._telemetry,
            self._trouble,
            source=self.source,
            stopwatch=self._stopwatch,
        )


def _shown(lane: Lane) -> tuple[str, str, str]:
    return lane.served.baseline.model, lane.rollout.version, lane.rollout.stage
