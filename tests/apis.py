"""The API as a process under test, a load on it, and what it left on Kafka."""

from __future__ import annotations

import asyncio
import atexit
import functools
import json
import os
import random
import shutil
import ssl
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx
from aiokafka import ConsumerRecord
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from contracts.events import parse_id
from contracts.topics import BASELINES, PREDICTIONS, Topic
from demo.stack.ports import choose_port
from demo.stack.processes import ServiceProcess
from stream_app import present
from tests.waiting import eventually

REPOSITORY = Path(__file__).parents[1]
_SLIM = str(REPOSITORY / "tests" / "slim")
START_SECONDS = 180  # its imports take some seconds; on a machine where everything runs at once, minutes
GOOD = {"distance": 101.5, "seats": None, "carrier": "a"}


@functools.cache
def shared_registry() -> str:
    """URI of one MLflow for the whole run: making its tables takes seconds. Give your models names of your own."""
    folder = tempfile.mkdtemp(prefix="tidemark-registry-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return f"sqlite:///{folder}/mlflow.db"


def http_client(url: str = "", seconds: float = 90) -> httpx.AsyncClient:
    """For a server of this machine: no proxy, no certificate is looked at. A client that looks reads all authorities
    first: 80 ms of processor time, in which nothing else of the test goes on, and a wait asks 20 times a second.
    """
    return httpx.AsyncClient(base_url=url, timeout=seconds, verify=False, trust_env=False)


async def create_topics(bootstrap: str, prefix: str, topics: Sequence[Topic] = (PREDICTIONS, BASELINES)) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics(
            [NewTopic(t.named(prefix), t.partitions, 1, topic_configs=t.broker_config()) for t in topics]
        )
    finally:
        await admin.close()


async def records(bootstrap: str, topic: str) -> list[ConsumerRecord]:
    """All that is on a topic now, by partition and offset."""
    found = [record async for record in present.records(bootstrap, topic)]
    return sorted(found, key=lambda record: (record.partition, record.offset))


def skipping_repeats(found: Iterable[ConsumerRecord]) -> list[str]:
    """What stage 1 counts: the highest sequence so far of each partition, source and epoch; the rest are repeats."""
    highest: dict[tuple[int, str, int], int] = {}
    counted = []
    for record in found:
        id_ = parse_id(header(record, "ce_id"))
        assert id_ is not None
        place = (record.partition, id_.source, id_.epoch)
        if id_.sequence > highest.get(place, -1):
            highest[place] = id_.sequence
            counted.append(str(id_))
    return counted


def header(record: ConsumerRecord, name: str) -> str:
    return dict(record.headers)[name].decode()


class Api:
    """`python -m api` on a port of its own, the same at every start. settings: API_* by their field's name.

    command: what runs it instead, for a machine that is not as it should be. slim: as in the slim image, where versions
    with a compiled form alone are served: for tests of anything but models, as a start then takes half the processor's
    time (the model is neither loaded nor asked).
    """

    def __init__(
        self,
        directory: Path,
        name: str = "api",
        port: int | None = None,
        *,
        command: Sequence[str] = (sys.executable, "-m", "api"),
        slim: bool = False,
        **settings: Any,
    ) -> None:
        self.port = choose_port(random.SystemRandom()) if port is None else port
        self.url = f"http{'s' if 'tls_cert_file' in settings else ''}://127.0.0.1:{self.port}"
        self.outbox = directory / "outbox"
        self.headers: dict[str, str] = {}
        """Of each request below: set a key's where keys are asked for."""
        settings = {
            "port": self.port,
            "outbox_dir": self.outbox,
            "model_cache": directory / "cache",
            "model_poll_seconds": 0.2,
            "adopt_seconds": 0.5,
            "ack_warn_seconds": 1,
            **settings,
        }
        env = {f"API_{key.upper()}": str(value) for key, value in settings.items()}
        if slim:
            env["PYTHONPATH"] = os.pathsep.join([_SLIM, *filter(None, [os.environ.get("PYTHONPATH")])])
        self.process = ServiceProcess(name, command, directory / f"{name}.log", env=env, cwd=REPOSITORY)

    async def start(self, *, ready: bool = True) -> None:
        self.process.start()
        if ready:
            await self.until("ready", "degraded", within=START_SECONDS)

    async def until(self, *statuses: str, within: float = 60) -> dict[str, Any]:
        """Until /health/ready says one of `statuses`; the whole of what it says."""

        async def state() -> dict[str, Any] | None:
            assert self.process.alive(), "\n".join(self.process.tail(40))
            said = (await self.get("/health/ready")).json()
            return said if said["status"] in statuses else None

        found: dict[str, Any] = await eventually(state, within, f"status {statuses}", passing=(httpx.TransportError,))
        return found

    async def get(self, path: str) -> httpx.Response:
        async with http_client(self.url, 20) as http:
            return await http.get(path, headers=self.headers)

    async def predict(self, features: dict[str, Any] | None = None, **fields: Any) -> httpx.Response:
        async with http_client(self.url, 20) as http:
            return await http.post("/predict", json={"features": GOOD if features is None else features, **fields})

    async def metric(self, name: str) -> float:
        """The sum of a series over its labels; 0 where it has none yet."""
        lines = (await self.get("/metrics")).text.splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith((name + " ", name + "{")))

    async def drained(self, within: float = 60) -> None:
        async def empty() -> bool:
            return await self.metric("tidemark_api_outbox_pending_bytes") == 0

        await eventually(empty, within, "an empty outbox")

    async def stop(self) -> int | None:
        return await asyncio.to_thread(self.process.terminate, 30.0)

    def resident_mib(self) -> float:
        """Memory of the process."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024


@asynccontextmanager
async def running(api: Api, *, ready: bool = True) -> AsyncIterator[Api]:
    """Started, and ended whatever happens; under a failed test pytest shows the end of its log."""
    try:
        await api.start(ready=ready)
        yield api
    finally:
        await asyncio.to_thread(api.process.kill)
        print(f"--- the end of {api.process.log}", *api.process.tail(40), sep="\n")


class Answer(NamedTuple):
    id: str
    version: str
    score: float


class Load:
    """Keep-alive connections, one request outstanding on each. What was answered, and what went wrong.

    pause: of a connection after each answer, in seconds. rows: of `bodies` in each request, which is then one to
    /predict/batch; every row's answer counts. without_retry_after: refusals with 503 that lack the header.
    refused_bodies: of the requests that were refused.
    """

    def __init__(
        self,
        url: str,
        bodies: Sequence[dict[str, Any]] = ({"features": GOOD},),
        connections: int = 4,
        pause: float = 0,
        rows: int = 0,
    ) -> None:
        parts = urlsplit(url)
        self._address = parts.hostname, parts.port
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if parts.scheme == "https" else None
        if self._tls is not None:
            self._tls.check_hostname, self._tls.verify_mode = False, ssl.CERT_NONE
        if rows:
            bodies = [{"rows": bodies[at : at + rows]} for at in range(0, len(bodies), rows)]
        head = b"POST %b HTTP/1.1\r\nhost: api\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
        path = b"/predict/batch" if rows else b"/predict"
        self._requests = [head % (path, len(body), body) for body in (json.dumps(body).encode() for body in bodies)]
        self._connections = connections
        self._pause = pause
        self.answers: list[Answer] = []
        self.refused: Counter[int] = Counter()
        self.refused_bodies: list[bytes] = []
        self.lost = 0
        self.without_retry_after = 0

    @asynccontextmanager
    async def on(self) -> AsyncIterator[Load]:
        """The load goes on meanwhile."""
        tasks = [asyncio.create_task(self._connection(n)) for n in range(self._connections)]
        try:
            yield self
        finally:
            for task in tasks:
                task.cancel()
            for outcome in await asyncio.gather(*tasks, return_exceptions=True):
                if not isinstance(outcome, asyncio.CancelledError):
                    raise AssertionError(f"the load ended by itself: {outcome!r}")

    async def more(self, count: int, within: float = 60) -> None:
        """Until so many more were answered."""
        wanted = len(self.answers) + count
        await eventually(lambda: len(self.answers) >= wanted, within, f"{count} more answers")

    async def _connection(self, number: int) -> None:
        turn = number
        while True:
            try:
                reader, writer = await asyncio.open_connection(*self._address, ssl=self._tls)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            try:
                while True:
                    request = self._requests[turn % len(self._requests)]
                    turn += 1
                    writer.write(request)
                    if not await self._answer(reader):
                        self.refused_bodies.append(request.partition(b"\r\n\r\n")[2])
                    await asyncio.sleep(self._pause)
            except (OSError, asyncio.IncompleteReadError):
                self.lost += 1
            finally:
                with suppress(OSError):
                    writer.close()

    async def _answer(self, reader: asyncio.StreamReader) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        size = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        body = json.loads(await reader.readexactly(size))
        status = int(head[9:12])
        if status == 200:
            for one in body.get("predictions", [body]):
                self.answers.append(Answer(one["prediction_id"], one["model_version"], one["score"]))
        else:
            self.refused[status] += 1
            self.without_retry_after += status == 503 and b"\r\nretry-after: " not in head.lower()
        return status == 200
