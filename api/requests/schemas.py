"""Request and answer of POST /predict, built from the champion's feature schema, and their JSON Schema.

The decoder and the page at /docs come from the same struct type, so they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Protocol, cast

import msgspec

from api.errors import BodyTooLarge, InvalidRequest
from api.requests.diagnosis import Effort, diagnose, event_time_error
from api.requests.rolling import Rolling
from contracts.baseline import Baseline
from contracts.binning import Bins
from contracts.events import PredictionEvent, Role
from contracts.schema import FeatureSchema
from contracts.times import UtcTime

EntityId = Annotated[str, msgspec.Meta(min_length=1, max_length=200, description="Names who or what it is about.")]
REFERENCE = "#/components/schemas/{name}"


class PredictionRequest(Protocol):
    """A decoded request. features: a struct in schema order."""

    @property
    def features(self) -> msgspec.Struct: ...
    @property
    def entity_id(self) -> str | None: ...
    @property
    def event_time(self) -> datetime | None: ...


class PredictionAnswer(msgspec.Struct, frozen=True, gc=False):
    """The answer to one request. decision: score >= threshold; null where the model has no threshold. role: champion,
    or canary where the version on its way to become the champion answered. receipt: to be sent with the label, as it is
    (POST /labels); its form may change.
    """

    prediction_id: str
    score: float
    decision: bool | None
    model: str
    model_version: str
    event_time: UtcTime
    role: Role
    receipt: str


class ModelInfo(msgspec.Struct, frozen=True):
    """The version that answers. since: when this process began to answer with it. cached: from the local copy, because
    the registry was away. baseline: digest of the reference that drift is measured against. scorer: `compiled-trees`,
    `compiled-linear`, or the model's own `predict_proba` or `predict`; scorer_note: why that one.
    baseline_rows: of that reference. rollout: the version on its way, null where none is.
    """

    name: str
    version: str
    alias: str
    since: UtcTime
    scorer: str
    cached: bool
    threshold: float | None
    baseline: str
    baseline_rows: int
    data_digest: str
    code_revision: str
    performance: dict[str, float]
    schema: FeatureSchema
    scorer_note: str = ""
    rollout: Rolling | None = None


_encode_answer = msgspec.json.Encoder().encode


def answer_of(event: PredictionEvent[Any], receipt: str) -> PredictionAnswer:
    """The answer that belongs to an event."""
    return PredictionAnswer(
        event.id, event.score, event.decision, event.model, event.model_version, event.event_time, event.role, receipt
    )


def answers_of(events: Sequence[PredictionEvent[Any]], receipts: Sequence[str]) -> list[PredictionAnswer]:
    """The answers that belong to events: without a call for each."""
    return [
        PredictionAnswer(e.id, e.score, e.decision, e.model, e.model_version, e.event_time, e.role, receipt)
        for e, receipt in zip(events, receipts, strict=True)
    ]


def encode_answer(event: PredictionEvent[Any], receipt: str) -> bytes:
    """The same, JSON."""
    return _encode_answer(answer_of(event, receipt))


def model_info(
    baseline: Baseline,
    alias: str,
    scorer: str,
    since: datetime,
    *,
    cached: bool,
    scorer_note: str = "",
    rollout: Rolling | None = None,
) -> ModelInfo:
    """What `GET /model` tells."""
    return ModelInfo(
        name=baseline.model,
        version=baseline.version,
        alias=alias,
        since=since,
        scorer=scorer,
        cached=cached,
        threshold=baseline.threshold,
        baseline=baseline.digest,
        baseline_rows=baseline.rows,
        data_digest=baseline.data_digest,
        code_revision=baseline.code_revision,
        performance=baseline.performance,
        schema=baseline.schema,
        scorer_note=scorer_note,
        rollout=rollout,
    )


class RequestReader:
    """Reads request bodies for one version. future: how far ahead of now an event time may be."""

    def __init__(self, schema: FeatureSchema, future: timedelta) -> None:
        self.schema = schema
        self.features_type = schema.features_type(strict=True)
        self.request_type = msgspec.defstruct(
            "PredictionRequest",
            [
                ("features", self.features_type),
                ("entity_id", EntityId | None, None),
                ("event_time", UtcTime | None, None),
            ],
            frozen=True,
            gc=False,
            kw_only=True,
            forbid_unknown_fields=True,
        )
        self._decode = cast(Callable[[bytes], PredictionRequest], msgspec.json.Decoder(self.request_type).decode)
        self._future = future

    def read(self, body: bytes, now: datetime, effort: Effort | None = None) -> PredictionRequest:
        """Raises Unreadable or InvalidRequest, which name the fields at fault.

        effort: how far they are looked for; a body longer than that allows and wrong is refused as BodyTooLarge.
        """
        try:
            request = self._decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            if effort is not None and effort.longest is not None and len(body) > effort.longest:
                detail = f"is wrong somewhere in its {len(body)} bytes: send it alone, with the model's features only"
                raise BodyTooLarge("too-large", detail) from error
            raise diagnose(body, self.schema, str(error), effort=effort) from error
        if request.event_time is not None:
            wrong = event_time_error(request.event_time, self.latest(now))
            if wrong is not None:
                raise InvalidRequest(wrong.category, "The request does not fit the model.", (wrong,))
        return request

    def latest(self, now: datetime) -> datetime:
        """The furthest ahead that an event time may be."""
        return now + self._future

    @staticmethod
    def timely(request: PredictionRequest, latest: datetime) -> bool:
        """Whether the request's event time is none, or one that `read` takes."""
        return request.event_time is None or event_time_error(request.event_time, latest) is None


def request_schemas(reader: RequestReader, baseline: Baseline) -> dict[str, Any]:
    """JSON Schema of the request, the features and the answer, by name, with an example that can be sent as it is.

    It has no event_time: a fixed one would be late, or dead-lettered as ancient, whenever somebody sends it.
    """
    _, schemas = msgspec.json.schema_components((reader.request_type, PredictionAnswer), ref_template=REFERENCE)
    schemas["PredictionRequest"]["example"] = {"entity_id": "example", "features": example_features(baseline)}
    return schemas


def example_features(baseline: Baseline) -> dict[str, Any]:
    """A usual row: medians and most frequent levels of the reference; 0 and "a" for features that are not monitored."""
    row: dict[str, Any] = {}
    for feature in baseline.schema.features:
        reference = baseline.features.get(feature.name)
        if feature.kind == "boolean":
            row[feature.name] = True
        elif reference is None:
            row[feature.name] = 0.0 if feature.kind == "numeric" else "a"
        elif isinstance(reference.bins, Bins):
            row[feature.name] = _median(reference.bins, reference.counts)
        else:
            row[feature.name] = reference.bins.levels[0]
    return row


def _median(bins: Bins, counts: tuple[int, ...]) -> float:
    below, half = 0, sum(counts) / 2
    for i, count in enumerate(counts):
        below += count
        if below >= half and i > 0:
            return bins.edges[i - 1]
    return bins.edges[-1]
