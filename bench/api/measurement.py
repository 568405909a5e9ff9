"""Measurement: the servers run side by side, the load goes round them one by one, in turns; then what is of ours alone.

Servers that stand by take next to nothing, and every run begins with an empty outbox.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from bench.api import memory, outage, pressure
from bench.api.delivered import settled, tally
from bench.api.figures import (
    GOAL,
    MANY,
    OURS,
    ApiFigures,
    Batches,
    Delivery,
    Half,
    batches_of,
    figures_of,
    half_of,
    rows_of,
)
from bench.api.material import BATCH_ROWS, ROOT, Material, make
from bench.api.ours import Ours
from bench.api.servers import Server, others
from bench.api.table import line_of
from bench.api.trial import Run, Trial
from bench.api.wrk import Load, Said, Target
from bench.benchmark import BenchError, Say
from bench.pinned import Cores, kept_to, stand_back
from contracts.topics import PREDICTIONS
from demo.stack.kafka import LASTING_SESSION_SECONDS, SESSION_SECONDS
from demo.stack.processes import ServiceProcess
from demo.stack.stack import LocalStack

CONNECTIONS = (1, GOAL, MANY)
BATCH_CONNECTIONS = 2
ASKED = 50
"""Requests of our own before each round, whose ids are looked for one by one."""
_TOPICS_SECONDS, _SAME = 60.0, 1e-9


class Extent(NamedTuple):
    """How much. seconds: of a run. patience: seconds that are waited for a quiet machine before a run. events:
    predictions while memory is watched. outage: how long Kafka is away, and the load around it."""

    rounds: int
    seconds: int
    patience: float
    events: int
    outage: outage.Course


class Measurement:
    """parts: names of servers, and of what else is measured of ours."""

    def __init__(
        self, parts: Sequence[str], extent: Extent, where: Cores, load: Load, directory: Path, say: Say
    ) -> None:
        self._parts, self._extent, self._cores, self._directory, self._say = parts, extent, where, directory, say
        self._trial = Trial(load, where, extent.patience)
        self._load = load
        self._seen = self._most_cut_off = 0

    def take(self, seed: int) -> ApiFigures:
        """All of it; what was started is ended whatever happens. Raises BenchError, StackError."""
        core, directory = self._cores.server, self._directory
        self._say(f"server on core {core}; wrk, Kafka and Redis on {', '.join(map(str, sorted(self._cores.load)))}")
        material = make(directory, seed)
        with kept_to(self._cores.load), ExitStack() as ending:
            session = SESSION_SECONDS if "outage" in self._parts else LASTING_SESSION_SECONDS
            stack = LocalStack(directory / "stack", kafka_session_seconds=session)
            ending.callback(stack.stop)
            stack.start()
            create_topics(stack.kafka.bootstrap, directory)
            ours = Ours(material, stack, core, directory)
            servers = [ours, *(server for server in others(material, core, directory) if self._wanted(server))]
            start_seconds = {}
            for server in servers:
                ending.callback(server.stop)
                start_seconds[server.name] = round(server.start(), 2)
            ours.stop()
            start_seconds[OURS] = round(ours.start(), 2)  # now its model is cached
            for server in servers:
                server.settle()
            for behind in (stack.kafka, stack.redis):
                stand_back(behind.pid)
            return self._measured(material, stack, servers, start_seconds)

    def _wanted(self, server: Server) -> bool:
        return server.name in self._parts or (server.name == "bare" and "half" in self._parts)

    def _measured(
        self, material: Material, stack: LocalStack, servers: Sequence[Server], start_seconds: Mapping[str, float]
    ) -> ApiFigures:
        ours = servers[0]
        assert isinstance(ours, Ours)
        grid = [server for server in servers if server.name in self._parts]
        self._check_scores(ours, servers)
        for server in grid:
            self._run(server, GOAL, 1)  # what is loaded at the first request
        rounds = [self._round(ours, grid if turn % 2 == 0 else grid[::-1]) for turn in range(self._extent.rounds)]
        rows = rows_of([runs for runs in rounds if runs])
        resident = {server.name: round(server.resident_mb(), 1) for server in servers}
        half = self._half(ours, servers) if "half" in self._parts else None
        batch = self._batches(ours, material) if "batch" in self._parts else None
        pressed = self._pressure(ours, material)
        away = self._outage(ours, stack) if "outage" in self._parts else None
        flat = None
        if "memory" in self._parts:
            flat = memory.measure(lambda seconds: self._run(ours, MANY, seconds), ours, self._extent.events, self._say)
        return figures_of(
            rows,
            half,
            batch,
            flat,
            self._delivery(ours, stack),
            keys=bool(ours.target.key),
            start_seconds=dict(start_seconds),
            resident_mb=resident,
            pressure=pressed,
            outage=away,
        )

    def _check_scores(self, ours: Ours, servers: Sequence[Server]) -> None:
        """They serve the same model. Raises BenchError where they do not."""
        for server in servers:
            if server.name in ("ordinary", "mlflow"):
                self._seen += 1
                expected, found = ours.score(), server.score()
                if abs(expected - found) > _SAME:
                    raise BenchError(f"ours scores a row {expected}, {server.name} {found}: these are different models")

    def _round(self, ours: Ours, servers: Sequence[Server]) -> list[Run]:
        """Ours and the others in turns, for each number of connections."""
        ours.ask(ASKED)
        self._seen += ASKED
        return [self._run(server, number, self._extent.seconds) for number in CONNECTIONS for server in servers]

    def _half(self, ours: Ours, servers: Sequence[Server]) -> Half:
        """At half of what ours does now at GOAL connections; paced, so that requests come one by one."""
        rate = self._run(ours, GOAL, self._extent.seconds).rate / 2
        self._say(f"half load: {rate:,.0f}/s on {MANY} connections")
        think = self._think(ours, rate)
        seconds = 2 * self._extent.seconds
        runs = [self._run(ours, MANY, seconds, think_ms=think) for _ in range(self._extent.rounds)]
        floor = [self._run(server, MANY, seconds, think_ms=think) for server in servers if server.name == "bare"]
        return half_of(runs, floor[0])

    def _think(self, ours: Ours, rate: float) -> float:
        """Milliseconds that MANY connections pause, so that they make so many requests a second."""
        think = MANY / rate * 1000
        for _ in range(2):  # an answer and a timer take their time, too
            found = self._run(ours, MANY, 1, think_ms=think)
            think = max(0.5, think + MANY / rate * 1000 - MANY / found.rate * 1000)
        return think

    def _outage(self, ours: Ours, stack: LocalStack) -> outage.Outage:
        think = self._think(ours, outage.RATE)
        found, said = outage.measure(self._load, ours, stack.kafka, self._extent.outage, MANY, think, self._say)
        self._count("predictions", said, MANY)
        return found

    def _batches(self, ours: Ours, material: Material) -> Batches | None:
        path = "/predict/batch"
        with material.batches.open("rb") as bodies:
            status, answer = ours.post(path, bodies.readline())
        if status != 200:
            raise BenchError(f"POST {path} answers {status}: {answer[:300].decode(errors='replace')}")
        self._seen += BATCH_ROWS
        target = Target(ours.url + path, material.batches, ours.target.key)
        runs = [
            self._run(ours, BATCH_CONNECTIONS, self._extent.seconds, target=target, rows=BATCH_ROWS)
            for _ in range(self._extent.rounds)
        ]
        return batches_of(runs, BATCH_ROWS)

    def _pressure(self, ours: Ours, material: Material) -> pressure.Pressure | None:
        seconds, singles, over = self._extent.seconds, list[pressure.Single](), None
        if "beside" in self._parts:
            paths = {"batches": ("/predict/batch", material.batches), "explanations": ("/explain", material.single)}
            others = {name: Target(ours.url + path, bodies, ours.target.key) for name, (path, bodies) in paths.items()}
            with material.single.open("rb") as bodies:
                ours.post("/explain", bodies.readline())  # its process is started at the first one
            singles = pressure.beside(self._load, ours.target, others, seconds, self._count)
        if "overload" in self._parts:
            over = pressure.overload(self._load, ours.target, seconds, self._count)
        return pressure.Pressure(singles, over) if singles or over else None

    def _count(self, what: str, said: Said, connections: int) -> None:
        """Explanations are no predictions."""
        rows = {"batches": BATCH_ROWS, "explanations": 0}.get(what, 1)
        self._seen += (said.requests - said.refused) * rows
        self._most_cut_off += connections * rows * said.runs

    def _run(
        self,
        server: Server,
        connections: int,
        seconds: int,
        *,
        think_ms: float = 0.0,
        target: Target | None = None,
        rows: int = 1,
    ) -> Run:
        """One run, told and counted. rows: predictions in a request."""
        found = self._trial.run(server, connections, seconds, think_ms=think_ms, target=target)
        self._say(line_of(found))
        if isinstance(server, Ours):
            self._seen += found.said.requests * rows
            self._most_cut_off += connections * rows * found.said.runs
        return found

    def _delivery(self, ours: Ours, stack: LocalStack) -> Delivery:
        answered, found = settled(
            ours.answered,
            ours.drained,
            lambda: asyncio.run(tally(stack.kafka.bootstrap, PREDICTIONS.name, ours.ids)),
        )
        return Delivery(
            answered=answered,
            seen=self._seen,
            cut_off=answered - self._seen,
            most_cut_off=self._most_cut_off,
            delivered=found.distinct,
            repeats=found.repeats,
            missing=found.missing,
        )


def create_topics(bootstrap: str, directory: Path) -> None:
    """As an operator does it. Raises BenchError."""
    command = [sys.executable, "-m", "stream_app", "topics"]
    process = ServiceProcess("topics", command, directory / "topics.log", env={"STREAM_BOOTSTRAP": bootstrap}, cwd=ROOT)
    process.start()
    try:
        status = process.wait(_TOPICS_SECONDS)
    finally:
        process.kill()
    if status != 0:
        raise BenchError(f"the topics could not be made: {' / '.join(process.tail(3))}")
