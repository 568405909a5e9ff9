"""Hands: what a retraining needs, and its steps, done by what training has for each. Each may be done again."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from contracts.errors import InvalidMessage
from contracts.schema import FeatureSchema
from training.collecting.collect import Collected, Wish, check_base, collect
from training.errors import PromotionError, TrainingError
from training.evaluation.record import EVALUATION_FILE, Evaluation
from training.gate import GateReport
from training.gates.rules import Rules as GateRules
from training.making.announced import finished
from training.making.asked import asked_by_config
from training.making.train import Plan, train
from training.promotion.change import Tools
from training.registry.registered import CHALLENGER, Registered
from training.reports.gate_run import Wish as GateWish
from training.reports.gate_run import run_gates
from training.retraining.asked import asked_of
from training.retraining.shelf import Shelf, Work
from training.rollout.acts import Ended
from training.rollout.drive import Drive
from training.rollout.wishes import Wishes
from training.topics.baselines import Publisher
from training.topics.following import Follow, following
from training.topics.model_events import ModelEvents

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Hands:
    """config: a training.yaml. base: a data set whose rows come first, None: none. follow: opens the topics.

    Every step raises TrainingError and ContractError; RegistryError and PublishError where it may be tried again.
    """

    registered: Registered
    events: ModelEvents
    publisher: Publisher
    tools: Tools
    shelf: Shelf
    config: Path
    gates: GateRules
    rollout: Wishes
    base: Path | None
    code_revision: str
    follow: Follow = following

    @property
    def by(self) -> str:
        """Who asks."""
        return self.rollout.by

    @property
    def say(self) -> Callable[[str], None]:
        """Told of each step, and of what is odd, one line."""
        return self.rollout.say

    def check(self) -> None:
        """Whether the base is one for the champion, before there is anything to collect."""
        if self.base is not None and (champion := self.registered.marks().champion) is not None:
            check_base(self.base, self.registered.model, self._schema(champion))

    def collect(self, work: Work, folder: Path) -> Collected:
        """Write a data set of what was predicted and labelled until it was decided."""
        shutil.rmtree(folder, ignore_errors=True)  # of an attempt that was cut short
        wish = Wish(work.model, self._schema(work.champion), _BEGINNING, work.heard, work.leave_out, self.base)
        return asyncio.run(collect(wish, folder, self.events.bootstrap, self.events.topic_prefix, self.follow))

    def train(self, work: Work, data: Path) -> str:
        """Register a version, or tell of the one that was registered before it was cut short."""
        plan = asked_by_config(
            *(self.config, data, work.model, None, CHALLENGER, {}, self.code_revision, self.tools.now()),
        )
        made = finished(self.registered, work.id, plan.alias, self.publisher, self.events, self.by)
        if made is None:
            plan = self._judged_by_new_rows(replace(plan, work=work.id), work)
            made = train(plan, self.registered.registry, self.publisher, steps=self.events, by=self.by).version
        return made.version

    def gate(self, version: str) -> GateReport:
        """Judge it against the champion."""
        wish = GateWish(version, self.gates, self.by)
        return run_gates(self.registered, self.events, wish, now=self.tools.now(), event_id=self.tools.new_id())

    def roll_out(self, version: str, broken: Callable[[], str]) -> Ended:
        """Let it in front of users. broken: what is wrong with the data now, "" for nothing."""
        drive = Drive(self.registered, self.events, self.tools, self.rollout, broken)
        return asyncio.run(drive.run(version))

    def take_out(self, version: str, reason: str) -> None:
        """If it is on its way: nobody will drive it any more."""
        try:
            Drive(self.registered, self.events, self.tools, self.rollout).end(version, reason)
        except (PromotionError, InvalidMessage):  # it is not, or nobody can tell: there is nothing to take out
            return

    def _judged_by_new_rows(self, plan: Plan, work: Work) -> Plan:
        if plan.config is None:
            raise TrainingError(f"{self.config} gave no configuration")
        champion = self.registered.find(work.champion)
        record = self.registered.fetch(champion, EVALUATION_FILE)
        config, said = asked_of(
            plan.config,
            None if record is None else Evaluation.from_bytes(record),
            self._schema(work.champion).names,
            None if self.base is None else work.first,
        )
        for line in said:
            self.say(line)
        return replace(plan, config=config)

    def _schema(self, version: str) -> FeatureSchema:
        return self.registered.baseline(self.registered.find(version)).schema
