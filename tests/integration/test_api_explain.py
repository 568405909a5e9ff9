"""POST /explain on a real server: every way of finding contributions, and what becomes of predictions meanwhile.

Without Kafka: events wait in the outbox, and are counted there.
"""

import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from contracts.model_files import COMPILED_FILE
from tests.apis import Api, Load, http_client, running, shared_registry
from tests.builders import a_model_version
from tests.explainers import explainers_of
from tests.purchases import ROWS, SCHEMA, baseline, compiled, fitted
from tests.waiting import eventually

BODIES = [{"features": dict(zip(SCHEMA.names, row, strict=True))} for row in ROWS]


def register(model: str, version: str, estimator: Any, kind: str | None = None) -> None:
    """A version with the purchases' baseline, and with a compiled form where a kind is named; it becomes champion."""
    from mlflow.tracking import MlflowClient

    right = replace(baseline(version), model=model).to_bytes()
    made = a_model_version(
        shared_registry(), model=model, schema=SCHEMA, estimator=estimator, baseline=right, alias=None
    )
    assert made == version
    client = MlflowClient(shared_registry())
    if kind is not None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, COMPILED_FILE)
            file.write_bytes(replace(compiled(kind), model=model, version=version).to_bytes())
            logged = client.get_model_version(model, version).source.removeprefix("models:/")
            client.log_model_artifact(logged, str(file))
    client.set_registered_model_alias(model, "champion", version)


@pytest.fixture(scope="module")
async def model() -> str:
    """A boosted model with a compiled form, registered once."""
    await asyncio.to_thread(register, "explained", "1", fitted("hgb"), "hgb")
    return "explained"


@asynccontextmanager
async def serving(directory: Path, model: str, *, slim: bool = False, **settings: Any) -> AsyncIterator[Api]:
    settings = {"explain_timeout_seconds": 60, "bootstrap": "127.0.0.1:1", **settings}
    api = Api(directory, slim=slim, model=model, tracking_uri=shared_registry(), **settings)
    async with running(api):
        yield api


@pytest.fixture
async def api(tmp_path: Path, model: str) -> AsyncIterator[Api]:
    async with serving(tmp_path, model, slim=True) as api:  # a compiled form is explained without the model
        yield api


async def explain(api: Api, body: dict[str, Any] | None = None) -> httpx.Response:
    async with http_client(api.url) as http:
        return await http.post("/explain", json=body or BODIES[0])


async def predict(api: Api, body: dict[str, Any]) -> dict[str, Any]:
    return (await api.predict(**body)).json()


async def test_every_row_is_explained_to_its_score_and_nothing_is_counted_as_a_prediction(api: Api):
    answers = [(await explain(api, body)).json() for body in BODIES]

    assert await api.metric("tidemark_api_predictions_total") == 0
    assert await api.metric("tidemark_api_outbox_pending_bytes") == 0
    for body, answer in zip(BODIES, answers, strict=True):
        assert answer["score"] == (await predict(api, body))["score"]
        assert answer["method"] == "tree_shap"
        total = answer["base_value"] + sum(each["contribution"] for each in answer["contributions"])
        assert total == pytest.approx(answer["total"], abs=1e-9)
    assert await api.metric("tidemark_api_explainer_starts_total") == 1
    unseen = next(answer for answer in answers if "zeppelins" in str(answer))
    assert any("a level that is not in the reference" in reason for reason in unseen["reasons"])


async def test_a_new_champion_is_explained_in_its_own_way_and_named(tmp_path: Path):
    """A forest and a regression with compiled forms, and a model that has none."""
    kinds = [
        ("1", "forest", "forest", "tree_shap"),
        ("2", "logistic", "logistic", "linear_shap"),
        ("3", "hgb", None, "permutation"),
    ]
    await asyncio.to_thread(register, "swapped", "1", fitted("forest"), "forest")
    async with serving(tmp_path, "swapped") as api:
        for version, kind, form, method in kinds:
            if version != "1":
                await asyncio.to_thread(register, "swapped", version, fitted(kind), form)
            await until_served(api, version)

            answer = (await explain(api)).json()

            assert (answer["model_version"], answer["method"]) == (version, method)
            assert answer["score"] == pytest.approx((await predict(api, BODIES[0]))["score"], abs=1e-12)
            if method == "permutation":
                total = answer["base_value"] + sum(each["contribution"] for each in answer["contributions"])
                assert total == pytest.approx(answer["score"], abs=1e-9)
                assert all("standard_error" in each for each in answer["contributions"])
                assert answer["base_standard_error"] > 0
        assert await api.metric("tidemark_api_explainer_starts_total") == 1


async def until_served(api: Api, version: str) -> None:
    async def there() -> bool:
        return (await api.get("/model")).json()["version"] == version

    await eventually(there, 60, f"version {version}")


async def test_an_explainer_killed_again_and_again_costs_no_prediction(api: Api):
    assert (await explain(api)).status_code == 200
    load = Load(api.url, BODIES)
    async with load.on():
        for _ in range(3):
            (pid,) = explainers_of(api.process.pid)
            asked = asyncio.create_task(explain(api))
            await load.more(50)
            os.kill(pid, signal.SIGKILL)
            await load.more(50)
            assert (await asked).status_code == 200
            assert (await explain(api)).status_code == 200

    assert (load.refused, load.lost) == ({}, 0)
    assert await api.metric("tidemark_api_explainer_starts_total") == 4


async def test_one_that_hangs_is_given_up_and_predictions_go_on(tmp_path: Path, model: str):
    async with serving(tmp_path, model, slim=True, explain_timeout_seconds=2, explain_queue=2) as api:

        async def answered() -> bool:
            return (await explain(api)).status_code == 200

        await eventually(answered, 60, "an explanation")
        (pid,) = explainers_of(api.process.pid)
        os.kill(pid, signal.SIGSTOP)
        load = Load(api.url, BODIES)
        async with load.on():
            answers = await asyncio.gather(*(explain(api) for _ in range(3)))
            await load.more(50)

        assert (load.refused, load.lost) == ({}, 0)
        kinds = sorted(answer.json()["type"].rsplit(":", 1)[1] for answer in answers)
        assert kinds == ["explain-busy", "explain-timeout", "explain-timeout"]
        assert {answer.status_code for answer in answers} == {503}
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers)
        await eventually(answered, 60, "an explanation by a new process")
        assert explainers_of(api.process.pid) != [pid]


@pytest.mark.parametrize("orderly", [True, False])
async def test_the_explainer_ends_with_the_api(api: Api, orderly: bool):
    await explain(api)
    (pid,) = explainers_of(api.process.pid)

    if orderly:
        assert await api.stop() == 0
    else:
        await asyncio.to_thread(api.process.kill)

    await eventually(lambda: not still_runs(pid), 20, "no explainer")


def still_runs(pid: int) -> bool:
    """Whether it still runs."""
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"
