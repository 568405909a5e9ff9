"""Launch: everything from the first download to the API that answers, started in the right order, stopped together."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from demo.datasets.dataset import Dataset, SecondAct
from demo.datasets.write import Clock, write
from demo.errors import ServiceFailed
from demo.loop_files import write_loop_files
from demo.scenario import Plan
from demo.services import Installation, answers, finished
from demo.stack.kafka import LASTING_SESSION_SECONDS
from demo.stack.ports import choose_port
from demo.stack.processes import ServiceProcess
from demo.stack.stack import LocalStack

WORKERS = 2


class Launch:
    """One running installation under `home`.

    lateness: seconds of event time. tell: hears what has been reached. clock: of the reference's rows; with one, how
    much windows differ by nature is learnt from them. seconds: what each step took. lasting: the services that are to
    run until the end.
    """

    def __init__(
        self,
        dataset: Dataset,
        home: Path,
        plan: Plan,
        seed: int,
        lateness: float,
        tell: Callable[[str], None],
        clock: Clock | None = None,
    ) -> None:
        ports = random.SystemRandom()
        # chosen here, so that training can start before Kafka runs and still knows where to publish the baseline
        kafka, redis = choose_port(ports), choose_port(ports)
        self.stack = LocalStack(
            home / "stack", kafka_port=kafka, redis_port=redis, kafka_session_seconds=LASTING_SESSION_SECONDS
        )
        self.installation = Installation(
            directory=home,
            model=dataset.description.name,
            bootstrap=f"127.0.0.1:{kafka}",
            redis_url=f"redis://127.0.0.1:{redis}/0",
            api_port=choose_port(ports),
            receiver_port=choose_port(ports),
            plan=plan,
            lateness=lateness,
        )
        self.seconds: dict[str, float] = {}
        self.workers: list[ServiceProcess] = []
        self._dataset, self._seed, self._tell, self._clock = dataset, seed, tell, clock
        self.lasting: list[ServiceProcess] = []
        self._started: list[ServiceProcess] = []

    async def start(self) -> None:
        """Servers and training side by side, then the API, which needs the champion. Raises DemoError or StackError."""
        with self._timed("setup"):
            await together(self._train(), self._start_stream())
            api = await self._keep(self.installation.api())
            await answers(f"{self.installation.api_url}/health/ready", api)
            self._tell(f"the API answers on {self.installation.api_url}")

    async def _train(self) -> None:
        folder = self.installation.directory / "data"
        data = await asyncio.to_thread(write, self._dataset, folder, self._seed, self._clock)
        with self._timed("training"):
            training = self.installation.train(data, self._seed, natural=self._clock is not None)
            self._started.append(training)
            await finished(training)
        self._tell("model trained on real rows, registered in MLflow as champion, with its baseline")

    async def _start_stream(self) -> None:
        with self._timed("servers"):
            await asyncio.to_thread(self.stack.start)
        self._tell(f"Apache Kafka on {self.installation.bootstrap}, Redis on {self.installation.redis_url}")
        topics = self.installation.topics()
        self._started.append(topics)
        await finished(topics)
        self.workers = [await self._keep(self.installation.worker(n + 1)) for n in range(WORKERS)]
        await self._keep(self.installation.performance())
        receiver = await self._keep(self.installation.receiver())
        await answers(f"{self.installation.receiver_url}", receiver)
        await self._keep(self.installation.sink())
        self._tell(f"{WORKERS} workers, one that counts labels, the webhook sink and a receiver run")

    async def mute(self, act: SecondAct, since: datetime) -> None:
        """What an operator knows of the features, said before the second act."""
        for feature, reason in act.muted:
            order = self.installation.mute(feature, since, reason)
            self._started.append(order)
            await finished(order)
            self._tell(f"muted {feature}: {reason}")

    async def watch(self, act: SecondAct) -> ServiceProcess:
        """Whoever decides to retrain; it ends with its first retraining. Early: what it imports takes its time."""
        home = self.installation.directory
        files = write_loop_files(home / "loop", self.installation.model, home / "data", act)
        watch = self.installation.watch(files)
        self._started.append(watch)
        await asyncio.to_thread(watch.start)
        return watch

    async def _keep(self, process: ServiceProcess) -> ServiceProcess:
        """Start a service that is to run until the end."""
        self._started.append(process)
        self.lasting.append(process)
        await asyncio.to_thread(process.start)
        return process

    def check(self, but: ServiceProcess | None = None) -> None:
        """Raises ServiceFailed when a service has ended (`but` may: it is being killed)."""
        for process in self.lasting:
            if process is not but and process.returncode is not None:
                raise ServiceFailed(
                    process.name, f"ended with status {process.returncode}", process.log, process.tail(8)
                )

    async def stop(self) -> None:
        """End everything that was started: services first, then the servers that they talk to."""
        with self._timed("stop"):
            await together(*(asyncio.to_thread(process.terminate) for process in self._started))
            await asyncio.to_thread(self.stack.stop)

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - began


async def together(*work: Coroutine[None, None, object]) -> None:
    """Side by side; the first error ends the others and is raised itself, not inside a group."""
    try:
        async with asyncio.TaskGroup() as group:
            for coroutine in work:
                group.create_task(coroutine)
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
