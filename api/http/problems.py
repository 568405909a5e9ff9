"""Errors as RFC 9457 problem details, with their headers. The one table of HTTP status codes for errors."""

from __future__ import annotations

import logging
import secrets
from http import HTTPStatus
from typing import NamedTuple

import msgspec

from api.errors import (
    ApiError,
    BodyTooLarge,
    BodyTooLate,
    EncodedBody,
    EventTooLarge,
    ExplainBusy,
    ExplainTimeout,
    FieldError,
    IdempotencyAway,
    IdempotencyInProgress,
    IdempotencyKeyWrong,
    IdempotencyMismatch,
    InvalidRequest,
    LabelRefused,
    LookupsAway,
    NoModel,
    NoSuchPrediction,
    NotAdmitted,
    NotServing,
    OutboxClosed,
    OutOfScope,
    Overloaded,
    PredictionUnknown,
    RateExceeded,
    ReceiptRefused,
    RequestRefused,
    ScoringFailed,
    Unreadable,
    WrongContentType,
)

log = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
_TYPE = "urn:tidemark:problem:"


class Reply(msgspec.Struct, frozen=True, gc=False):
    """A whole HTTP answer. headers: besides the content type and length, and X-Request-Id, which request_id is."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    request_id: str = ""


class Fault(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing wrong with a request. pointer: RFC 6901, into the body. parameter: of the path or query."""

    detail: str
    pointer: str | None = None
    parameter: str | None = None


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """RFC 9457. id: of an unexpected error; the same id is in the log."""

    type: str
    title: str
    status: int
    detail: str
    errors: tuple[Fault, ...] = ()
    id: str | None = None


class _Kind(NamedTuple):
    status: int
    name: str
    title: str


# The first that fits counts, so a class stands before its base.
_KINDS: tuple[tuple[type[ApiError], _Kind], ...] = (
    (Unreadable, _Kind(400, "", "The body cannot be read")),
    (EventTooLarge, _Kind(413, "", "The event would be too large")),
    (BodyTooLarge, _Kind(413, "", "The body is too large")),
    (BodyTooLate, _Kind(408, "", "The body did not arrive in time")),
    (NotAdmitted, _Kind(401, "", "An API key is needed")),
    (OutOfScope, _Kind(403, "", "The API key may not do this")),
    (RateExceeded, _Kind(429, "", "The API key has used up its rate")),
    (IdempotencyKeyWrong, _Kind(400, "", "The idempotency key cannot be used")),
    (IdempotencyInProgress, _Kind(409, "", "The same request is being worked on")),
    (IdempotencyMismatch, _Kind(422, "", "The idempotency key belongs to another request")),
    (WrongContentType, _Kind(415, "", "The content type is not JSON")),
    (EncodedBody, _Kind(415, "", "The body is encoded")),
    (InvalidRequest, _Kind(422, "", "The request does not fit the model")),
    (ReceiptRefused, _Kind(422, "", "The receipt cannot be used")),
    (LabelRefused, _Kind(422, "", "The label cannot be taken")),
    (PredictionUnknown, _Kind(404, "", "No such prediction")),
    (NoModel, _Kind(503, "no-model", "No model is loaded")),
    (OutboxClosed, _Kind(503, "outbox", "The outbox takes nothing for now")),
    (IdempotencyAway, _Kind(503, "idempotency", "Requests with an idempotency key are refused for now")),
    (Overloaded, _Kind(503, "overloaded", "Too many requests wait")),
    (ExplainBusy, _Kind(503, "explain-busy", "No explanation for now")),
    (ExplainTimeout, _Kind(503, "explain-timeout", "The explanation took too long")),
    (NotServing, _Kind(503, "not-serving", "Predictions are refused for now")),
    (ScoringFailed, _Kind(500, "scoring", "The model failed")),
    (LookupsAway, _Kind(503, "lookups", "Predictions cannot be looked up for now")),
    (NoSuchPrediction, _Kind(404, "no-such-prediction", "No such prediction")),
)
_TITLES = {"row-count": "The batch cannot be taken"}
"""Of a category, where its class says less."""
UNEXPECTED = "unexpected"
PARAMETER = "parameter"
_REALM = 'Bearer realm="tidemark"'


