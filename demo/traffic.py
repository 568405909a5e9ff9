"""Rows of a data set as bodies of `POST /predict`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

import msgspec
import pandas as pd

from contracts.events import FeatureValue
from training.data.description import Description


class PredictRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """The body of `POST /predict`, written from the caller's side."""

    features: dict[str, FeatureValue]
    entity_id: str | None = None
    event_time: datetime | None = None


_encode = msgspec.json.Encoder().encode


def bodies(rows: pd.DataFrame, description: Description, times: Iterable[datetime] | None = None) -> Iterator[bytes]:
    """One JSON body per row, in order. Missing values become null; `times` replaces the API's own clock."""
    names = [feature.name for feature in description.features]
    # object columns hold Python values: numpy's own are no JSON
    columns = [rows[name].astype(object).where(rows[name].notna(), None).tolist() for name in names]
    entities = rows[description.entity].astype(str).tolist() if description.entity else [None] * len(rows)
    clock: Iterable[datetime | None] = times if times is not None else [None] * len(rows)
    for entity, time, *values in zip(entities, clock, *columns, strict=True):
        yield _encode(PredictRequest(dict(zip(names, values, strict=True)), entity, time))
