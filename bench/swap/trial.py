"""One API under load, and what is done to it: versions come and go as a promoter would have it."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
from aiokafka import AIOKafkaProducer

from bench.api.material import MODEL, ROOT, Material
from bench.api.servers import free_port
from bench.benchmark import BenchError
from bench.stream.processor import cpu_seconds
from bench.swap.figures import Phase, milliseconds
from bench.swap.load import Answer, Load
from contracts.events import PredictionEvent, decode_event
from contracts.headers import MODEL_CHANGED, cloud_event
from contracts.model_events import ModelEvent, ModelEventKind, encode_model_event
from contracts.rollout import ROLLOUT_TAG, Rollout, encode_rollout
from contracts.topics import MODEL_EVENTS, PREDICTIONS
from demo.stack.kafka import KafkaServer
from demo.stack.processes import ServiceProcess
from stream_app import present
from training.registry.registered import Registered
from training.registry.store import Registry

_READY_SECONDS, _POLL_SECONDS = 300.0, 0.05
_SOURCE = "/tidemark/bench"
AROUND_SECONDS = 1.0


class Switch(NamedTuple):
    """told: when its word was sent, seconds since the epoch."""

    version: str
    told: float


class Trial:
    """standby: as of the API's setting. prefix: of its topics, which are there."""

    def __init__(
        self, kafka: KafkaServer, material: Material, directory: Path, prefix: str, rate: float, *, standby: bool
    ) -> None:
        directory.mkdir()
        port = free_port()
        self._kafka, self._prefix, self._url = kafka, prefix, f"http://127.0.0.1:{port}"
        settings = {
            "port": port,
            "model": MODEL,
            "tracking_uri": material.registry,
            "bootstrap": kafka.bootstrap,
            "topic_prefix": prefix,
            "model_poll_seconds": 30,  # so that what is quick is quick by the word
            "model_cache": directory / "models",
            "outbox_dir": directory / "outbox",
            "standby": standby,
        }
        env = {f"API_{name.upper()}": str(value) for name, value in settings.items()}
        env |= {"OMP_NUM_THREADS": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}
        self._api = ServiceProcess("api", [sys.executable, "-m", "api"], directory / "api.log", env=env, cwd=ROOT)
        self._registry = Registry(material.registry, directory / "artifacts", MODEL)
        self._registered = Registered(self._registry, MODEL)
        self._producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap)
        self._said = 0
        self.load = Load(self._url, material.single.read_bytes().splitlines(), rate)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The API is ready, hears the word, and has the load on it."""
        self._api.start()
        try:
            async with self._producer:
                await self._until(lambda page: " 1.0" in _line(page, "tidemark_api_model_events_up"), "model-events")
                await self._until(lambda page: "tidemark_api_model_info{" in page, "a model")
                async with self.load.on():
                    yield
                await self._until(lambda page: " 0.0" in _line(page, "tidemark_api_outbox_pending_bytes"), "a drain")
        finally:
            await asyncio.to_thread(self._api.terminate, 20)

    async def champion(self, version: str) -> Switch:
        """Move the alias, and say so."""
        await asyncio.to_thread(self._registry.set_alias, self._registered.find(version), "champion")
        told = time.time()
        await self._say("promoted", version)
        return Switch(version, told)

    async def roll(self, rollout: Rollout | None) -> None:
        """Set the tag, say so, and wait until it is followed."""
        tag = "" if rollout is None else encode_rollout(rollout)
        await asyncio.to_thread(self._registered.set_model_tag, ROLLOUT_TAG, tag)
        await self._say("rollout-ended" if rollout is None else "rollout-changed", rollout.version if rollout else "")
        wanted = f'stage="{rollout.stage}"' if rollout else None

        def followed(page: str) -> bool:
            line = _line(page, "tidemark_api_rollout_info{")
            return not line if wanted is None else wanted in line

        await self._until(followed, f"the rollout {wanted}")

    async def answered_by(self, version: str, within: float) -> None:
        """Returns when the newest answer is of this version. Raises BenchError."""
        began = time.monotonic()
        while not self.load.answers or self.load.answers[-1][1:3] != (version, "champion"):
            if time.monotonic() - began > within:
                raise BenchError(f"version {version} does not answer within {within:g} s: {self._api.tail(1)}")
            await asyncio.sleep(_POLL_SECONDS)

    async def phase(self, name: str, seconds: float, version: str) -> Phase:
        """What requests cost for some seconds. version: whose rows are counted."""
        first, begun = len(self.load.answers), cpu_seconds(self._api.pid)
        before = self._its_events(await self._page(), version)
        await asyncio.sleep(seconds)
        answers = self.load.answers[first:]
        cpu, after = cpu_seconds(self._api.pid) - begun, self._its_events(await self._page(), version)
        took = [answer.took for answer in answers]
        return Phase(
            name=name,
            requests=len(answers),
            p50_ms=milliseconds(took, 50),
            p99_ms=milliseconds(took, 99),
            cpu_us=round(cpu / len(answers) * 1e6, 1),
            events=round((after - before) / len(answers), 3),
        )

    async def events(self) -> list[PredictionEvent[Any]]:
        """Everything on the topic."""
        topic = PREDICTIONS.named(self._prefix)
        return [decode_event(record.value) async for record in present.records(self._kafka.bootstrap, topic)]

    @staticmethod
    def _its_events(page: str, version: str) -> float:
        shadow = _value(page, 'tidemark_api_shadow_rows_total{outcome="scored"}')
        return shadow + _value(page, f'tidemark_api_predictions_total{{model="{MODEL}",version="{version}"}}')

    async def _say(self, kind: ModelEventKind, version: str) -> None:
        self._said += 1
        event = ModelEvent(
            id=f"{self._prefix}{self._said}",
            kind=kind,
            at=datetime.now(UTC),
            model=MODEL,
            version=version,
            by="bench",
            reason="a measurement",
        )
        headers = cloud_event(MODEL_CHANGED, event.id, _SOURCE)
        topic = MODEL_EVENTS.named(self._prefix)
        await self._producer.send_and_wait(topic, encode_model_event(event), key=MODEL.encode(), headers=headers)

    async def _until(self, condition: Callable[[str], bool], what: str) -> None:
        began = time.monotonic()
        while True:
            try:
                if condition(await self._page()):
                    return
            except (aiohttp.ClientError, OSError):
                if not self._api.alive():
                    raise BenchError(f"the API has ended: {' / '.join(self._api.tail(3))}") from None
            if time.monotonic() - began > _READY_SECONDS:
                raise BenchError(f"no {what} within {_READY_SECONDS:g} s: {' / '.join(self._api.tail(3))}")
            await asyncio.sleep(_POLL_SECONDS)

    async def _page(self) -> str:
        async with aiohttp.ClientSession() as session, session.get(f"{self._url}/metrics") as response:
            return await response.text()


class Accounts(NamedTuple):
    """Answers against events: ids that are missing, whose event says something else, and that are there twice."""

    lost: int
    wrong: int
    double: int


def accounts(answers: list[Answer], events: list[PredictionEvent[Any]]) -> Accounts:
    """Compare what clients were told with what is on the topic."""
    by_id = {event.id: event for event in events}
    found = [(answer, by_id[answer.id]) for answer in answers if answer.id in by_id]
    return Accounts(
        lost=len(answers) - len(found),
        wrong=sum((answer.version, answer.role) != (event.model_version, event.role) for answer, event in found),
        double=sum(count - 1 for count in Counter(event.id for event in events).values()),
    )


def switch_seconds(switch: Switch, events: list[PredictionEvent[Any]]) -> float:
    """From its word to the first event of the version as champion: the requests give no event time, so it is when they
    were answered. Raises BenchError.
    """
    its = [event for event in events if event.model_version == switch.version and event.role == "champion"]
    times = [event.event_time.timestamp() for event in its]
    after = [time for time in times if time >= switch.told]
    if not after:
        raise BenchError(f"version {switch.version} has no event after it was promoted")
    return max(0.0, min(after) - switch.told)


def around(switches: list[Switch], answers: list[Answer]) -> list[float]:
    """Seconds that the requests around switches took."""
    return [
        answer.took for answer in answers if any(abs(answer.due - switch.told) < AROUND_SECONDS for switch in switches)
    ]


def _line(page: str, start: str) -> str:
    return next((line for line in page.splitlines() if line.startswith(start)), "")


def _value(page: str, series: str) -> float:
    line = _line(page, series)
    return float(line.rsplit(" ", 1)[1]) if line else 0.0
