"""The benchmark `drain`: processor time that the API's process takes to bring an event from the outbox to Kafka and to
the mirror, by itself: nobody is answered meanwhile."""

from __future__ import annotations

import asyncio
import logging
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec
import redis

from bench.api.delivered import tally
from bench.api.material import MODEL, ROOT, lines, requests_of
from bench.api.measurement import create_topics
from bench.benchmark import BenchError, Benchmark, Options, Say
from bench.drain.process import Cost, Job
from bench.pinned import command, cores, kept_to
from contracts.topics import PREDICTIONS
from demo.datasets.catalogue import dataset_named
from demo.stack.errors import StackError
from demo.stack.kafka import LASTING_SESSION_SECONDS
from demo.stack.stack import LocalStack

_EVENTS, _QUICK_EVENTS, _ROUNDS, _QUICK_ROUNDS = 100_000, 50_000, 3, 2
_SECONDS = 600.0
_EVENT_BYTES = 1_500
"""On the disk."""
PARTS = {"batches": 1_000, "singles": 16}
"""Events that were committed together."""


class Drained(msgspec.Struct, frozen=True, kw_only=True):
    """Per event, in the middle of the rounds and at best; see Cost. with_mirror: or to Kafka alone."""

    committed_together: int
    with_mirror: bool
    cpu_us: float
    least_cpu_us: float
    kernel_us: float
    wall_us: float
    resident_mb: float


class DrainFigures(msgspec.Struct, frozen=True, kw_only=True):
    """rows: of the kinds of drains. events: put into outboxes; delivered: different ids on the topic, repeats: records
    beyond those. mirror_failures: events that the mirror did not get.
    """

    rows: list[Drained]
    events: int
    delivered: int
    repeats: int
    mirror_failures: int


def run(options: Options, say: Say) -> DrainFigures:
    """Measure it. Raises BenchError."""
    for wish in options.only:
        if wish not in PARTS:
            raise BenchError(f"--only {wish}: there are {', '.join(PARTS)}")
    events = options.events or (_QUICK_EVENTS if options.quick else _EVENTS)
    rounds = _QUICK_ROUNDS if options.quick else _ROUNDS
    kinds = [(PARTS[part], mirror) for part in options.only or PARTS for mirror in (True, False)]
    where, var = cores(), ROOT / "var"
    var.mkdir(exist_ok=True)
    need, free = events * rounds * len(kinds) * _EVENT_BYTES, shutil.disk_usage(var).free
    if free < need:
        raise BenchError(f"{need / 1e9:.1f} GB are needed in {var.name}/, {free / 1e9:.1f} GB are free")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        with tempfile.TemporaryDirectory(prefix="bench-drain-", dir=var) as name, kept_to(where.load):
            directory = Path(name)
            rows = lines(directory / "rows.jsonl", requests_of(dataset_named(MODEL), options.seed))
            with LocalStack(directory / "stack", kafka_session_seconds=LASTING_SESSION_SECONDS) as stack:
                create_topics(stack.kafka.bootstrap, directory)
                costs: dict[tuple[int, bool], list[Cost]] = {kind: [] for kind in kinds}
                for turn in range(rounds):
                    for group, mirror in kinds:
                        job = Job(
                            rows=str(rows),
                            events=events,
                            group=group,
                            outbox=str(directory / f"outbox-{turn}-{group}-{mirror}"),
                            bootstrap=stack.kafka.bootstrap,
                            redis=stack.redis.url if mirror else None,
                        )
                        with redis.Redis.from_url(stack.redis.url) as client:
                            client.flushall()
                        cost = _drained(job, where.server)
                        costs[group, mirror].append(cost)
                        say(_line(group, mirror, cost))
                found = asyncio.run(tally(stack.kafka.bootstrap, PREDICTIONS.name, []))
    except StackError as error:
        raise BenchError(str(error)) from error
    every = [cost for of_kind in costs.values() for cost in of_kind]
    return DrainFigures(
        rows=[_row(group, mirror, of_kind) for (group, mirror), of_kind in costs.items()],
        events=events * len(every),
        delivered=found.distinct,
        repeats=found.repeats,
        mirror_failures=sum(cost.mirror_failures for cost in every),
    )


def _drained(job: Job, core: int) -> Cost:
    Path(job.outbox).mkdir()
    words = command(core, [sys.executable, "-m", "bench.drain.process"])
    ended = subprocess.run(
        words, input=msgspec.json.encode(job), capture_output=True, cwd=ROOT, timeout=_SECONDS, check=False
    )
    shutil.rmtree(job.outbox)
    if ended.returncode != 0:
        raise BenchError(f"the drain has ended: {ended.stderr.decode(errors='replace').strip()[-500:]}")
    return msgspec.json.decode(ended.stdout, type=Cost)


def _row(group: int, mirror: bool, costs: list[Cost]) -> Drained:
    return Drained(
        committed_together=group,
        with_mirror=mirror,
        cpu_us=round(statistics.median(cost.cpu_us for cost in costs), 2),
        least_cpu_us=round(min(cost.cpu_us for cost in costs), 2),
        kernel_us=round(statistics.median(cost.kernel_us for cost in costs), 2),
        wall_us=round(min(cost.wall_us for cost in costs), 2),
        resident_mb=round(max(cost.resident_mb for cost in costs), 1),
    )


def _line(group: int, mirror: bool, cost: Cost) -> str:
    to = "Kafka and Redis" if mirror else "Kafka"
    return (
        f"groups of {group:>5} to {to:15}: {cost.cpu_us:5.1f} us of processor time an event ({cost.kernel_us:.1f} in "
        f"the kernel), {1e6 / cost.wall_us:,.0f}/s, {cost.resident_mb:.0f} MB"
    )


DRAIN = Benchmark(
    "drain",
    "what it costs to bring an event from the outbox to Kafka and to the mirror",
    run,
    takes=("only", "events"),
    lasts="3 minutes; --quick: 1 minute",
    held=lambda figures: bool(figures.delivered == figures.events),
)
