"""A retraining's world in memory: hands that do each step at once, a shelf, MLflow and the topic."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.builders import NOON
from tests.interrupted import Clock, Cuts, FakeEvents, FakeRegistered
from training.collecting.collect import Collected
from training.gate import decode_gate_report
from training.reports.gate_files import JSON_FILE
from training.retraining.shelf import Outcome, Shelf, Work
from training.retraining.work import go_on, new_work
from training.retraining.workshop import Workshop
from training.rollout.acts import Ended


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

    def __init__(self, registered: FakeRegistered, events: FakeEvents, cuts: Cuts) -> None:
        self._registered, self._events, self._cuts = registered, events, cuts
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
            report = self._registered.fetch(self._registered.find(version), JSON_FILE)
            return decode_gate_report(report or b"")

    def roll_out(self, version: str, broken: Callable[[], str]) -> Ended:
        with self._cuts.around("rollout"):
            self.broken = broken()
            self._registered.aliases["champion"] = version
        return Ended("promoted", "nothing worse than the champion")

    def take_out(self, version: str, reason: str) -> None:
        self.taken_out.append((version, reason))


class World:
    """What outlives a process: MLflow, the topic, the shelf."""

    def __init__(self, folder: Path, cuts: Cuts | None = None) -> None:
        self.cuts, self.clock, self.said = cuts or Cuts(), Clock(), list[str]()
        self.registered, self.events = FakeRegistered(self.cuts), FakeEvents(self.cuts, self.clock)
        self.hands = FakeHands(self.registered, self.events, self.cuts)
        self.shelf = CutShelf(folder, self.cuts)

    @property
    def shop(self) -> Workshop:
        ports: Any = (self.registered, self.events, self.clock.tools, self.shelf, self.hands)
        return Workshop(*ports, "watch", self.said.append)

    def decided(self) -> Work:
        return new_work("flights", self.registered.champion or "", "drift", "the season", NOON)

    def restarted(self) -> Outcome | None:
        """As `watch` does when it is started again."""
        left = self.shelf.unfinished("flights")
        return go_on(self.shop, left[0]) if left else None
