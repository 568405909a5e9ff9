"""Errors of the API. HTTP status codes are not here: `api.http.problems` has the one table of them.

ApiError
├── SettingsError        an API_* setting that is wrong or missing
├── RequestRefused       a request that cannot be answered as it is; carries its category and the fields at fault
│   ├── Unreadable       the body is not JSON at all
│   ├── WrongContentType the body is declared as something else than JSON
│   ├── EncodedBody      the body is compressed, or encoded in another way
│   ├── BodyTooLarge     more bytes than the limit
│   │   └── EventTooLarge  of a request or a row whose event Kafka could not take
│   ├── BodyTooLate      the rest of the body did not arrive in time
│   ├── NotAdmitted      no API key, a wrong one or an expired one
│   ├── OutOfScope       the key is right, but may not do this
│   ├── RateExceeded     the key has used up its rate
│   ├── IdempotencyKeyWrong, IdempotencyMismatch, IdempotencyInProgress
│   ├── LabelRefused     JSON, but no label of a prediction
│   │   └── ReceiptRefused  its receipt was altered or forged, is another prediction's or another installation's
│   ├── PredictionUnknown  a label without a receipt, of a prediction that is not in Redis
│   └── InvalidRequest   JSON, but not what the champion's schema asks for
├── NotServing           no prediction can be answered just now; the same request may succeed later
│   ├── NoModel          no champion is loaded
│   ├── Overloaded       more requests wait than can be answered soon
│   ├── ExplainBusy      no explanation just now: too many wait, or the process that makes them is not there
│   ├── ExplainTimeout   the explanation took too long
│   ├── IdempotencyAway  the file of idempotency keys cannot be read or written
│   └── OutboxClosed     the outbox is full or cannot be written: no answer without an event
├── ScoringFailed        the model raised, or gave a score that is not a finite number
├── LookupsAway          Redis does not answer, or not so many at a time: recent predictions cannot be looked up
├── NoSuchPrediction     not in Redis: never made, or older than the look-ups keep
├── ModelRefused         a registered version that cannot be served, and why
├── RegistryAway         MLflow cannot be reached, or has nothing to serve
│   └── NothingToServe   it answers: there is no such model, or none of its versions has the alias
├── BaselineRefused      Kafka does not take a version's baseline: it is larger than the topic allows
└── OutboxUnusable       the outbox directory cannot be used: at the start, or for a version's baseline
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Category = Literal[
    "not-json",
    "not-utf-8",
    "non-finite",
    "unknown-field",
    "missing-field",
    "wrong-type",
    "event-time",
    "entity-id",
    "content-type",
    "too-large",
    "body-late",
    "no-key",
    "wrong-key",
    "expired-key",
    "scope",
    "rate",
    "row-count",
    "idempotency-key",
    "idempotency-mismatch",
    "idempotency-in-progress",
    "prediction-id",
    "truth",
    "label-time",
    "receipt-altered",
    "receipt-key",
    "receipt-prediction",
    "no-such-prediction",
]
"""Why a request was refused: the label of the metric, and the end of the problem's type."""


class FieldError(NamedTuple):
    """One thing wrong with a body. pointer: JSON pointer (RFC 6901) of the field; "" is the body itself."""

    pointer: str
    detail: str
    category: Category


class ApiError(Exception):
    """Something the API says in one line."""


class SettingsError(ApiError):
    """An API_* setting is wrong or missing."""


class RequestRefused(ApiError):
    """A request that cannot be answered as it is. `errors` names each field and the fix; it may be empty.

    client: the name of its key, where the key is known and its request was not let in; for the log.
    """

    def __init__(
        self, category: Category, detail: str, errors: tuple[FieldError, ...] = (), *, client: str = ""
    ) -> None:
        super().__init__(detail)
        self.category = category
        self.errors = errors
        self.client = client


class Unreadable(RequestRefused):
    """The body is not JSON."""


class WrongContentType(RequestRefused):
    """The body is declared as something else than JSON."""


class EncodedBody(RequestRefused):
    """The body is compressed, or encoded in another way."""


class BodyTooLarge(RequestRefused):
    """The body has more bytes than the limit."""


class EventTooLarge(BodyTooLarge):
    """The event would have more bytes than Kafka is sure to take."""


class BodyTooLate(RequestRefused):
    """The body was announced, and did not arrive whole in time. Its connection is of no further use."""


class NotAdmitted(RequestRefused):
    """No API key, a wrong one, or one that has expired."""


class OutOfScope(RequestRefused):
    """The key is right, but lacks the scope. scope: the one that is needed."""

    def __init__(self, scope: str, detail: str, client: str = "") -> None:
        super().__init__("scope", detail, client=client)
        self.scope = scope


class RateExceeded(RequestRefused):
    """The key has used up its rate. retry_after: whole seconds after which the same request fits."""

    def __init__(self, retry_after: int, detail: str, client: str = "") -> None:
        super().__init__("rate", detail, client=client)
        self.retry_after = retry_after


class InvalidRequest(RequestRefused):
    """The body is JSON, but not what the champion's schema asks for."""


class LabelRefused(RequestRefused):
    """What was sent is no label of a prediction."""


class ReceiptRefused(LabelRefused):
    """A receipt that does not stand for its prediction. detail: why, without a subject."""

    def __init__(self, category: Category, detail: str) -> None:
        super().__init__(category, f"The receipt {detail}.", (FieldError("/receipt", detail, category),))


class PredictionUnknown(RequestRefused):
    """A label whose prediction is not in Redis, and which has no receipt."""


class IdempotencyKeyWrong(RequestRefused):
    """The header Idempotency-Key holds what no key can be."""


class IdempotencyMismatch(RequestRefused):
    """The key was used for another body."""


class IdempotencyInProgress(RequestRefused):
    """The first request with this key has no answer yet."""

    retry_after = 1


class NotServing(ApiError):
    """No prediction can be answered just now. retry_after: seconds after which it may be tried again."""

    retry_after = 1


class NoModel(NotServing):
    """No champion is loaded."""


class Overloaded(NotServing):
    """More requests wait than can be answered soon: refused early, so that those that wait are answered in time."""


class IdempotencyAway(NotServing):
    """The file of idempotency keys is locked for long, full or damaged: no work that a retry would do again."""


class OutboxClosed(NotServing):
    """The outbox is at its bound, or its disk refuses: there is no answer without an event."""

    retry_after = 5


class ExplainBusy(NotServing):
    """Too many explanations wait, or the process that makes them cannot be asked just now."""


class ExplainTimeout(NotServing):
    """There was no explanation within the time limit."""

    retry_after = 5


class ScoringFailed(ApiError):
    """The model raised, or gave a score that is not a finite number."""


class LookupsAway(ApiError):
    """Redis does not answer, not so many at a time, or none is configured. retry_after: in seconds."""

    retry_after = 2


class NoSuchPrediction(ApiError):
    """Not among the recent predictions."""


class ModelRefused(ApiError):
    """A registered version that cannot be served."""


class RegistryAway(ApiError):
    """MLflow cannot be reached, or has nothing to serve."""


class NothingToServe(RegistryAway):
    """MLflow answers: there is no such model, or none of its versions has the alias. Its text says what to do."""


class OutboxUnusable(ApiError):
    """The outbox directory cannot be used."""


class BaselineRefused(ApiError):
    """Kafka answers, and does not take a version's baseline."""
