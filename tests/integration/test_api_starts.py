"""The API starts and ends with nobody there: no Kafka, no Redis, no registry; and with its local copy alone."""

import asyncio
from pathlib import Path

from tests.apis import Api, http_client, running, shared_registry
from tests.builders import a_model_version
from tests.registered import a_compiled_version, a_local_copy
from tests.waiting import eventually

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
        async with http_client(url) as http:
            assert (await http.get("/health/live")).json() == {"status": "live"}
        await api.until("unavailable", within=120)
        slots = sorted(path.name for path in api.outbox.iterdir() if path.is_dir())
        assert slots == ["00", "01"]  # one for each process


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


async def test_a_start_answers_with_the_local_copy_while_the_registry_hangs_and_asks_the_model_afterwards(
    tmp_path: Path,
):
    version = await asyncio.to_thread(a_compiled_version, shared_registry(), model="copied")
    before = await asyncio.to_thread(a_local_copy, shared_registry(), tmp_path / "cache", "copied", version)
    assert (before.scorer.kind, before.proof is not None) == ("compiled-trees", True)

    api = Api(tmp_path, **{**NOWHERE, "model": "copied"}, tracking_uri="http://192.0.2.1:5000")
    async with running(api):
        said = await api.until("degraded")
        assert said["dependencies"]["model"]["detail"] == f"copied/{version}, from the local copy"
        assert said["dependencies"]["registry"]["detail"].startswith("not asked yet")
        assert (await api.predict({"distance": 101.5, "seats": None, "carrier": "a"})).status_code == 200
        first = (await api.get("/model")).json()
        assert (first["scorer"], first["cached"]) == ("compiled-trees", True)

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
