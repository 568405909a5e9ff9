"""The picture for people, and for programs."""

from __future__ import annotations

from typing import Any

import msgspec

from stream_app.status.holding import holding, is_mute
from stream_app.status.picture import NOBODY, Picture, Source
from stream_app.tables import aligned

_HEAD = ["partition", "owner", "host", "watermark", "behind clock", "lag", "open windows", "state", "heartbeat"]


_VERSIONS = ["model version", "pending windows", "oldest pending", "reports", "last report"]
_LABELLED = ["model version", "open windows", "oldest open", "final windows", "last final"]


def as_text(picture: Picture) -> str:
    """Three tables, notes, and a last line that says what holds time back."""
    workers = f"{picture.workers} worker{'' if picture.workers == 1 else 's'}"
    partitions = [_cells(source) for source in picture.partitions]
    stage2 = [[str(stage.partition), stage.owner, stage.host, f"{stage.lag:,}"] for stage in picture.stage2]
    versions = [
        [
            f"{version.model}/{version.version}",
            version.pending,
            _time(version.oldest_pending),
            version.reports,
            _time(version.last_report),
        ]
        for version in picture.versions
    ]
    return "\n".join(
        [
            f"{_time(picture.at)}  group {picture.group}: {picture.group_state}, {workers}",
            "",
            *aligned(_HEAD, partitions),
            "",
            *aligned(["stage 2", "owner", "host", "lag"], stage2),
            "",
            *aligned(_LABELLED if picture.counts == "labels" else _VERSIONS, versions),
            "",
            *(f"note: {note}" for note in picture.notes),
            holding(picture),
        ]
    )


def as_json(picture: Picture, labels: Picture | None = None) -> str:
    """One JSON object: the fields of Picture, and `holding`, the sentence of the last line; labels: the same of what
    counts labels, None where nothing does.
    """
    more = {} if labels is None else {"labels": _fields(labels)}
    return msgspec.json.encode({**_fields(picture), **more}).decode()


def _fields(picture: Picture) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(picture)
    return {**fields, "rebalancing": picture.rebalancing, "holding": holding(picture)}


def _cells(source: Source) -> list[str]:
    heard = "none" if source.heard_seconds is None else f"{source.heard_seconds:.1f} s ago"
    return [
        str(source.partition),
        source.owner,
        source.host,
        _time(source.watermark),
        "-" if source.delay_seconds is None else f"{source.delay_seconds:,.1f} s",
        f"{source.lag:,}",
        str(source.open_windows),
        _state(source),
        heard if source.generation is None else f"{heard}, generation {source.generation}",
    ]


def _state(source: Source) -> str:
    if source.owner == NOBODY:
        return "no owner"
    if is_mute(source):
        return "silent worker"
    if source.idle:
        return "idle"
    return "no event yet" if source.watermark is None else "counting"


def _time(moment: Any) -> str:
    return "-" if moment is None else f"{moment:%Y-%m-%dT%H:%M:%S}Z"
