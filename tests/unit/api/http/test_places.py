"""Who sends heads without bodies takes nobody else's place; on real sockets, by the fast path and the plain one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.doors import Answering, answering
from tests.keys import a_key, an_entry, write_keys
from tests.serving import a_served, an_app, services
from tests.waiting import PATIENCE, eventually

PLACES = 4
LABELS = b'{"labels": [%s]}' % b",".join([b'{"prediction_id": "a", "truth": 1}'] * 30)
BODIES = {"/predict/batch": b'{"rows": [{"features": {"distance": 1}}]}', "/labels": LABELS}
DONE = {"/predict/batch": b"HTTP/1.1 200 OK", "/labels": b"HTTP/1.1 202 Accepted"}


def head(path: str, key: int) -> bytes:
    length = len(BODIES[path])
    return (
        f"POST {path} HTTP/1.1\r\nHost: api\r\nX-API-Key: {a_key(key)}\r\nContent-Type: application/json\r\n"
        f"Connection: close\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


class Sender:
    """Has sent a head, and no body yet."""

    def __init__(self, streams: tuple[asyncio.StreamReader, asyncio.StreamWriter], path: str, key: int) -> None:
        self._reader, self._writer = streams
        self._path = path
        self._writer.write(head(path, key))

    async def answer(self, body: bool = True) -> bytes:
        if body:
            self._writer.write(BODIES[self._path])
        async with asyncio.timeout(30 * PATIENCE):
            return await self._reader.read()

    def close(self) -> None:
        self._writer.close()


class Api:
    def __init__(self, to: Answering, app: object) -> None:
        self._to = to
        self._services = services(app)  # type: ignore[arg-type]
        self._senders: list[Sender] = []

    async def begin(self, path: str, key: int = 1, address: str = "127.0.0.1") -> Sender:
        streams = await asyncio.open_connection("127.0.0.1", self._to.port, local_addr=(address, 0))
        self._senders.append(Sender(streams, path, key))
        return self._senders[-1]

    async def fill(self, path: str) -> list[Sender]:
        room = (self._services.batch if path == "/predict/batch" else self._services.labels).room
        senders = []
        for taken in range(1, PLACES + 1):
            senders.append(await self.begin(path))
            await eventually(lambda taken=taken: room.taken == taken, 10, "a place that is taken")
        return senders

    def close(self) -> None:
        for sender in self._senders:
            sender.close()


@asynccontextmanager
async def an_api(directory: Path, door: str, keyed: bool) -> AsyncIterator[Api]:
    entries = [an_entry(number, scopes=("predict", "label")) for number in (1, 2)]
    keys = {"keys_file": write_keys(directory / "keys.json", entries)} if keyed else {}
    app = an_app(directory, served=a_served(), max_batches=PLACES, body_limit_bytes=1024, **keys)
    async with answering(app if door == "light" else app.app, light=door == "light") as to:
        api = Api(to, app)
        try:
            yield api
        finally:
            api.close()


@pytest.mark.parametrize("keyed", [True, False], ids=["keys", "addresses"])
@pytest.mark.parametrize("door", ["light", "plain"])
@pytest.mark.parametrize("path", BODIES)
async def test_another_client_takes_the_oldest_place_whose_body_has_not_come(
    tmp_path: Path, path: str, door: str, keyed: bool
):
    async with an_api(tmp_path, door, keyed) as api:
        first, *others = await api.fill(path)

        other = await api.begin(path, 2, "127.0.0.2")

        lost = await first.answer(body=False)
        assert (lost[:12], b"problem:overloaded" in lost) == (b"HTTP/1.1 503", True)
        assert (await other.answer()).startswith(DONE[path])
        for sender in others:
            assert (await sender.answer()).startswith(DONE[path])


@pytest.mark.parametrize("keyed", [True, False], ids=["keys", "addresses"])
@pytest.mark.parametrize("path", BODIES)
async def test_the_same_client_takes_no_place_of_its_own(tmp_path: Path, path: str, keyed: bool):
    async with an_api(tmp_path, "light", keyed) as api:
        senders = await api.fill(path)

        over = await (await api.begin(path)).answer()

        assert (over[:12], b"problem:overloaded" in over) == (b"HTTP/1.1 503", True)
        for sender in senders:
            assert (await sender.answer()).startswith(DONE[path])
