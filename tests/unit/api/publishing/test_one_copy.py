import gc
import weakref
from typing import Any, get_args

import pytest
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.produce import ProduceRequest, ProduceRequestStruct

from api.publishing.one_copy import joined, send_in_one_copy

FORMS = get_args(ProduceRequestStruct)
TOPICS = [("predictions", [(0, b"first"), (5, b""), (7, b"x" * 70_000)]), ("labels", []), ("\u00e9", [(1, b"last")])]


class Client:
    """What is asked of aiokafka's client."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, Any, dict[str, Any]]] = []

    async def send(self, node_id: int, request: Any, **more: Any) -> str:
        self.sent.append((node_id, request, more))
        return "answer"


def a_request(transaction: str | None = None) -> ProduceRequest:
    return ProduceRequest(transaction, -1, 10_000, TOPICS)


@pytest.mark.parametrize("form", FORMS)
def test_a_request_has_the_bytes_that_aiokafka_gives_in_each_version(form: Any):
    assert joined(a_request().build(form)) == a_request().build(form).encode()


async def test_what_is_sent_encodes_itself_like_that_and_is_the_same_request_otherwise():
    client = Client()
    send_in_one_copy(client)
    request = a_request()

    assert await client.send(3, request, group=1) == "answer"

    ((node, sent, more),) = client.sent
    assert (node, more) == (3, {"group": 1})
    assert isinstance(sent, ProduceRequest)
    assert sent.required_acks == request.required_acks
    versions = {0: (0, 7)}
    ours, theirs = sent.prepare(versions), request.prepare(versions)
    assert isinstance(ours, type(theirs))
    assert ours == theirs
    assert ours.encode() == theirs.encode()


async def test_other_requests_are_handed_on_as_they_are():
    client = Client()
    send_in_one_copy(client)
    request = MetadataRequest([])

    await client.send(1, request)

    assert client.sent == [(1, request, {})]
    assert client.sent[0][1] is request


async def test_what_was_sent_is_kept_by_nothing():
    client = Client()
    send_in_one_copy(client)
    gc.disable()
    try:
        await client.send(1, a_request())
        form = client.sent.pop()[1].prepare({0: (0, 7)})
        form.encode()
        kept = weakref.ref(form)
        del form

        assert kept() is None
    finally:
        gc.enable()
