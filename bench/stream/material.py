"""Material: events in the wire format, made at hundreds of thousands a second, and the baseline they are drawn from.

A few thousand rows are drawn and encoded once, by the contracts' own code; an event is one of them with its own id and
time set in. The rows are the reference, too: traffic that takes them at random has not drifted.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from contracts.baseline import Baseline, Positives, Reference
from contracts.binning import Bins, Levels
from contracts.events import PredictionEvent, encode_event
from contracts.histogram import Histogram
from contracts.schema import Feature, FeatureSchema

ROWS = 8192
_NULLS, _CATEGORICAL = 0.02, 5
"""Share of values that are null; one feature in so many is categorical."""
_LEVELS = ("north", "south", "east", "west", "centre", "unknown")
_THRESHOLD = 0.5
_ID, _TIME = "0", datetime(2000, 1, 1, tzinfo=UTC)
"""They stand in the encoded rows for what an event sets in."""


class Template(NamedTuple):
    """An encoded row, cut where id and time belong."""

    before: bytes
    between: bytes
    after: bytes


class Material:
    """One model version with `features` features, one in five categorical, and rows of its traffic.

    drift: standard deviations by which every fourth numeric feature of `drifted` is moved.
    """

    def __init__(self, features: int, seed: int, *, model: str = "bench", drift: float = 1.0) -> None:
        rng = np.random.default_rng([seed, features])
        self.model, self.version = model, "1"
        self.schema = FeatureSchema(
            tuple(
                Feature(f"level_{i:03d}" if i % _CATEGORICAL == 0 else f"number_{i:03d}", _kind(i))
                for i in range(features)
            )
        )
        columns = [_column(i, rng) for i in range(features)]
        scores = rng.random(ROWS).round(6)
        self.baseline = self._baseline(columns, scores)
        self.rows = self._encoded(columns, scores)
        moved = [
            [None if x is None else x + drift * _spread(i) for x in column]
            if i % 4 == 1 and _kind(i) == "numeric"
            else column
            for i, column in enumerate(columns)
        ]
        self.drifted = self._encoded(moved, scores)

    def _baseline(self, columns: list[list[Any]], scores: npt.NDArray[np.float64]) -> Baseline:
        references = {}
        for feature, column in zip(self.schema.features, columns, strict=True):
            if feature.kind == "numeric":
                numbers = np.array(column, dtype=np.float64)
                histogram = Histogram(Bins.fit(numbers))
                histogram.add(numbers)
            else:
                histogram = Histogram(Levels.fit(column))
                histogram.add(column)
            references[feature.name] = Reference.of(histogram)
        score = Histogram(Bins.fit(scores))
        score.add(scores)
        return Baseline(
            model=self.model,
            version=self.version,
            schema=self.schema,
            features=references,
            score=Reference.of(score),
            created=_TIME,
            rows=ROWS,
            threshold=_THRESHOLD,
            positives=Positives(int((scores >= _THRESHOLD).sum()), ROWS),
        )

    def _encoded(self, columns: list[list[Any]], scores: npt.NDArray[np.float64]) -> list[Template]:
        names = self.schema.names
        return [
            _template(
                PredictionEvent(
                    id=_ID,
                    event_time=_TIME,
                    model=self.model,
                    model_version=self.version,
                    score=float(score),
                    decision=bool(score >= _THRESHOLD),
                    latency_ms=2.125,
                    features=dict(zip(names, values, strict=True)),
                )
            )
            for score, *values in zip(scores, *columns, strict=True)
        ]


def _kind(i: int) -> Any:
    return "categorical" if i % _CATEGORICAL == 0 else "numeric"


def _spread(i: int) -> float:
    """Standard deviation of a numeric feature: from tenths to thousands, as features are."""
    return float(10.0 ** (i % 4))


def _column(i: int, rng: np.random.Generator) -> list[Any]:
    if _kind(i) == "categorical":
        column: list[Any] = rng.choice(_LEVELS, ROWS, p=[0.4, 0.25, 0.15, 0.1, 0.07, 0.03]).tolist()
    else:
        column = rng.normal(5 * _spread(i), _spread(i), ROWS).round(4).tolist()
    absent = rng.random(ROWS) < _NULLS
    return [None if nothing else value for value, nothing in zip(column, absent, strict=True)]


def _template(event: PredictionEvent[Any]) -> Template:
    data = encode_event(event)
    before, found_id, rest = data.partition(b'"id":"0"')
    between, found_time, after = rest.partition(b'"2000-01-01T00:00:00Z"')
    if not (found_id and found_time):
        raise ValueError(f"the wire format has changed, no id or time where they were: {data[:200]!r}")
    return Template(before + b'"id":"', b'"' + between + b'"', b'"' + after)


def wire(template: Template, id_: bytes, time: bytes) -> bytes:
    """The value of a record: an event with this id and event time."""
    before, between, after = template
    return b"%b%b%b%b%b" % (before, id_, between, time, after)


def iso(time_ms: int) -> bytes:
    """Milliseconds UTC as ISO 8601.

    >>> iso(1_767_268_800_007)
    b'2026-01-01T12:00:00.007Z'
    """
    second, milliseconds = divmod(time_ms, 1000)
    return b"%b%03dZ" % (_second(second), milliseconds)


@lru_cache(maxsize=4096)
def _second(second: int) -> bytes:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S.").encode()


def event_id(source: bytes, epoch: int, sequence: int) -> bytes:
    """An id as the API makes it; contracts.events.EventId says the same, four times slower."""
    return b"%b-%012x-%010x" % (source, epoch, sequence)
