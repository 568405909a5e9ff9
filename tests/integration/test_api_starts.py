"""The API starts and ends with nobody there: no Kafka, no Redis, no registry; and with its local copy alone."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pandas as pd
from mlflow.tracking import MlflowClient

from api.models.proving import Prover
from api.models.served import Served, prepare
from api.models.store import ModelStore
from contracts.model_files import COMPILED_FILE
from contracts.schema import Feature, FeatureSchema
from tests.apis import Api, running, shared_registry
from tests.builders import a_fitted_pipeline, a_model_version, reference_columns
from tests.waiting import eventually
from training.export import export

NOWHERE = {"model": "flights", "bootstrap": "127.0.0.1:1", "redis_url": "redis://127.0.0.1:1/0"}


async def test_without_anything_it_says_so_and_ends_in_order(tmp_path: Path):
    # 192.0.2.1 answers nobody, ever (RFC 5737): the registry hangs rather than refuses
    api = Api(tmp_path, tracking_uri="http://192.0.2.1:5000", **NOWHERE)
    async with running(api, ready=False):
        await api.until("unavailable", within=120)
        assert (await api.get("/health/live")).status_code == 200
        assert (await api.get("/metrics")).status_code == 200
        answer = await api.predict()
        assert (answer.status_code, answer.json()["detail"]) == (503, "No model is loaded yet.")
        assert answer.headers["retry-after"] == "1"

        assert await api.stop() == 0


async def test_a_free_port_is_taken_and_printed(tmp_path: Path):
    api = Api(tmp_path, tracking_uri=f"sqlite:///{tmp_path}/nowhere.db", **NOWHERE)
    port_0 = Api(tmp_path, "port-0", 0, tracking_uri=f"sqlite:///{tmp_path}/nowhere.db", **NOWHERE)
    async with running(api, ready=False), running(port_0, ready=False):

        def printed() -> str:
            lines = [line for line in port_0.process.tail() if line.startswith("api: http://127.0.0.1:")]
            return lines[0].split()[1] if lines else ""

        url = await eventually(printed, 120, "the address")
        assert not url.endswith(":0")
        async with httpx.AsyncClient(base_url=url) as http:
            assert (await http.get("/health/live")).json() == {"status": "live"}
        await api.until("unavailable", within=120)
        assert sorted(path.name for path in api.outbox.iterdir()) == ["00", "01"]  # one slot for each process


async def test_an_outbox_that_cannot_be_used_ends_the_start_with_one_line(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    api = Api(tmp_path, outbox_dir=tmp_path / "file", tracking_uri="sqlite:///x.db", **NOWHERE)

    api.process.start()

    assert await asyncio.to_thread(api.process.wait, 120) == 2
    (line,) = api.process.tail()
    assert line.startswith(f"api: API_OUTBOX_DIR: {tmp_path}/file/00 cannot be used: Not a directory")


async def test_a_taken_port_ends_the_start_with_one_line(tmp_path: Path):
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    api = Api(tmp_path, port=port, tracking_uri="sqlite:///x.db", **NOWHERE)

    api.process.start()

    assert await asyncio.to_thread(api.process.wait, 120) == 2
    server.close()
    assert api.process.tail() == [f"api: API_HOST, API_PORT: cannot listen on 127.0.0.1:{port}: Address already in use"]


SCHEMA = FeatureSchema((Feature("distance", "numeric"), Feature("seats", "numeric"), Feature("carrier", "categorical")))


def a_compiled_version(directory: Path, model: str) -> str:
    """A registered version with its compiled form."""
    version = a_model_version(shared_registry(), model=model, schema=SCHEMA)
    frame = pd.DataFrame(reference_columns(SCHEMA, 100)).astype({"carrier": "str"})
    form = export(a_fitted_pipeline(SCHEMA), SCHEMA, frame, model=model, version=version, seed=0).compiled
    assert form is not None
    file = directory / COMPILED_FILE
    file.write_bytes(form.to_bytes())
    client = MlflowClient(shared_registry())
    source = client.get_model_version(model, version).source
    client.log_model_artifact(source.removeprefix("models:/"), str(file))
    return version


def kept(cache: Path, model: str, version: str) -> Served:
    """What a process of the API that served this version leaves behind."""
    store = ModelStore(shared_registry(), model, "champion", cache)
    loaded = store.load(version)
    served = prepare(loaded, datetime.now(UTC), timedelta(days=1), Prover())
    store.keep(loaded, served.proof)
    return served


async def test_a_start_answers_with_the_local_copy_while_the_registry_hangs_and_asks_the_model_afterwards(
    tmp_path: Path,
):
    version = await asyncio.to_thread(a_compiled_version, tmp_path, "copied")
    before = await asyncio.to_thread(kept, tmp_path / "cache", "copied", version)
    assert (before.scorer.kind, before.proof is not None) == ("compiled-linear", True)

    api = Api(tmp_path, **{**NOWHERE, "model": "copied"}, tracking_uri="http://192.0.2.1:5000")
    async with running(api):
        said = await api.until("degraded")
        assert said["dependencies"]["model"]["detail"] == f"copied/{version}, from the local copy"
        assert said["dependencies"]["registry"]["state"] == "away"
        assert (await api.predict({"distance": 101.5, "seats": None, "carrier": "a"})).status_code == 200
        first = (await api.get("/model")).json()
        assert (first["scorer"], first["cached"]) == ("compiled-linear", True)

        async def asked_again() -> bool:
            note: str = (await api.get("/model")).json()["scorer_note"]
            return note.endswith("rows")

        await eventually(asked_again, 150, "a note that the model was asked in this life")
        assert await api.stop() == 0


async def test_what_a_killed_process_had_begun_to_fetch_is_gone_after_the_next_fetch(tmp_path: Path):
    await asyncio.to_thread(a_model_version, shared_registry(), model="leftovers")
    leftover = tmp_path / "cache" / "leftovers" / "1.half"
    leftover.mkdir(parents=True)
    (leftover / "MLmodel").write_text("half")

    async with running(Api(tmp_path, **{**NOWHERE, "model": "leftovers"}, tracking_uri=shared_registry())):
        assert not leftover.exists()
