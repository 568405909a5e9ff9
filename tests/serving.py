"""Parts of the API for unit tests: an outbox, a version whose scorer is no model, a Kafka that is a list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from aiokafka.errors import KafkaConnectionError

from api.errors import BaselineRefused, ModelRefused, RegistryAway, ScoringFailed
from api.http.edge import Edge
from api.main import create_app
from api.models.pointers import Pointers
from api.models.proof import Proof
from api.models.registered import RegisteredVersion
from api.models.served import Served
from api.models.version import ModelVersion
from api.outbox.log import Outbox
from api.outbox.segments import Group, Record
from api.predicting.predictor import Predictor
from api.receipts.receipt import Key, Receipts
from api.requests.schemas import RequestReader
from api.settings import ApiSettings
from api.telemetry import Telemetry
from contracts.baseline import Baseline
from contracts.rollout import Rollout
from tests.builders import NOON, NOON_MS, a_baseline

FUTURE = timedelta(days=366)
RECEIPTS = Receipts([Key(b"tests of this repository, 32 byte")])


class FirstNumberScorer:
    """The score is the row's first number / 100. It chokes on a row whose first number is negative."""

    kind = "first-number"

    def __init__(self) -> None:
        self.batches: list[int] = []

    def score(self, rows: Sequence[msgspec.Struct]) -> Any:
        self.batches.append(len(rows))
        first = np.array([msgspec.structs.astuple(row)[0] for row in rows], dtype=np.float64)
        if (first < 0).any():
            raise ScoringFailed("a negative number")
        return first / 100


def a_served(baseline: Baseline | None = None, scorer: Any = None, cached: bool = False) -> Served:
    baseline = baseline or a_baseline(threshold=0.5)
    return Served(baseline, scorer or FirstNumberScorer(), RequestReader(baseline.schema, FUTURE), NOON, cached)


def a_group(*numbers: int, baseline: str = "flights/1", size: int = 10) -> Group:
    """One record for each number, `size` bytes of value each; the number is its id and key."""
    records = [Record(f"{n}".encode(), f"{n}", NOON.isoformat(), b"v" * size) for n in numbers]
    return Group(baseline, NOON_MS, records)


def ids_in(groups: Sequence[Group]) -> list[str]:
    return [record.id for group in groups for record in group.records]


def an_outbox(
    directory: Path, epoch: int = NOON_MS, *, torn: list[int] | None = None, max_bytes: int = 1 << 30, **more: Any
) -> Outbox:
    """torn: collects the sizes of what was skipped."""
    return Outbox(directory, epoch, max_bytes=max_bytes, on_torn=(torn if torn is not None else []).append, **more)


def drain(outbox: Outbox) -> list[str]:
    """The ids of everything that waits, acknowledged."""
    ids: list[str] = []
    while (slice_ := outbox.backlog.read()) is not None:
        ids += ids_in(slice_.groups)
        outbox.backlog.ack(slice_)
    return ids


def a_predictor(
    outbox: Outbox, *, rows: int = 256, now: Callable[[], datetime] = lambda: NOON, **more: Any
) -> Predictor:
    return Predictor(
        outbox, Telemetry(), source="api.test", epoch=NOON_MS, rows=rows, sign=RECEIPTS.sign, now=now, **more
    )


def settings_for(directory: Path, **settings: Any) -> ApiSettings:
    """Kafka and the registry are at addresses where nobody answers."""
    return ApiSettings(
        **{
            "model": "flights",
            "tracking_uri": f"sqlite:///{directory}/nowhere.db",
            "bootstrap": "127.0.0.1:1",
            "outbox_dir": directory / "outbox",
            "model_cache": directory / "cache",
            **settings,
        }
    )


def an_app(
    directory: Path, *, served: Served | None = None, now: Callable[[], datetime] = lambda: NOON, **settings: Any
) -> Edge:
    """The whole application, its lifespan not started; `served` answers."""
    app = create_app(settings_for(directory, **settings), versions=FakeVersions(), now=now)
    if served is not None:
        services(app).predictor.swap(served)
    return app


