"""The benchmark `labels`: labels a second of one process of the API, and whether each of them is on Kafka."""

from __future__ import annotations

import asyncio
import logging
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from bench.api.delivered import settled, tally
from bench.api.material import BATCH_ROWS, ROOT, make
from bench.api.measurement import create_topics
from bench.api.trial import Run, Trial
from bench.api.wrk import Load, Target
from bench.api.wrk_package import cache_directory, wrk
from bench.benchmark import BenchError, Benchmark, Options, Say
from bench.labels.cost import costs
from bench.labels.server import LabelServer, Predicted
from bench.pinned import cores, kept_to
from contracts.topics import LABELS
from demo.stack.errors import StackError
from demo.stack.kafka import LASTING_SESSION_SECONDS
from demo.stack.stack import LocalStack

_PATH = "/labels"
_MANY, _SINGLE = 2, 16
"""Connections, of batches and of single labels."""
_SINGLES = 5_000
_ROUNDS, _SECONDS, _PATIENCE = 3, 5, 20.0
GOAL = 10_000.0
"""Labels a second that one core of the API takes, until the last is on Kafka; where nobody else uses the machine."""


class LabelFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Of the fastest runs. labels_per_second: in batches of 1,000 with receipts; delivered_per_second: until the last
    is on Kafka; without_receipt_per_second: joined through Redis. single: one label a request, 16 connections.
    cpu_us: processor time of a label in a batch, until it is on Kafka. sign_us, read_us: of a receipt, by itself.
    accepted, delivered: labels, and different ids on the topic; repeats: records beyond those.
    """

    labels_per_second: float
    delivered_per_second: float
    without_receipt_per_second: float
    single_per_second: float
    single_p99_ms: float
    cpu_us: float
    sign_us: float
    read_us: float
    accepted: int
    refused: int
    delivered: int
    repeats: int
    others: float
    exact: bool

    @property
    def held(self) -> bool:
        """Each label is on Kafka, and they are taken as fast as they must be."""
        return self.exact and self.delivered_per_second >= GOAL


class _Bodies(NamedTuple):
    many: Path
    single: Path
    bare: Path


def run(options: Options, say: Say) -> LabelFigures:
    """Measure it. Raises BenchError."""
    seconds = round(options.seconds or (2 if options.quick else _SECONDS))
    rounds, patience = (1, 2.0) if options.quick else (_ROUNDS, _PATIENCE)
    where, tool = cores(), wrk(cache_directory(), shutil.which("wrk"))
    var = ROOT / "var"
    var.mkdir(exist_ok=True)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        with tempfile.TemporaryDirectory(prefix="bench-labels-", dir=var) as name, ExitStack() as ending:
            directory = Path(name)
            material = make(directory, options.seed)
            ending.enter_context(kept_to(where.load))
            stack = LocalStack(directory / "stack", kafka_session_seconds=LASTING_SESSION_SECONDS)
            ending.callback(stack.stop)
            stack.start()
            create_topics(stack.kafka.bootstrap, directory)
            server = LabelServer(material, stack, where.server, directory)
            ending.callback(server.stop)
            server.start()
            server.settle()
            trial = Trial(Load(tool, directory, say), where, patience)
            return _measured(server, trial, material.batches, stack, rounds, seconds, directory, say)
    except StackError as error:
        raise BenchError(str(error)) from error


def _measured(
    server: LabelServer,
    trial: Trial,
    batches: Path,
    stack: LocalStack,
    rounds: int,
    seconds: int,
    directory: Path,
    say: Say,
) -> LabelFigures:
    bodies = _written(directory, server.predict(batches))
    server.drained()

    def runs(what: str, path: Path, connections: int, labels: int) -> Run:
        target = Target(server.url + _PATH, path, server.target.key)
        best = max(
            (trial.run(server, connections, seconds, target=target) for _ in range(rounds)), key=lambda run: run.rate
        )
        say(f"{what}: {best.rate * labels:,.0f} labels/s, p99 {best.said.p99:.1f} ms, {best.cpu_us / labels:.1f} us")
        return best

    bare = runs("without receipts, 1,000 a request", bodies.bare, _MANY, BATCH_ROWS)
    many = runs("with receipts, 1,000 a request", bodies.many, _MANY, BATCH_ROWS)
    single = runs("one a request, 16 connections", bodies.single, _SINGLE, 1)
    sign_us, read_us = costs()
    accepted, there = settled(
        server.accepted, server.drained, lambda: asyncio.run(tally(stack.kafka.bootstrap, LABELS.name, ()))
    )
    refused = server.refused()
    say(f"accepted {accepted:,}, on Kafka {there.distinct:,}, repeats {there.repeats:,}; a receipt {sign_us:.2f} us")
    return LabelFigures(
        labels_per_second=round(many.rate * BATCH_ROWS),
        delivered_per_second=round(many.said.requests * BATCH_ROWS / (many.said.seconds + many.drain)),
        without_receipt_per_second=round(bare.rate * BATCH_ROWS),
        single_per_second=round(single.rate),
        single_p99_ms=single.said.p99,
        cpu_us=round(many.cpu_us / BATCH_ROWS, 2),
        sign_us=round(sign_us, 2),
        read_us=round(read_us, 2),
        accepted=accepted,
        refused=refused,
        delivered=there.distinct,
        repeats=there.repeats,
        others=round(many.others, 2),
        exact=accepted == there.distinct and refused == 0,
    )


def _written(directory: Path, predicted: Sequence[Predicted]) -> _Bodies:
    if len(predicted) < BATCH_ROWS:
        raise BenchError(f"{len(predicted)} predictions were answered: {BATCH_ROWS} are needed")
    labels: list[dict[str, Any]] = [
        {"prediction_id": one.prediction_id, "truth": number % 2, "receipt": one.receipt}
        for number, one in enumerate(predicted)
    ]
    bare = [{"prediction_id": label["prediction_id"], "truth": label["truth"]} for label in labels]
    return _Bodies(
        _lines(directory / "labels.jsonl", _batches(labels)),
        _lines(directory / "label.jsonl", labels[:_SINGLES]),
        _lines(directory / "bare.jsonl", _batches(bare)),
    )


def _batches(labels: Sequence[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    return ({"labels": labels[at : at + BATCH_ROWS]} for at in range(0, len(labels) - BATCH_ROWS + 1, BATCH_ROWS))


def _lines(file: Path, bodies: Iterable[dict[str, Any]]) -> Path:
    file.write_bytes(b"".join(msgspec.json.encode(body) + b"\n" for body in bodies))
    return file


LABELS_TAKEN = Benchmark(
    "labels",
    "labels of one process of the API: in batches (at least 10,000/s), alone, without receipts; what a receipt costs",
    run,
    takes=("seconds",),
    lasts="3 minutes; --quick: 1 minute",
    held=lambda figures: bool(figures.held),
)
