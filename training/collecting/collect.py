"""Collect: read the topics, join, and write a data set: `dataset.toml`, `rows.parquet` and `collected.json`.

Only windows whose labels are complete are taken (training.collecting.complete). The rows of an older data set may be
put in front, so that a model learns the new without forgetting the old.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec
import pandas as pd

from contracts.errors import InvalidEvent, InvalidMessage
from contracts.events import decode_event
from contracts.labels import decode_label
from contracts.performance import decode_performance
from contracts.schema import FeatureSchema
from contracts.topics import LABELS, PERFORMANCE, PREDICTIONS
from training.collecting.complete import Complete
from training.collecting.joined import ENTITY, EVENT_TIME, TRUTH, Joined, Wanted, column
from training.collecting.old_rows import old_rows
from training.data.description import FILE_NAME, Description
from training.data.samples import load
from training.data.span import Span
from training.errors import CollectError
from training.topics.following import Follow, following

ROWS, SUMMARY = "rows.parquet", "collected.json"


@dataclass(frozen=True)
class Wish:
    """What to collect. until: not included. base: folder of a data set whose rows come first. schema: the columns.
    incomplete: also from windows whose labels are not complete.
    """

    model: str
    schema: FeatureSchema
    since: datetime
    until: datetime
    leave_out: tuple[Span, ...] = ()
    base: Path | None = None
    incomplete: bool = False


class Collected(msgspec.Struct, frozen=True):
    """What was collected; `collected.json`. digest: of the data set as training reads it (training.data.samples).

    predictions, labelled, left_out, outside, incomplete, shadow, replaced: see Tally. coverage: the labelled share of
    the predictions. complete_only: windows whose labels are not complete were passed over; incomplete counts theirs.
    first, last: event times of the collected rows; None without any. rows: of the data set,
    base_rows of them old. unreadable: records that are no events or labels, which stage 1 has in dead-letters.
    """

    model: str
    since: datetime
    until: datetime
    leave_out: tuple[Span, ...]
    predictions: int
    labelled: int
    coverage: float
    left_out: int
    outside: int
    incomplete: int
    complete_only: bool
    shadow: int
    replaced: int
    unreadable: int
    rows: int
    base_rows: int
    first: datetime | None
    last: datetime | None
    digest: str


async def collect(wish: Wish, folder: Path, bootstrap: str, prefix: str, follow: Follow = following) -> Collected:
    """Write the data set into `folder`, which must not be there, or be empty. follow: opens the topics.

    Raises CollectError, DataError, PublishError.
    """
    _check_free(folder)
    joined, unreadable = await _read(wish, bootstrap, prefix, follow)
    tally = joined.tally
    if not tally.labelled:
        raise CollectError(
            f"no labelled prediction of {wish.model} from {wish.since.isoformat()} to {wish.until.isoformat()}: "
            f"{tally.predictions:,} predictions there, {tally.left_out:,} left out, {tally.incomplete:,} in windows "
            f"whose labels are not complete yet, {tally.outside:,} outside; are the range and TRAINING_TOPIC_PREFIX "
            "right, have labels come, and does `python -m stream_app performance` run?"
        )
    return _written(wish, joined, folder, unreadable)


def check_base(base: Path, model: str, schema: FeatureSchema) -> None:
    """Whether what is collected can be put behind it. schema: of the columns. Raises DataError."""
    old_rows(base, _described(model, schema))


async def _read(wish: Wish, bootstrap: str, prefix: str, follow: Follow) -> tuple[Joined, int]:
    """Reports before labels, and labels before predictions, so that nothing is kept that is not wanted."""
    complete, unreadable = Complete(wish.model), 0
    if not wish.incomplete:
        async with follow(bootstrap, prefix, ((PERFORMANCE, None),)) as topic:
            async for _, record in topic.held():
                with suppress(InvalidMessage):  # not written by us: it says nothing of our windows
                    complete.add(decode_performance(record.value or b""))
    wanted = Wanted(wish.model, wish.since, wish.until, wish.leave_out, None if wish.incomplete else complete)
    joined = Joined(wanted, wish.schema)
    async with follow(bootstrap, prefix, ((LABELS, None),)) as topic:
        async for _, record in topic.held():
            try:
                joined.add_label(decode_label(record.value or b""))
            except InvalidEvent:
                unreadable += 1
    async with follow(bootstrap, prefix, ((PREDICTIONS, None),)) as topic:
        async for _, record in topic.held():
            try:
                joined.add_event(decode_event(record.value or b""))
            except InvalidEvent:
                unreadable += 1
    return joined, unreadable


def _written(wish: Wish, joined: Joined, folder: Path, unreadable: int) -> Collected:
    rows = pd.DataFrame(joined.columns())
    description = _described(wish.model, wish.schema)
    time, label = str(description.time), str(description.label)
    rows[time] = pd.to_datetime(rows[time], utc=True)
    rows[label] = rows[label].astype("int64") if rows[label].isin([0, 1]).all() else rows[label]
    first, last = rows[time].iloc[0].to_pydatetime(), rows[time].iloc[-1].to_pydatetime()
    base_rows = 0
    if wish.base is not None:
        old = old_rows(wish.base, description)
        base_rows = len(old)
        rows = pd.concat([old, rows], ignore_index=True)
    made = folder.with_name(f".{folder.name}-unfinished")  # one that was cut short is never taken for a data set
    try:
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir(parents=True)
        rows.to_parquet(made / ROWS, index=False)
        (made / FILE_NAME).write_text(description.to_toml(), encoding="utf-8")
        tally = joined.tally
        collected = Collected(
            model=wish.model,
            since=wish.since,
            until=wish.until,
            leave_out=wish.leave_out,
            coverage=round(tally.labelled / tally.predictions, 4),
            complete_only=not wish.incomplete,
            unreadable=unreadable,
            rows=len(rows),
            base_rows=base_rows,
            first=first,
            last=last,
            digest=load(made, timed=None).digest,
            **tally._asdict(),
        )
        (made / SUMMARY).write_bytes(msgspec.json.format(msgspec.json.encode(collected), indent=2) + b"\n")
        made.replace(folder)
    except OSError as error:
        raise CollectError(f"{folder}: cannot be written: {error.strerror}; choose another folder") from error
    return collected


def _described(model: str, schema: FeatureSchema) -> Description:
    return Description(
        name=f"{model}-collected",
        file=ROWS,
        features=schema.features,
        label=column(TRUTH, schema),
        time=column(EVENT_TIME, schema),
        entity=column(ENTITY, schema),
    )


def _check_free(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CollectError(f"{folder} is there already: choose another folder, or remove it")
