"""Several workers on one port: one is killed and nothing is lost; all are seen on one page; all end together."""

import asyncio
import os
import re
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

from contracts.topics import PREDICTIONS
from tests.apis import (
    GOOD,
    Answer,
    Api,
    Load,
    create_topics,
    header,
    records,
    running,
    shared_registry,
    skipping_repeats,
)
from tests.registered import a_compiled_version, a_local_copy
from tests.waiting import eventually

BODIES = [{"features": GOOD, "entity_id": f"card-{n}"} for n in range(40)]
ANSWERED = re.compile(r'^tidemark_api_predictions_total\{worker="(\d+)",.*\} (\S+)$', re.MULTILINE)


async def three(directory: Path, kafka, namespace: str, model: str, **settings: object) -> Api:
    await create_topics(kafka.bootstrap, namespace)
    version = await asyncio.to_thread(a_compiled_version, shared_registry(), model=model)
    # they answer with it at once
    await asyncio.to_thread(a_local_copy, shared_registry(), directory / "cache", model, version)
    return Api(
        directory,
        slim=True,
        workers=3,
        model=model,
        tracking_uri=shared_registry(),
        bootstrap=kafka.bootstrap,
        topic_prefix=namespace,
        **settings,
    )


def started(api: Api) -> list[tuple[str, int]]:
    """Number and process id of every worker that was started, in order."""
    said = re.findall(r"worker (\d\d): started, process (\d+)", "\n".join(api.process.tail(1000)))
    return [(number, int(pid)) for number, pid in said]


async def answered(api: Api) -> dict[str, float]:
    """By worker, as whichever of them answers shows it."""
    return {number: float(count) for number, count in ANSWERED.findall((await api.get("/metrics")).text)}


def successors(api: Api, count: int) -> bool:
    return len(started(api)) == 3 + count


async def all_answer(api: Api) -> None:
    async def seen() -> bool:
        page = (await api.get("/metrics")).text
        return all(f'tidemark_api_model_info{{worker="0{n}"' in page for n in range(3))

    await eventually(seen, 120, "three workers with a model")


async def ended(api: Api) -> int | None:
    """In order, once every worker has asked the registry: whoever is at its first import of MLflow cannot be stopped,
    and on a busy machine that outlasts the time that an end may take.
    """

    async def settled() -> bool:
        page = (await api.get("/metrics")).text
        return all(f'tidemark_api_registry_up{{worker="0{n}"}} 1.0' in page for n in range(3))

    await eventually(settled, 300, "three workers that have asked the registry")
    return await api.stop()


class Loads:
    """Loads of four connections each; as many as it takes until every worker has answered one of them."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._loads: list[Load] = []

    @asynccontextmanager
    async def on(self) -> AsyncIterator[None]:
        """The kernel deals connections to workers by a hash: of 80 none goes to one of three in 1 of 10^13 runs."""
        async with AsyncExitStack() as stack:
            while len(self.outboxes) < 3:
                assert len(self._loads) < 20, "80 connections leave a worker without one"
                self._loads.append(Load(self._api.url, BODIES, connections=4, pause=0.02))
                await stack.enter_async_context(self._loads[-1].on())
                await self._loads[-1].more(40)
            yield

    async def more(self, count: int) -> None:
        wanted = len(self.answers) + count
        await eventually(lambda: len(self.answers) >= wanted, 60, f"{count} more answers")

    @property
    def answers(self) -> list[Answer]:
        return [answer for load in self._loads for answer in load.answers]

    @property
    def refused(self) -> Counter[int]:
        return sum((load.refused for load in self._loads), Counter())

    @property
    def outboxes(self) -> set[str]:
        """Of which answers came. Every worker has its own."""
        return {answer.id.split("-")[0] for answer in self.answers}


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_one_of_three_workers_is_killed_under_load_and_every_answered_prediction_reaches_kafka(
    kafka, namespace: str, tmp_path: Path
):
    api = await three(tmp_path, kafka, namespace, "killed-worker")
    load = Loads(api)
    async with running(api):
        await all_answer(api)
        async with load.on():
            for deaths in (1, 2):
                await load.more(300)
                os.kill(dict(started(api))["01"], signal.SIGKILL)
                await eventually(partial(successors, api, deaths), 30, "a successor")
                await load.more(300)
            await all_answer(api)
            await load.more(300)
        assert await ended(api) == 0

    found = await records(kafka.bootstrap, PREDICTIONS.named(namespace))
    ids = [header(record, "ce_id") for record in found]
    given = [answer.id for answer in load.answers]
    assert len(set(given)) == len(given)
    assert set(given) - set(ids) == set()
    assert sorted(skipping_repeats(found)) == sorted(set(ids))
    assert load.refused == {}  # a worker without a model gets no connections
    assert len(load.outboxes) >= 3


async def test_whichever_worker_is_asked_the_page_has_all_of_them_and_no_counter_goes_back(
    kafka, namespace: str, tmp_path: Path
):
    api = await three(tmp_path, kafka, namespace, "paged-workers")
    load = Loads(api)
    async with running(api):
        await all_answer(api)
        before: dict[str, float] = {}
        async with load.on():
            await load.more(300)
            for _ in range(60):  # each question is a connection of its own, so it meets one worker or another
                now = await answered(api)
                assert now.keys() >= before.keys()
                assert all(now[number] >= count for number, count in before.items())
                before = now

        async def equal() -> bool:
            return sum((await answered(api)).values()) >= len(load.answers)

        await eventually(equal, 20, "every answer on the page")
        assert (await answered(api)).keys() == {"00", "01", "02"}
        page = (await api.get("/metrics")).text
        assert page.count("# TYPE tidemark_api_predictions_total counter") == 1
        assert await ended(api) == 0


async def test_workers_whose_supervisor_is_killed_end_by_themselves(kafka, namespace: str, tmp_path: Path):
    api = await three(tmp_path, kafka, namespace, "orphans")
    async with running(api):
        await all_answer(api)
        workers = [pid for _, pid in started(api)]
        os.kill(api.process.pid, signal.SIGKILL)
        await eventually(lambda: not any(map(alive, workers)), 30, "the end of the workers")


async def test_a_worker_that_is_told_to_end_is_replaced(kafka, namespace: str, tmp_path: Path):
    api = await three(tmp_path, kafka, namespace, "replaced")
    async with running(api):
        await all_answer(api)
        pids = dict(started(api))
        os.kill(pids["02"], signal.SIGTERM)
        await eventually(lambda: dict(started(api))["02"] != pids["02"], 60, "another process for worker 02")
        await all_answer(api)
        assert await ended(api) == 0
    assert "worker 02: process" in "\n".join(api.process.tail(1000))
