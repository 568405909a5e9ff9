"""The benchmark `swap`: what is done, and for how long."""

from __future__ import annotations

import asyncio
import logging
import statistics
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from bench.api.material import MODEL, ROOT, Material, make
from bench.benchmark import BenchError, Benchmark, Options, Say
from bench.stream.server import local_kafka
from bench.swap.figures import Phase, SwapFigures, milliseconds, table
from bench.swap.load import Load
from bench.swap.trial import Accounts, Switch, Trial, accounts, around, switch_seconds
from contracts.rollout import Rollout
from demo.stack.errors import StackError
from demo.stack.kafka import KafkaServer
from stream_app import admin
from stream_app.errors import StreamError
from stream_app.settings import StreamSettings
from training.errors import TrainingError
from training.registry.registered import Registered
from training.registry.store import Registry

RATE, SECONDS, QUICK_SECONDS = 500.0, 10.0, 4.0
SWITCHES, QUICK_SWITCHES = 20, 6
_PAUSE_SECONDS, _SWITCH_SECONDS, _COLD_SECONDS = 1.5, 10.0, 120.0
OLD, NEW = "1", "2"


def run(options: Options, say: Say) -> SwapFigures:
    """Measure it. Raises BenchError."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    rate = options.rate or RATE
    seconds = options.seconds or (QUICK_SECONDS if options.quick else SECONDS)
    switches = QUICK_SWITCHES if options.quick else SWITCHES
    (ROOT / "var").mkdir(exist_ok=True)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="bench-swap-", dir=ROOT / "var") as name,
            local_kafka("swap", 1 << 30) as kafka,
        ):
            directory = Path(name)
            say("two versions are trained")
            material = _two_versions(directory, options.seed)
            say(f"{rate:g} requests/s, {switches} switches")
            figures = asyncio.run(_measured(kafka, material, directory, rate, seconds, switches))
    except (StackError, StreamError, TrainingError) as error:
        raise BenchError(str(error)) from error
    for line in table(figures):
        say(line)
    return figures


def _two_versions(directory: Path, seed: int) -> Material:
    make(directory, seed)
    material = make(directory, seed + 1)
    _point_to(material, directory, OLD)
    return material


def _point_to(material: Material, directory: Path, version: str) -> None:
    registry = Registry(material.registry, directory / "artifacts", MODEL)
    registry.set_alias(Registered(registry, MODEL).find(version), "champion")


async def _measured(
    kafka: KafkaServer, material: Material, directory: Path, rate: float, seconds: float, switches: int
) -> SwapFigures:
    held, phases = await _held(kafka, material, directory, rate, seconds, switches)
    await asyncio.to_thread(_point_to, material, directory, OLD)
    cold = await _cold(kafka, material, directory, rate)
    took, answers = held.seconds, held.load.answers
    counted = [held.accounts, cold.accounts]
    return SwapFigures(
        requests=held.load.requests + cold.load.requests,
        failed_requests=len(held.load.failures) + len(cold.load.failures),
        switches=len(took),
        switch_seconds=round(max(took), 3),
        switch_median_seconds=round(statistics.median(took), 3),
        cold_seconds=round(cold.seconds[0], 3),
        around_p99_ms=milliseconds(around(held.switches, answers), 99),
        lost_events=sum(one.lost for one in counted),
        wrong_events=sum(one.wrong for one in counted),
        double_events=sum(one.double for one in counted),
        phases=phases,
    )


class _Taken:
    """A trial that is over."""

    def __init__(self, load: Load, switches: list[Switch], seconds: list[float], found: Accounts) -> None:
        self.load, self.switches, self.seconds, self.accounts = load, switches, seconds, found


async def _held(
    kafka: KafkaServer, material: Material, directory: Path, rate: float, seconds: float, switches: int
) -> tuple[_Taken, list[Phase]]:
    trial = await _trial(kafka, material, directory, "held", rate, standby=True)
    made: list[Switch] = []
    async with trial.running():
        await trial.answered_by(OLD, _COLD_SECONDS)
        await trial.phase("warming up", seconds / 2, NEW)
        phases = [await trial.phase("the champion alone", seconds, NEW)]
        for stage, share in (("shadow", 0.0), ("canary", 25.0), ("canary", 100.0)):
            await trial.roll(_rollout(stage, share))
            name = f"canary, {share:g} %" if stage == "canary" else "beside a shadow"
            phases.append(await trial.phase(name, seconds, NEW))
        for number in range(switches):
            version = OLD if number % 2 else NEW
            made.append(await trial.champion(version))
            await trial.answered_by(version, _SWITCH_SECONDS)
            if number == 0:
                await trial.roll(None)
            await asyncio.sleep(_PAUSE_SECONDS)
    return await _taken(trial, made), phases


async def _cold(kafka: KafkaServer, material: Material, directory: Path, rate: float) -> _Taken:
    trial = await _trial(kafka, material, directory, "cold", rate, standby=False)
    async with trial.running():
        await trial.answered_by(OLD, _COLD_SECONDS)
        await asyncio.sleep(_PAUSE_SECONDS)
        made = [await trial.champion(NEW)]
        await trial.answered_by(NEW, _COLD_SECONDS)
        await asyncio.sleep(_PAUSE_SECONDS)
    return await _taken(trial, made)


async def _trial(
    kafka: KafkaServer, material: Material, directory: Path, name: str, rate: float, *, standby: bool
) -> Trial:
    settings = StreamSettings(bootstrap=kafka.bootstrap, topic_prefix=f"{name}.")
    async with admin.connected(settings, lambda _: None) as client:
        await admin.create(client, settings, None)
    return Trial(kafka, material, directory / name, f"{name}.", rate, standby=standby)


async def _taken(trial: Trial, made: list[Switch]) -> _Taken:
    events = await trial.events()
    ends = [switch.told for switch in made[1:]] + [float("inf")]
    seconds = [
        switch_seconds(switch, [event for event in events if event.event_time.timestamp() < end])
        for switch, end in zip(made, ends, strict=True)
    ]
    return _Taken(trial.load, made, seconds, accounts(trial.load.answers, events))


def _rollout(stage: str, share: float) -> Rollout:
    known: Literal["shadow", "canary"] = "canary" if stage == "canary" else "shadow"
    return Rollout(version=NEW, stage=known, share=share, since=datetime.now(UTC))


SWAP = Benchmark(
    "swap",
    "a new champion under load: failed requests, and seconds from the word to its first event; shadow and canary",
    run,
    takes=("rate", "seconds"),
    lasts="4 minutes; --quick: 2 minutes",
    held=lambda figures: bool(figures.held),
)