def of_one_identity(directory: Path) -> Path:
    """For an_app: ids and receipts are those of every other application of such a directory."""
    slot = directory / "outbox" / "00"
    slot.mkdir(parents=True)
    (slot / "identity").write_text("0" * 8)
    (directory / "outbox" / "receipt-keys").write_text("0" * 64)
    return directory


def services(app: Edge) -> Any:
    """The parts behind an application."""
    return app.app.state.services


class FakeVersions:
    """A registry in memory. champion: what the alias points to, None: it is away. An error in it or in versions
    is raised.
    """

    def __init__(self) -> None:
        self.champion: str | RegistryAway | None = None
        self.rollout: Rollout | None = None
        self.challenger: str | None = None
        self.versions: dict[str, ModelVersion | Exception] = {}
        self.cached: ModelVersion | None = None
        self.loads: list[str] = []
        self.listings = 0
        self.discarded: list[str] = []
        self.kept_again: list[str] = []

    def pointers(self) -> Pointers:
        if self.champion is None:
            raise RegistryAway("the registry is away")
        if isinstance(self.champion, RegistryAway):
            raise self.champion
        return Pointers(self.champion, self.rollout, self.challenger)

    def listed(self, most: int) -> tuple[RegisteredVersion, ...]:
        self.listings += 1
        if self.champion is None:
            raise RegistryAway("the registry is away")
        return tuple(
            RegisteredVersion(version, ("champion",) if version == self.champion else (), NOON, True, False, {})
            for version in sorted(self.versions, key=int, reverse=True)[:most]
        )

    def load(self, version: str) -> ModelVersion:
        self.loads.append(version)
        found = self.versions[version]
        if isinstance(found, Exception):
            raise found
        return found

    def load_cached(self) -> ModelVersion:
        if self.cached is None:
            raise ModelRefused("nothing is cached")
        return self.cached

    def keep(self, model: ModelVersion, proof: Proof | None = None) -> Path | None:
        self.cached = model
        return model.folder

    def keep_again(self, version: str, folder: Path) -> bool:
        self.kept_again.append(version)
        return folder.is_dir()

    def discard(self, model: ModelVersion) -> None:
        self.discarded.append(model.version)


class FakeKafka:
    """Topics as lists; `fail` makes the next sends raise, before or after the records were taken."""

    def __init__(self) -> None:
        self.log: list[str] = []  # "baseline <key>" and event ids, in the order of their arrival
        self.connections = 0
        self.closed = 0
        self.refuse_before = 0
        self.refuse_after = 0
        self.away = False
        self.too_large: set[str] = set()  # baselines that the topic does not take
        self.most_bytes = 1 << 30  # of an event that the topic takes

    async def connect(self) -> FakeLink:
        if self.away:
            raise KafkaConnectionError("away")
        self.connections += 1
        return FakeLink(self)

    @property
    def events(self) -> list[str]:
        return [entry for entry in self.log if not entry.startswith("baseline ")]


class FakeLink:
    def __init__(self, kafka: FakeKafka) -> None:
        self._kafka = kafka

    async def send_baseline(self, data: bytes) -> None:
        key = Baseline.from_bytes(data).key
        if key in self._kafka.too_large:
            raise BaselineRefused(f"the baseline of {key} is too large")
        self._kafka.log.append(f"baseline {key}")

    async def send(self, records: Sequence[Record]) -> Sequence[Record]:
        if self._kafka.refuse_before:
            self._kafka.refuse_before -= 1
            raise KafkaConnectionError("lost before")
        refused = [record for record in records if len(record.value) > self._kafka.most_bytes]
        self._kafka.log += [record.id for record in records if record not in refused]
        if self._kafka.refuse_after:
            self._kafka.refuse_after -= 1
            raise KafkaConnectionError("lost after: were they taken?")
        return refused

    async def check(self) -> None:
        if self._kafka.away:
            raise KafkaConnectionError("away")

    async def close(self) -> None:
        self._kafka.closed += 1


class RecordingMirror:
    def __init__(self) -> None:
        self.ids: list[str] = []

    async def write(self, records: Sequence[Record]) -> None:
        self.ids += [record.id for record in records]

    async def check(self) -> None: ...


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]
