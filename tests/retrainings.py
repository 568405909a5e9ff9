"""A retraining's world in memory: hands that do each step at once, MLflow and the topic."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.builders import NOON
from tests.interrupted import Clock, Cuts, FakeEvents, FakeRegistered
from training.collecting.collect import Collected
from training.gate import decode_gate_report
from training.gates.rules import Rules
from training.promotion.change import Tools
from training.reports.gate_files import JSON_FILE
from training.retraining.hands import Hands
from training.retraining.shelf import Outcome, Shelf, Work
from training.retraining.work import go_on, new_work
from training.rollout.acts import Ended
from training.rollout.policy import Limits, Steps
from training.rollout.wishes import Wishes
from training.topics.following import Follow, following


class CutShelf(Shelf):
    def __init__(self, root: Path, cuts: Cuts) -> None:
        super().__init__(root)
        self._cuts = cuts

    def put(self, work: Work) -> Work:
        with self._cuts.around("put"):
            return super().put(work)

    def finish(self, work: Work) -> None:
        with self._cuts.around("finish"):
            super().finish(work)


class FakeHands:
    """Each step does at once what the real one takes hours for."""

    def __init__(
        self, registered: FakeRegistered, events: FakeEvents, tools: Tools, shelf: Shelf, say: Callable[[str], None]
    ) -> None:
        self.registered, self.events, self.tools, self.shelf = registered, events, tools, shelf
        self.by, self.say, self._cuts = "watch", say, registered.cuts
        self.trained, self.taken_out = 1, list[tuple[str, str]]()
        self.meanwhile: Callable[[], object] = lambda: None
        self.broken = ""

    def collect(self, work: Work, folder: Path) -> Collected:
        with self._cuts.around("collect"):
            counts = dict.fromkeys(("predictions", "labelled", "rows"), 9_000)
            none = dict.fromkeys(
                ("left_out", "outside", "incomplete", "shadow", "replaced", "unreadable", "base_rows"), 0
            )
            times: dict[str, Any] = {"since": NOON, "until": work.heard, "first": NOON, "last": NOON}
            return Collected(
                model=work.model,
                leave_out=work.leave_out,
                digest="d" * 64,
                coverage=1.0,
                complete_only=True,
                **counts,
                **none,
                **times,
            )

    def train(self, work: Work, data: Path) -> str:
        with self._cuts.around("train"):
            self.trained += 1
            self.meanwhile()
            return str(self.trained)

    def gate(self, version: str) -> Any:
        with self._cuts.around("gate"):
            report = self.registered.fetch(self.registered.find(version), JSON_FILE)
            return decode_gate_report(report or b"")

    def roll_out(self, version: str, broken: Callable[[], str]) -> Ended:
        with self._cuts.around("rollout"):
            self.broken = broken()
            self.registered.aliases["champion"] = version
        return Ended("promoted", "nothing worse than the champion")

    def take_out(self, version: str, reason: str) -> None:
        self.taken_out.append((version, reason))


class World:
    """What outlives a process: MLflow, the topic, the shelf."""

    def __init__(self, folder: Path, cuts: Cuts | None = None) -> None:
        self.cuts, self.clock, self.said = cuts or Cuts(), Clock(), list[str]()
        self.registered, self.events = FakeRegistered(self.cuts), FakeEvents(self.cuts, self.clock)
        self.shelf = CutShelf(folder, self.cuts)
        ports = self.registered, self.events, self.clock.tools, self.shelf, self.said.append
        self.hands: Any = FakeHands(*ports)

    def real_hands(self, follow: Follow = following) -> Hands:
        """Of the same world; without a training.yaml, so they cannot train."""
        ports: Any = {"registered": self.registered, "events": self.events, "publisher": None}
        return Hands(
            **ports,
            tools=self.clock.tools,
            shelf=self.shelf,
            config=Path("training.yaml"),
            gates=Rules(),
            rollout=Wishes(Steps(), Limits(), "watch", "auto", self.said.append),
            base=None,
            code_revision="test",
            follow=follow,
        )

    def decided(self) -> Work:
        return new_work("flights", self.registered.champion or "", "drift", "the season", NOON)

    def restarted(self) -> Outcome | None:
        """As `watch` does when it is started again."""
        left = self.shelf.unfinished("flights")
        return go_on(self.hands, left[0]) if left else None