def of_error(error: Exception) -> Reply:
    """The answer to an error. One that is not expected is logged whole, and the answer carries only its id."""
    kind = next((kind for class_, kind in _KINDS if isinstance(error, class_)), None)
    if kind is None:
        return _unexpected(error)
    return of_problem(_known(error, kind), headers_of(error))


def problem_of(error: ApiError) -> Problem:
    """The problem of one row among many, as it would be alone."""
    return _known(error, next(kind for class_, kind in _KINDS if isinstance(error, class_)))


def why(error: Exception) -> str:
    """The word of an error: the end of its problem's type, and the label of the metric."""
    if isinstance(error, RequestRefused):
        return error.category
    kind = next((kind for class_, kind in _KINDS if isinstance(error, class_)), None)
    return UNEXPECTED if kind is None else kind.name


def why_status(status: int) -> str:
    """The word of what the framework says by itself.

    >>> why_status(404), why_status(405)
    ('not-found', 'method-not-allowed')
    """
    return HTTPStatus(status).phrase.lower().replace(" ", "-")


def of_status(status: int, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    """For what the framework says by itself: 404 for an unknown path, 405 for an unknown method."""
    details = {
        404: "There is nothing at this path. GET /docs lists what there is.",
        405: "This path does not take this method. The header Allow names those that it takes.",
    }
    title = HTTPStatus(status).phrase
    return of_problem(Problem(_TYPE + why_status(status), title, status, details.get(status, title)), headers)


def of_parameters(faults: tuple[Fault, ...]) -> Reply:
    """For a wrong query or path parameter."""
    detail = "A parameter of the request is wrong."
    return of_problem(Problem(_TYPE + PARAMETER, "The request is wrong", 422, detail, faults))


def of_problem(problem: Problem, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    """A problem as an answer."""
    return Reply(problem.status, msgspec.json.encode(problem), CONTENT_TYPE, headers)


def headers_of(error: Exception) -> tuple[tuple[str, str], ...]:
    """When to try again, which key is asked for (RFC 6750, section 3), whether to hang up. Names in lower case.

    >>> headers_of(RateExceeded(3, "slower"))
    (('retry-after', '3'), ('ratelimit', '"rows";r=0;t=3'))
    """
    match error:
        case NotServing() | LookupsAway() | IdempotencyInProgress():
            return (("retry-after", str(error.retry_after)),)
        case NotAdmitted(category="no-key"):
            return (("www-authenticate", _REALM),)  # without a code, says RFC 6750: nothing was presented
        case NotAdmitted():
            return (("www-authenticate", f'{_REALM}, error="invalid_token"'),)
        case OutOfScope():
            return (("www-authenticate", f'{_REALM}, error="insufficient_scope", scope="{error.scope}"'),)
        case RateExceeded():
            # draft-ietf-httpapi-ratelimit-headers; only here, so that answers cost nothing
            return (("retry-after", str(error.retry_after)), ("ratelimit", f'"rows";r=0;t={error.retry_after}'))
        case BodyTooLate():
            return (("connection", "close"),)  # what still comes of that body would be read as the next request
    return ()


def _known(error: Exception, kind: _Kind) -> Problem:
    faults = tuple(map(_fault, error.errors)) if isinstance(error, RequestRefused) else ()
    detail = "The model could not score this row." if isinstance(error, ScoringFailed) else str(error)
    word = why(error)
    return Problem(_TYPE + word, _TITLES.get(word, kind.title), kind.status, detail, faults)


def _fault(error: FieldError) -> Fault:
    return Fault(error.detail, pointer=error.pointer)


def _unexpected(error: Exception) -> Reply:
    id_ = secrets.token_hex(8)
    log.error("unexpected error %s", id_, exc_info=error)
    detail = f"Something unexpected went wrong. The server's log has it under {id_}."
    return of_problem(Problem(_TYPE + UNEXPECTED, "Unexpected error", 500, detail, id=id_))
