"""Watched: what the topics say of both versions during a step of a rollout. Pure: records in, observations out."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from contracts.errors import InvalidEvent, InvalidMessage
from contracts.events import PredictionEvent, decode_envelope
from contracts.model_events import ModelEvent, decode_model_event
from contracts.performance import PerformanceReport, decode_performance
from contracts.rollout import Rollout
from contracts.times import milliseconds
from contracts.topics import MODEL_EVENTS, PREDICTIONS, Topic
from training.rollout.evidence import Observed
from training.rollout.latencies import Latencies
from training.rollout.policy import Compared

MEASURES = ("auc", "log_loss", "mae")
"""Compared once labels have come; what a model does not have is left out."""


class Watched:
    """Of one model. champion: its version. Records from before the step began, by the broker's clock, do not count.

    challenger, champion: what was observed of each since.
    """

    def __init__(self, model: str, champion: str, rollout: Rollout) -> None:
        self.model, self.champion_version = model, champion
        self._versions = {champion: "champion", rollout.version: "challenger"}
        self._reports: dict[tuple[str, datetime], PerformanceReport] = {}
        self._heard: set[str] = set()
        self.begin(rollout)

    def begin(self, rollout: Rollout) -> None:
        """Another step: nothing of the former counts, but performance: its windows have their own times."""
        self.rollout = rollout
        self._since = milliseconds(rollout.since)
        self.champion, self.challenger, self.latencies = Observed(), Observed(), Latencies()

    def add(self, topic: Topic, value: bytes, at: int) -> None:
        """A record that the broker took at `at`, milliseconds UTC. What cannot be read is for the readers whose work it
        is: they keep dead letters.
        """
        try:
            if topic is PREDICTIONS:
                self.add_event(decode_envelope(value), at)
            elif topic is MODEL_EVENTS:
                self.add_model_event(decode_model_event(value), at)
            else:
                self.add_performance(decode_performance(value))
        except (InvalidEvent, InvalidMessage):
            return

    def add_event(self, event: PredictionEvent[Any], at: int) -> None:
        """A prediction that the broker took at `at`, milliseconds UTC."""
        if event.model != self.model or at < self._since:
            return
        role = self._versions.get(event.model_version)
        if role == "champion" and event.role == "champion":
            self.champion.add(event.score, event.decision)
        elif role == "challenger" and event.role == self.rollout.stage:
            self.challenger.add(event.score, event.decision)
        else:
            return
        if event.latency_ms is not None:
            self.latencies.add(event.id, role == "challenger", event.latency_ms, at)

    def add_model_event(self, event: ModelEvent, at: int) -> None:
        """A step of the model; only the api's word of rows that the challenger could not score counts."""
        if event.model != self.model or event.kind != "rollout-trouble" or at < self._since or event.id in self._heard:
            return
        self._heard.add(event.id)
        if event.version != self.rollout.version or event.details.get("role") not in (None, self.rollout.stage):
            return
        failures = event.details.get("failures")
        if isinstance(failures, int | float):
            self.challenger.failures += int(failures)
        if event.details.get("loaded") is False:
            self.challenger.refused = event.reason

    def add_performance(self, report: PerformanceReport) -> None:
        """How good one of the two was; the highest revision of a window counts."""
        if report.model != self.model or report.version not in self._versions:
            return
        key = self._versions[report.version], report.window_start
        former = self._reports.get(key)
        if former is None or report.revision > former.revision:
            self._reports[key] = report

    @property
    def performance(self) -> tuple[Compared, ...]:
        """Both versions in the newest window in which both have labels enough."""
        if self.rollout.stage == "shadow":  # nobody was answered by it, so nobody labels what it said
            return ()
        judged = {key: report for key, report in self._reports.items() if report.status != "insufficient"}
        common = [start for role, start in judged if role == "champion" and ("challenger", start) in judged]
        if not common:
            return ()
        ours, theirs = judged["challenger", max(common)], judged["champion", max(common)]
        return tuple(found for name in MEASURES if (found := _compared(name, ours, theirs)) is not None)


def _compared(name: str, ours: PerformanceReport, theirs: PerformanceReport) -> Compared | None:
    mine, other = ours.metric(name), theirs.metric(name)
    if mine is None or other is None:
        return None
    if mine.low is None or mine.high is None or other.low is None or other.high is None:
        return None
    higher = mine.better == "higher"
    return Compared(name, mine.value, mine.low, mine.high, other.value, other.low, other.high, higher)
