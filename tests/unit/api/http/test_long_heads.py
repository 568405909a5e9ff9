"""A head without an end costs its connection, and no other request anything; on a real socket, through each door."""

import asyncio
from itertools import chain, repeat
from pathlib import Path

import pytest

from api.http.http_protocol import LONGEST_HEAD
from tests.doors import answering
from tests.serving import a_served, an_app

PIECE = 8192
BODY = b'{"features": {"distance": 70}}'
LAST = (
    b"POST /predict HTTP/1.1\r\nHost: api\r\nConnection: close\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
)
POST = b"POST /predict HTTP/1.1\r\nHost: api\r\nContent-Type: application/json\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(BODY), BODY)
ENDLESS = {
    "one header": (POST + b"X: ", b"x" * PIECE),
    "many headers": (POST, b"x: yz\r\n" * (PIECE // 7)),
    "an address": (b"GET /", b"x" * PIECE),
    "one trailer": (CHUNKED + b"0\r\nX: ", b"x" * PIECE),
    "many trailers": (CHUNKED + b"0\r\n", b"x: yz\r\n" * (PIECE // 7)),
}


@pytest.mark.parametrize("light", [True, False], ids=["light", "ordinary"])
@pytest.mark.parametrize("name", ENDLESS)
async def test_what_has_no_end_is_given_up(tmp_path: Path, name: str, light: bool):
    begin, piece = ENDLESS[name]
    async with answering(an_app(tmp_path, served=a_served()), light=light) as to:
        reader, writer = await to.connect()
        answered = asyncio.create_task(reader.read())
        async with asyncio.timeout(30):
            for sent in chain([begin], repeat(piece)):
                to.received.clear()
                writer.write(sent)
                received = asyncio.create_task(to.received.wait())
                await asyncio.wait([answered, received], return_when=asyncio.FIRST_COMPLETED)
                received.cancel()
                if answered.done():
                    break
        answer = answered.result()
        writer.close()
        assert b"HTTP/1.1 200 OK" in await to.ask(LAST)

    assert answer.startswith(b"HTTP/1.1 400 Bad Request")
    assert b"connection: close" in answer
    assert answer.endswith(b"The head of the request has more than 65536 bytes.")


@pytest.mark.parametrize("light", [True, False], ids=["light", "ordinary"])
async def test_a_head_as_long_as_it_may_be_is_read_however_it_arrives(tmp_path: Path, light: bool):
    header = b"X: %s\r\n" % (b"x" * PIECE)
    head = [POST, *[header] * (LONGEST_HEAD // len(header) - 1), b"Content-Length: %d\r\n\r\n" % len(BODY)]
    async with answering(an_app(tmp_path, served=a_served()), light=light) as to:
        answers = await to.talk(*head, BODY, *head, BODY, LAST)

    assert answers.count(b"HTTP/1.1 200 OK") == 3


@pytest.mark.parametrize("light", [True, False], ids=["light", "ordinary"])
async def test_a_long_body_is_no_long_head(tmp_path: Path, light: bool):
    rows = b'{"rows": [%s]}' % b",".join([BODY + b" " * 1000] * 200)
    head = b"POST /predict/batch HTTP/1.1\r\nHost: api\r\nContent-Type: application/json\r\n"
    pieces = [rows[at : at + PIECE] for at in range(0, len(rows), PIECE)]
    chunks = [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces]
    async with answering(an_app(tmp_path, served=a_served()), light=light) as to:
        whole = await to.talk(head + b"Content-Length: %d\r\n\r\n" % len(rows), *pieces, LAST)
        parts = await to.talk(head + b"Transfer-Encoding: chunked\r\n\r\n", *chunks, b"0\r\n\r\n", LAST)

    assert whole.count(b'"answered":200') == parts.count(b'"answered":200') == 1
    assert whole.count(b"HTTP/1.1 200 OK") == parts.count(b"HTTP/1.1 200 OK") == 2
