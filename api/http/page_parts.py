"""What many routes of the OpenAPI page share: who is let in, the headers of requests and answers, the usual refusals.

The statuses that belong to one route alone are told where the route is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from api.http.problems import CONTENT_TYPE
from api.requests.origin import LONGEST_REQUEST_ID
from api.requests.schemas import REFERENCE

Part = dict[str, Any]

SECURITY: Final[Part] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "`Authorization: Bearer KEY`"},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same key in another header."},
}
_EITHER_KEY: Final[list[Part]] = [{"bearer": []}, {"apiKey": []}]

ANSWER_HEADERS: Final[Part] = {
    "RequestId": {"description": "Yours where you sent one, otherwise one of ours.", "schema": {"type": "string"}},
    "RetryAfter": {"description": "Seconds after which to try again.", "schema": {"type": "integer", "minimum": 1}},
    "IdempotentReplayed": {
        "description": "Where it is the answer to an earlier request with this Idempotency-Key: no second event.",
        "schema": {"const": "true"},
    },
    "WWWAuthenticate": {"description": "Which key is asked for (RFC 6750).", "schema": {"type": "string"}},
    "RateLimit": {"description": 'What is left of the rate: `"rows";r=0;t=3`.', "schema": {"type": "string"}},
}
_HEADERS_OF: Final = {
    "401": {"WWW-Authenticate": "WWWAuthenticate"},
    "403": {"WWW-Authenticate": "WWWAuthenticate"},
    "409": {"Retry-After": "RetryAfter"},
    "429": {"Retry-After": "RetryAfter", "RateLimit": "RateLimit"},
    "503": {"Retry-After": "RetryAfter"},
}

# no examples: a page that fills them in would send the same ids with every try
REQUEST_HEADERS: Final[Part] = {
    "RequestId": {
        "name": "X-Request-Id",
        "in": "header",
        "description": f"Your id of this request, carried into its event's headers: 1 to {LONGEST_REQUEST_ID} visible "
        "ASCII characters. One that is not of this form is left out.",
        "schema": {"type": "string"},
    },
    "Traceparent": {
        "name": "traceparent",
        "in": "header",
        "description": "W3C Trace Context, carried into the event's headers; left out where it is not of that form.",
        "schema": {"type": "string"},
    },
    "Tracestate": {
        "name": "tracestate",
        "in": "header",
        "description": "W3C Trace Context, carried along with a traceparent.",
        "schema": {"type": "string"},
    },
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "A new one for each request, such as a UUID: 1 to 255 visible ASCII characters. With the same "
        "key and body a retry gets the first answer and makes no second event.",
        "schema": {"type": "string"},
    },
}
_ORIGIN: Final = ("RequestId", "Traceparent", "Tracestate")


def answers(name: str, description: str = "The answer.") -> Part:
    """`responses` of a route for its good answer."""
    return {"description": description, "content": {"application/json": {"schema": reference(name)}}}


def problem(description: str) -> Part:
    """`responses` of a route for a refusal."""
    return {"description": description, "content": {CONTENT_TYPE: {"schema": reference("Problem")}}}


def reference(name: str) -> dict[str, str]:
    """A reference to one of the schemas."""
    return {"$ref": REFERENCE.format(name=name)}


_UNEXPECTED: Final = problem("Something unexpected; the log has it under the `id` of the answer.")
_TURNED_AWAY: Final = {
    401: problem("No API key, a wrong one, or an expired one."),
    429: problem("The key has used up its rate. Try again after Retry-After."),
}
_OF_A_BODY: Final = {
    400: problem("The body is not JSON, or not UTF-8."),
    408: problem("The body did not arrive in time; the connection is closed."),
    413: problem("The body is too large, or its event would be."),
    415: problem("The content type is not JSON."),
}


def complete(operation: Part, *, scope: str | None, keyed: bool, body: bool, once: bool) -> None:
    """Add what the route has in common with others. scope: that a key needs; None: open to everybody.

    keyed: whether keys are asked for. Without them the page must not say so: clients made from it would insist.
    body: whether it takes one. once: whether it knows Idempotency-Key.
    """
    usual: dict[int, Part] = {500: _UNEXPECTED}
    headers: tuple[str, ...] = ()
    if keyed and scope is not None:
        usual |= {**_TURNED_AWAY, 403: problem(f"The key lacks the scope `{scope}`.")}
        operation["security"] = _EITHER_KEY
    if body:
        usual |= _OF_A_BODY
        headers += _ORIGIN
    if once:
        usual[400] = problem("The body is not JSON, or not UTF-8; or the Idempotency-Key is none.")
        usual[409] = problem("The first request with this Idempotency-Key is still being worked on.")
        headers += ("IdempotencyKey",)
    if headers:
        shared = [{"$ref": f"#/components/parameters/{name}"} for name in headers]
        operation["parameters"] = [*operation.get("parameters", ()), *shared]
    told = {str(status): {**part} for status, part in usual.items()} | operation["responses"]
    for status, part in told.items():
        part["headers"] = {
            name: {"$ref": f"#/components/headers/{header}"} for name, header in _answer_headers(status, part, once)
        }
    operation["responses"] = dict(sorted(told.items()))


def _answer_headers(status: str, part: Part, once: bool) -> Iterator[tuple[str, str]]:
    yield "X-Request-Id", "RequestId"
    if once and status in ("200", "202"):
        yield "Idempotent-Replayed", "IdempotentReplayed"
    if CONTENT_TYPE in part.get("content", ()):
        yield from _HEADERS_OF.get(status, {}).items()
