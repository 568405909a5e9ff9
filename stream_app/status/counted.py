"""What an installation counts, predictions or labels: the topics, and how their state is read. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from contracts.label_partials import decode_label_partial
from contracts.partials import decode_partial
from contracts.topics import LABEL_PARTIALS, LABELS, PREDICTIONS, WINDOW_PARTIALS, Topic
from stream_app.labelling.revised_state import age_of_revised, revised_of
from stream_app.labelling.state import age_of_labels, decode_label_meta, parse_label_key
from stream_app.labelling.window import WindowName
from stream_app.settings import StreamSettings
from stream_app.status.picture import Meta, Open, Part
from stream_app.windowing.merged_state import VersionRecord, age_of_merged, merged_of
from stream_app.windowing.newest import Age
from stream_app.windowing.state import MetaKey, age_of, decode_meta, decode_part, parse_key

Stored = Iterable[tuple[bytes, bytes]]


class Stage1(NamedTuple):
    """What stage 1 has stored."""

    metas: tuple[Meta, ...]
    open_windows: tuple[Open, ...]


class Stage2(NamedTuple):
    """What stage 2 has stored."""

    versions: tuple[VersionRecord, ...]
    parts: tuple[Part, ...]


class Counted(NamedTuple):
    """source, partials: the topics of the two stages. group: of consumers. states: full names of their state topics,
    ages: the orders of their values. decode: reads a record of `partials`; raises InvalidMessage, as the others do.
    """

    source: Topic
    partials: Topic
    group: str
    states: tuple[str, str]
    ages: tuple[Age, Age]
    decode: Callable[[bytes], object]
    stage1: Callable[[Stored], Stage1]
    stage2: Callable[[Stored], Stage2]


def predictions(settings: StreamSettings) -> Counted:
    """What `python -m stream_app worker` counts."""
    states = settings.counts_topic, settings.windows_topic
    ages = age_of, age_of_merged
    return Counted(PREDICTIONS, WINDOW_PARTIALS, settings.group, states, ages, decode_partial, _counts, _windows)


def labels(settings: StreamSettings) -> Counted:
    """What `python -m stream_app performance` counts."""
    states, ages = (settings.labels_topic, settings.revisions_topic), (age_of_labels, age_of_revised)
    group = settings.performance_group
    return Counted(LABELS, LABEL_PARTIALS, group, states, ages, decode_label_partial, _labels, _revisions)


def _counts(stored: Stored) -> Stage1:
    keyed = [(parse_key(key), value) for key, value in stored]
    return Stage1(
        tuple(decode_meta(value) for key, value in keyed if isinstance(key, MetaKey)),
        tuple(decode_part(value) for key, value in keyed if not isinstance(key, MetaKey)),
    )


def _windows(stored: Stored) -> Stage2:
    merged = merged_of(stored)
    return Stage2(merged.versions, merged.parts)


def _labels(stored: Stored) -> Stage1:
    keyed = [(parse_label_key(key), value) for key, value in stored]
    windows = {WindowName(*key[:4]) for key, _ in keyed if not isinstance(key, MetaKey)}
    metas = (decode_label_meta(value) for key, value in keyed if isinstance(key, MetaKey))
    return Stage1(tuple(metas), tuple(sorted(windows)))


def _revisions(stored: Stored) -> Stage2:
    revised = revised_of(stored)
    versions = (
        VersionRecord(model=record.model, version=record.version, horizon=record.horizon, reports=record.windows)
        for record in revised.versions
    )
    return Stage2(tuple(versions), revised.parts)
