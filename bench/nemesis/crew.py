"""The workers: processes with a log and metrics each, that live, die and come back."""

from __future__ import annotations

import asyncio
import re
import sys
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from bench.nemesis.network import Place
from demo.stack.processes import ServiceProcess

_ROOT = Path(__file__).parents[2]
_PORT = re.compile(r"metrics on port (\d+)")
_READY = re.compile(r"ready: counting partitions")
# Each gap is one line of the log, whatever becomes of its process afterwards; see stream_app/agents/holes.py.
_GAP = re.compile(r"reading again$|: offsets \d+ to \d+ are ", re.MULTILINE)
_UNEXPECTED = re.compile(
    r"^[A-Za-z_.]+(?:Error|Exception|Lost)\b.*|^.*(?:not counted|not merged|cannot be compared).*", re.M
)
_WHEN = re.compile(r"^\S+ \S+ |offsets \d+ to \d+")
_FENCED = "tidemark_stream_fenced_heartbeats_total"
_WATCH_SECONDS = 1.0
_REPLACED = "Kafka gave its place to another process"


class Worker:
    """One worker and all its lives. place: where it runs. ended: exit statuses of those that ended by themselves.

    kills: how often it was killed. replaced: how often it ended because Kafka had given its name to another process: a
    twin, or its own next life.
    """

    def __init__(self, name: str, directory: Path, env: Mapping[str, str], place: Place) -> None:
        self.name, self.place = name, place
        self.env = {**env, "STREAM_BOOTSTRAP": place.bootstrap, "STREAM_METRICS_PORT": "0"}
        self.process = ServiceProcess(
            name,
            [*place.inside, sys.executable, "-m", "stream_app", "worker"],
            directory / f"{name}.log",
            env=self.env,
            cwd=_ROOT,
        )
        self.wanted = False
        self.kills = 0
        self._fenced: dict[int, float] = {}
        self._lives = 0
        self.ended: list[int | None] = []
        self.replaced = 0

    async def start(self) -> None:
        """A new life."""
        self._lives += 1
        await asyncio.to_thread(self.process.start)
        self.wanted = True

    async def kill(self) -> None:
        """SIGKILL."""
        self.wanted = False
        self.kills += 1
        await asyncio.to_thread(self.process.kill)

    async def terminate(self, within: float) -> int | None:
        """SIGTERM, and SIGKILL so many seconds later; its exit status."""
        self.wanted = False
        return await asyncio.to_thread(self.process.terminate, within)

    @property
    def text(self) -> str:
        """Its log, all lives."""
        return self.process.log.read_text(errors="replace") if self.process.log.exists() else ""

    @property
    def ready(self) -> bool:
        """Whether this life has begun to count."""
        return self.process.alive() and bool(_READY.search(self._life()))

    @property
    def gaps(self) -> int:
        """In all its lives."""
        return len(_GAP.findall(self.text))

    @property
    def complaints(self) -> Counter[str]:
        """Exceptions and failed batches in its log: none of them loses anything, each deserves a look."""
        return Counter(_WHEN.sub("", line) for line in _UNEXPECTED.findall(self.text))

    @property
    def fenced(self) -> int:
        """Heartbeats that it refused, as last scraped in each life."""
        return round(sum(self._fenced.values()))

    async def revive(self) -> bool:
        """Start it again if it ended by itself, as an orchestrator would; whether it did, `replaced` ones left out."""
        if not self.wanted or self.process.alive():
            return False
        if _REPLACED in "".join(self.process.tail(1)):
            self.replaced += 1
            await self.start()
            return False
        self.ended.append(self.process.returncode)
        await self.start()
        return True

    async def scrape(self) -> None:
        """Read its metrics, if it answers."""
        found = _PORT.findall(self._life())
        if not found or not self.process.alive():
            return
        life = self._lives
        try:
            text = await asyncio.to_thread(_get, f"http://{self.place.host}:{found[-1]}/metrics")
        except (OSError, urllib.error.URLError):
            return  # just now it is dead, stopped or cut off
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == _FENCED:
                    self._fenced[life] = sample.value

    def _life(self) -> str:
        return "\n".join(self.process.tail(400))


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=0.5) as answer:
        return str(answer.read().decode())


async def watch_for_ever(workers: list[Worker], say: Callable[[str], None]) -> None:
    """Once a second: read their numbers, which die with them, and revive those that ended by themselves."""
    while True:
        await asyncio.sleep(_WATCH_SECONDS)
        await asyncio.gather(*[worker.scrape() for worker in workers])
        for worker in workers:
            if await worker.revive():
                say(f"           {worker.name} ended by itself with status {worker.ended[-1]}, started again")
