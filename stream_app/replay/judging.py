"""Judging: final counts in, reports and alerts out, as stage 2 makes them; by several rules and policies at once.

What is counted is counted once; each judge merges, compares and decides for itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from contracts.alerts import DriftAlert
from contracts.baseline import Baseline
from contracts.mutes import Mute
from contracts.partials import Heartbeat, PartialAggregate
from contracts.reports import DriftReport
from contracts.times import milliseconds
from stream_app.alerting.judging import judged
from stream_app.alerting.policy_config import PolicyConfig
from stream_app.alerting.policy_state import PolicyState
from stream_app.drift.rule import DecisionRule
from stream_app.windowing.closing import Closing
from stream_app.windowing.decoding import Limits
from stream_app.windowing.forever import FOREVER
from stream_app.windowing.merger import Merger, MergerConfig
from stream_app.windowing.tumbling import WindowConfig
from stream_app.windowing.typed import Version

WindowId = tuple[str, str, int]
"""Model, version and start."""


class Judgement(msgspec.Struct, frozen=True):
    """What makes reports and alerts of counts."""

    rule: DecisionRule
    policy: PolicyConfig


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """idle_ms: a partition without a record for longer lets time pass by itself. judgements: the first is the one
    asked for; a second one is compared with it, over the same counts.
    """

    windows: WindowConfig
    idle_ms: int
    limits: Limits
    judgements: tuple[Judgement, ...]


class Verdict(NamedTuple):
    """One closed window. judge: by which of the plan's judgements. cut: rows of it may lie outside what was read."""

    judge: int
    report: DriftReport
    alerts: tuple[DriftAlert, ...]
    cut: bool


class Judge:
    """Stage 2 for one rule and policy. Every model is in one merger: versions do not meet in it."""

    def __init__(self, judgement: Judgement, baselines: Mapping[str, Baseline], mutes: Sequence[Mute]) -> None:
        self._rule, self._policy, self._mutes = judgement.rule, judgement.policy, mutes
        self._merger = Merger(0, MergerConfig(minimum_rows=judgement.rule.n_min), baselines)
        self._states: dict[Version, PolicyState] = {}
        self._taken = 0
        self._versions: set[Version] = set()

    def take(self, partials: Iterable[PartialAggregate], heartbeats: Iterable[Heartbeat]) -> None:
        """Counts that are final, then how far each partition is."""
        for partial in partials:
            self._versions.add((partial.model, partial.version))
            self._merger.on_partial(partial, self._taken)
            self._taken += 1
        for heartbeat in heartbeats:
            self._merger.on_heartbeat(heartbeat)

    def closed(self) -> list[tuple[DriftReport, tuple[DriftAlert, ...]]]:
        """The windows that are over now, in the order in which a worker reports them."""
        return [self._judged(closing) for closing in self._merger.due()]

    def rest(self) -> list[Closing]:
        """The windows that wait for time to pass. Ends the judge."""
        waiting = []
        for closing in self._merger.due():
            self._merger.close(closing)
            waiting.append(closing)
        return waiting

    @property
    def waits(self) -> bool:
        """Whether windows wait to be closed."""
        return self._merger.pending > 0

    @property
    def late_rows(self) -> int:
        """Rows counted for windows that had been reported already."""
        return sum(self._merger.version(*version).late_rows for version in self._versions)

    def _judged(self, closing: Closing) -> tuple[DriftReport, tuple[DriftAlert, ...]]:
        version = closing.model, closing.version
        found = judged(closing, self._states.get(version, PolicyState()), self._rule, self._policy, self._mutes)
        self._states[version] = found.state
        self._merger.close(closing)
        return found.report, found.alerts


class Judges:
    """Every judge of a plan. cut_until: windows that start at or before it are cut: left out, or marked."""

    def __init__(
        self,
        judgements: Sequence[Judgement],
        baselines: Mapping[str, Baseline],
        *,
        mutes: Sequence[Mute] = (),
        cut_until: int | None = None,
        keep_cut: bool = False,
    ) -> None:
        self._judges = [Judge(judgement, baselines, mutes) for judgement in judgements]
        self._cut_until, self._keep_cut = cut_until, keep_cut
        self._cut: dict[WindowId, int] = {}

    def hear(self, partials: Sequence[PartialAggregate], heartbeats: Sequence[Heartbeat]) -> list[Verdict]:
        """Take what the partitions say; the windows that are over by it."""
        self._take(partials, heartbeats)
        return [
            Verdict(number, found, alerts, self._is_cut(milliseconds(found.window_start)))
            for number, judge in enumerate(self._judges)
            for found, alerts in judge.closed()
        ]

    @property
    def waiting(self) -> bool:
        """Whether windows wait to be closed, by any of them."""
        return any(judge.waits for judge in self._judges)

    @property
    def cut(self) -> dict[WindowId, int]:
        """The windows left out, and their rows."""
        return dict(self._cut)

    @property
    def late_rows(self) -> int:
        """Rows that came for windows that had been reported already."""
        return self._judges[0].late_rows

    def rest(self, partials: Sequence[PartialAggregate], partitions: Sequence[int]) -> list[Closing]:
        """What is in no report, given the counts of the windows that are not over. Ends the judges."""
        over = [
            Heartbeat(partition=number, partitions=len(partitions), generation=0, watermark=FOREVER)
            for number in partitions
        ]
        self._take(partials, over)
        return self._judges[0].rest()

    def _take(self, partials: Sequence[PartialAggregate], heartbeats: Sequence[Heartbeat]) -> None:
        kept = [partial for partial in partials if self._keep_cut or not self._is_cut(partial.window_start)]
        for partial in partials:
            if not self._keep_cut and self._is_cut(partial.window_start):
                window = partial.model, partial.version, partial.window_start
                self._cut[window] = self._cut.get(window, 0) + partial.rows
        for judge in self._judges:
            judge.take(kept, heartbeats)

    def _is_cut(self, start: int) -> bool:
        return self._cut_until is not None and start <= self._cut_until
