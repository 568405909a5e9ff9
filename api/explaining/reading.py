"""Reads the body of POST /explain for one version: that of /predict, how many reasons are wanted, and of which version:
rows are read as for a prediction, with the champion's schema, whichever version is to explain its score.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Protocol, cast

import msgspec

from api.errors import InvalidRequest
from api.models.served import Served
from api.requests.diagnosis import diagnose, event_time_error
from api.requests.schemas import REFERENCE, PredictionRequest, RequestReader, example_features

MOST_REASONS = 50
USUAL_REASONS = 5
_Top = Annotated[int, msgspec.Meta(ge=1, le=MOST_REASONS, description="How many reasons at most.")]

_Version = Annotated[
    str,
    msgspec.Meta(min_length=1, max_length=200, description="The champion's, or the one on its way; null: champion."),
]


class ExplanationRequest(PredictionRequest, Protocol):
    """A decoded request."""

    @property
    def top(self) -> int: ...
    @property
    def version(self) -> str | None: ...


class ExplanationReader:
    """reader: of the version's predictions."""

    def __init__(self, reader: RequestReader) -> None:
        self.request_type = msgspec.defstruct(
            "ExplanationRequest",
            [("top", _Top, USUAL_REASONS), ("version", _Version | None, None)],
            bases=(reader.request_type,),
            frozen=True,
            gc=False,
            kw_only=True,
            forbid_unknown_fields=True,
        )
        self._reader = reader
        self._decode = msgspec.json.Decoder(self.request_type).decode

    def read(self, body: bytes, now: datetime) -> ExplanationRequest:
        """Raises Unreadable or InvalidRequest, as for a prediction: what cannot be predicted is not explained."""
        try:
            request = cast(ExplanationRequest, self._decode(body))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise diagnose(body, self._reader.schema, str(error), _MORE) from error
        wrong = None if request.event_time is None else event_time_error(request.event_time, self._reader.latest(now))
        if wrong is not None:
            raise InvalidRequest(wrong.category, "The request does not fit the model.", (wrong,))
        return request


def explanation_schemas(served: Served) -> dict[str, Any]:
    """JSON Schema of the request by name, with an example that can be sent as it is."""
    reader = ExplanationReader(served.reader)
    _, schemas = msgspec.json.schema_components((reader.request_type,), ref_template=REFERENCE)
    schemas["ExplanationRequest"]["example"] = {"features": example_features(served.baseline), "top": 3}
    return {"ExplanationRequest": schemas["ExplanationRequest"]}


def _wrong_top(value: Any) -> str | None:
    right = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MOST_REASONS
    return None if right else f"must be a whole number from 1 to {MOST_REASONS}"


def _wrong_version(value: Any) -> str | None:
    right = value is None or (isinstance(value, str) and 1 <= len(value) <= 200)
    return None if right else 'must be a text, such as "7", or null'


_MORE = {"top": _wrong_top, "version": _wrong_version}
