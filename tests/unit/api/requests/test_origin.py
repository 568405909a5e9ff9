import pytest

from api.requests.headers import RequestHeaders, read_headers
from api.requests.origin import read_origin
from contracts.headers import Origin

TRACE = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def origin(**headers: bytes) -> Origin | None:
    return read_origin(RequestHeaders(**headers))


def test_a_request_that_says_nothing_has_no_origin():
    assert origin() is None
    assert origin(tracestate=b"a=1") is None


def test_request_id_and_trace_context_are_taken_as_they_were_sent():
    found = origin(request_id=b"order/17", traceparent=TRACE, tracestate=b"a=1,b=2")

    assert found == Origin("order/17", TRACE.decode(), "a=1,b=2")


@pytest.mark.parametrize("id_", [b"x" * 129, b"two words", b"tab\t", "größe".encode(), b"line\x7f"])
def test_a_request_id_is_1_to_128_visible_ascii_characters_or_ignored(id_: bytes):
    assert origin(request_id=id_) is None
    assert origin(request_id=b"x" * 128) == Origin("x" * 128)


@pytest.mark.parametrize(
    "traceparent",
    [
        TRACE[:-1],
        TRACE.upper(),
        TRACE + b"-more",  # version 00 ends with its flags
        b"ff" + TRACE[2:],
        b"cc" + TRACE[2:] + b"more",
        b"00-" + b"0" * 32 + TRACE[35:],
        TRACE[:36] + b"0" * 16 + b"-01",
        b"cc" + TRACE[2:] + b"-" + b"x" * 300,
        TRACE + b"\n",
    ],
)
def test_a_traceparent_of_another_form_is_ignored_and_its_tracestate_too(traceparent: bytes):
    assert origin(traceparent=traceparent, tracestate=b"a=1") is None


@pytest.mark.parametrize("more", [b"", b"-", b"-what-ever"])
def test_a_traceparent_of_a_higher_version_may_say_more(more: bytes):
    traceparent = b"cc" + TRACE[2:] + more

    assert origin(traceparent=traceparent) == Origin("", traceparent.decode())


def test_a_tracestate_is_at_most_512_bytes_or_ignored():
    assert origin(traceparent=TRACE, tracestate=b"x" * 512) == Origin("", TRACE.decode(), "x" * 512)
    assert origin(traceparent=TRACE, tracestate=b"x" * 513) == Origin("", TRACE.decode())


def test_of_headers_that_were_sent_twice_the_tracestate_is_a_list_and_a_traceparent_is_none():
    sent = [(b"x-request-id", b"a"), (b"traceparent", TRACE), (b"tracestate", b"a=1"), (b"tracestate", b"b=2")]

    assert read_origin(read_headers(sent)) == Origin("a", TRACE.decode(), "a=1, b=2")
    assert read_origin(read_headers([*sent, (b"traceparent", TRACE)])) == Origin("a")
