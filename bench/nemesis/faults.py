"""Each fault done to the crew and the broker, with a line for people."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.benchmark import Say
from bench.nemesis.crew import Worker
from bench.nemesis.network import Way
from bench.nemesis.schedule import Fault
from demo.stack.kafka import KafkaServer

TERM_SECONDS = 40.0
"""A worker that has not ended so long after SIGTERM hangs."""


@dataclass(frozen=True)
class Stop:
    """How a worker ended after SIGTERM. status: of its exit, or -9 if it had to be killed. killed: by the next fault,
    before it had ended: without a broker it waits to hand on what it has begun.
    """

    worker: str
    status: int | None
    seconds: float
    killed: bool = False

    @property
    def wrong(self) -> str:
        """What is wrong with it, in words; nothing where it ended by itself, with status 0."""
        if self.seconds >= TERM_SECONDS:
            return f"{self.worker} did not end within {TERM_SECONDS:g} s of SIGTERM"
        if self.killed:
            return ""
        return f"{self.worker} ended with status {self.status} after SIGTERM" if self.status != 0 else ""


class Nemesis:
    """Carries a schedule out. more: makes one more worker; again: one with the name of another. counted: faults done,
    by kind. stops: how the workers ended that got SIGTERM."""

    def __init__(
        self,
        crew: list[Worker],
        ways: Sequence[Way],
        broker: KafkaServer,
        more: Callable[[], Worker],
        again: Callable[[Worker], Worker],
        say: Say,
    ) -> None:
        self._again = again
        self._crew, self._ways, self._broker, self._more, self._say = crew, ways, broker, more, say
        self.counted: Counter[str] = Counter()
        self.stops: list[Stop] = []
        self._began = 0.0

    async def rage(self, faults: list[Fault], began: float) -> None:
        """All of them, at their seconds behind `began` (monotonic). Returns when the last is over and all is mended."""
        self._began = began
        async with asyncio.TaskGroup() as group:
            for fault in faults:
                await asyncio.sleep(max(0.0, began + fault.at - time.monotonic()))
                group.create_task(self._one(fault))

    async def _one(self, fault: Fault) -> None:
        self.counted[fault.kind] += 1
        await {
            "kill": self._kill,
            "term": self._term,
            "stop": self._stop,
            "freeze": self._stop,
            "cut": self._cut,
            "broker": self._kafka,
            "join": self._join,
            "twin": self._twin,
        }[fault.kind](fault)

    async def _kill(self, fault: Fault) -> None:
        worker = self._crew[fault.worker]
        self._tell(f"SIGKILL {worker.name}, back at {fault.until:.1f} s")
        await worker.kill()
        await self._until(fault)
        await worker.start()

    async def _term(self, fault: Fault) -> None:
        worker = self._crew[fault.worker]
        self._tell(f"SIGTERM {worker.name}, back at {fault.until:.1f} s")
        await self._end(worker)
        await self._until(fault)
        await worker.start()

    async def _end(self, worker: Worker) -> None:
        began, kills = time.monotonic(), worker.kills
        status = await worker.terminate(TERM_SECONDS)
        stop = Stop(worker.name, status, time.monotonic() - began, killed=worker.kills > kills)
        self.stops.append(stop)
        if stop.wrong:
            self._tell(stop.wrong)

    async def _stop(self, fault: Fault) -> None:
        worker = self._crew[fault.worker]
        await worker.revive()
        self._tell(f"SIGSTOP {worker.name}, SIGCONT at {fault.until:.1f} s")
        pid = worker.process.pid
        worker.process.pause()
        await self._until(fault)
        if worker.process.alive() and worker.process.pid == pid:
            worker.process.resume()

    async def _cut(self, fault: Fault) -> None:
        self._tell(f"{self._crew[fault.worker].name} cut off from Kafka until {fault.until:.1f} s")
        self._ways[fault.worker].cut()
        await self._until(fault)
        self._ways[fault.worker].heal()

    async def _kafka(self, fault: Fault) -> None:
        self._tell(f"SIGKILL kafka, started again at {fault.until:.1f} s")
        await asyncio.to_thread(self._broker.kill)
        await self._until(fault)
        await asyncio.to_thread(self._broker.start, 120.0)
        self._tell("kafka answers again")

    async def _join(self, fault: Fault) -> None:
        worker = self._more()
        self._tell(f"one more worker, {worker.name}, leaves at {fault.until:.1f} s")
        await worker.start()
        await self._until(fault)
        await self._end(worker)

    async def _twin(self, fault: Fault) -> None:
        worker = self._crew[fault.worker]
        twin = self._again(worker)
        self._tell(f"a second {worker.name}, {twin.name}, while the first lives; killed at {fault.until:.1f} s")
        await twin.start()
        await self._until(fault)
        await twin.kill()

    async def _until(self, fault: Fault) -> None:
        await asyncio.sleep(max(0.0, self._began + fault.until - time.monotonic()))

    def _tell(self, what: str) -> None:
        self._say(f"{time.monotonic() - self._began:7.1f} s  {what}")
