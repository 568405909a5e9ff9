"""MLflow and `model-events` in memory, as a rollout and a retraining use them, cut off wherever a test wants."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from contracts.model_events import ModelEvent, ModelEventKind
from contracts.rollout import ROLLOUT_TAG, Rollout, decode_rollout, encode_rollout
from tests.builders import NOON
from training.errors import PublishError, RegistryError
from training.gate import GateReport, encode_gate_report
from training.gates.evidence import Finding
from training.promotion.change import Tools
from training.registry.records import Version
from training.registry.registered import Marks
from training.reports.gate_files import JSON_FILE
from training.topics.steps import Step


class Killed(BaseException):
    """SIGKILL, as far as a test in one process can have it."""


class Clock:
    """Goes on by so much at each look at it."""

    def __init__(self, step: float = 0.001) -> None:
        self._seconds, self._step, self._ids = 0.0, step, 0

    def seconds(self) -> float:
        self._seconds += self._step
        return self._seconds

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.seconds())

    def new_id(self) -> str:
        self._ids += 1
        return f"id-{self._ids}"

    def go_on(self, seconds: float) -> None:
        self._seconds += seconds

    @property
    def tools(self) -> Tools:
        return Tools(self.now, self.seconds, self.new_id)


class Cuts:
    """Which calls are cut off: (name, number) -> what is raised, and whether the call had its effect before.

    `calls` is what a run without a cut did, from which a test takes all places to cut.
    """

    def __init__(self, cuts: Mapping[tuple[str, int], tuple[type[BaseException], bool]] | None = None) -> None:
        self.cuts, self.calls, self.made = dict(cuts or {}), Counter[str](), 0

    @contextmanager
    def around(self, name: str) -> Iterator[None]:
        self.calls[name] += 1
        error, effect = self.cuts.get((name, self.calls[name]), (None, False))
        if error is not None:
            self.made += 1
            if not effect:
                raise error(f"{name} is away")
        yield
        if error is not None:
            raise error(f"{name} is away")


class FakeRegistered:
    """One model with a champion, 1, and version 2, that its gates let through."""

    model, where = "flights", "memory"

    def __init__(self, cuts: Cuts) -> None:
        self.cuts = cuts
        self.aliases, self.tag, self.registry = {"champion": "1", "challenger": "2"}, "", self
        self.gates = "passed"

    @property
    def champion(self) -> str | None:
        return self.aliases.get("champion")

    @property
    def rollout(self) -> Rollout | None:
        return decode_rollout(self.tag)

    def on_its_way(self, rollout: Rollout) -> None:
        self.tag = encode_rollout(rollout)

    def marks(self) -> Marks:
        with self.cuts.around("marks"):
            return Marks(dict(self.aliases), {ROLLOUT_TAG: self.tag})

    def find(self, name: str) -> Version:
        return Version(self.model, self.aliases.get(name, name), "m")

    def has(self, version: str) -> bool:
        return True

    def set_model_tag(self, name: str, value: str) -> None:
        assert name == ROLLOUT_TAG
        with self.cuts.around("tag"):
            self.tag = value

    def set_alias(self, version: Version, alias: str) -> None:
        with self.cuts.around("alias"):
            self.aliases[alias] = version.version

    def drop_alias(self, alias: str) -> None:
        self.aliases.pop(alias, None)

    def set_tags(self, version: Version, tags: Mapping[str, str]) -> None:
        pass

    def fetch(self, version: Version, path: str) -> bytes | None:
        if path != JSON_FILE:
            return None
        report = GateReport(
            model=self.model,
            version=version.version,
            champion="1",
            at=NOON,
            by="test",
            status=self.gates,  # type: ignore[arg-type]
            findings=(Finding("quality", self.gates, "AUC .8"),),  # type: ignore[arg-type]
        )
        return encode_gate_report(report)


class FakeEvents:
    """`model-events`. Call names: `event:KIND` for a write, `read`."""

    bootstrap, topic_prefix = "memory:9092", ""

    def __init__(self, cuts: Cuts, clock: Clock) -> None:
        self._cuts, self._clock, self._steps = cuts, clock, list[Step]()

    def write(self, event: ModelEvent) -> None:
        with self._cuts.around(f"event:{event.kind}"):
            self._steps.append(Step(event, self._clock.now()))

    def read(self, model: str) -> list[Step]:
        with self._cuts.around("read"):
            first: dict[str, Step] = {}
            for step in self._steps:
                first.setdefault(step.event.id, step)
            return list(first.values())

    def check(self) -> None:
        pass

    def say(self, kind: ModelEventKind, version: str, by: str = "ann", **details: Any) -> None:
        """Somebody else's word."""
        event = ModelEvent(
            id=f"{by}-{kind}-{len(self._steps)}",
            kind=kind,
            at=self._clock.now(),
            model="flights",
            version=version,
            by=by,
            reason="a test",
            previous="1",
            details=details,
        )
        self._steps.append(Step(event, event.at))

    @property
    def kinds(self) -> list[str]:
        """Repeated ones once, as every reader has them."""
        return [step.event.kind for step in self.read("flights")]

    @property
    def last(self) -> ModelEvent:
        return self.read("flights")[-1].event


AWAY = {"tag": RegistryError, "marks": RegistryError, "alias": RegistryError}
"""What is raised when it is away; anything else is Kafka's."""


def away(name: str) -> type[Exception]:
    return AWAY.get(name, PublishError)
