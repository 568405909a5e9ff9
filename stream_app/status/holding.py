"""What holds time back, in one sentence: why the oldest window has no report yet. Pure."""

from __future__ import annotations

from datetime import datetime

from stream_app.status.hearing import SILENT_SECONDS
from stream_app.status.picture import NOBODY, Picture, Source, Version


def holding(picture: Picture) -> str:
    """The first thing that keeps windows from closing; that nothing does, when nothing does."""
    lag = sum(source.lag for source in picture.partitions)
    labels = picture.counts == "labels"
    records = "labels" if labels else "events"
    waits = f"{lag:,} {records} wait on {picture.counts}" if lag else f"nothing waits on {picture.counts}"
    if not picture.workers:
        nobody, command = ("process counts labels", "performance") if labels else ("worker runs", "worker")
        return f"no {nobody}: {waits}; start one with `python -m stream_app {command}`"
    if picture.rebalancing:
        state = f"the group is rebalancing ({picture.group_state})"
        return f"{state}: nothing is counted until that ends; {waits}{_longest(picture)}"
    unowned = [source for source in picture.partitions if source.owner == NOBODY]
    if unowned:
        return f"{_those(unowned)} no owner: the group has not handed out all partitions yet; {waits}"
    mute = [source for source in picture.partitions if is_mute(source)]
    if mute:
        return _mute(mute)
    return waits if labels else _behind(picture)  # windows of labels stay open for the label delay


def _longest(picture: Picture) -> str:
    """Who a rebalance may be waiting for."""
    mute = [source for source in picture.partitions if source.heard_seconds is not None and is_mute(source)]
    if not mute:
        return ""
    worst = max(mute, key=lambda source: source.heard_seconds or 0)
    return f"; {worst.owner} has been silent for longest, {worst.heard_seconds:,.0f} s"


def is_mute(source: Source) -> bool:
    """Whether nobody has spoken for the partition lately."""
    return source.heard_seconds is None or source.heard_seconds > SILENT_SECONDS


def _mute(mute: list[Source]) -> str:
    first = mute[0]
    since = "lately" if first.heard_seconds is None else f"for {first.heard_seconds:,.0f} s"
    others = [source.partition for source in mute[1:] if source.owner == first.owner]
    also = f", nor partitions {', '.join(map(str, others))}" if others else ""
    return (
        f"partition {first.partition} of {first.owner} holds windows back: no heartbeat {since}{also}; the worker "
        "reads its state, is stopped, or has died: then its partitions move after the session timeout"
    )


def _behind(picture: Picture) -> str:
    waiting = [version for version in picture.versions if version.oldest_end is not None]
    oldest = min(waiting, key=_end, default=None)
    if oldest is None:
        return "nothing holds time back"
    end, name = _end(oldest), f"{oldest.model}/{oldest.version}"
    assert oldest.oldest_pending is not None
    window = f"{name}, window {oldest.oldest_pending.isoformat()}"
    behind = [s for s in picture.partitions if not s.idle and (s.watermark is None or s.watermark < end)]
    if not behind:
        stage2 = max(picture.stage2, key=lambda partition: partition.lag)
        lag = f"lag {stage2.lag:,} in partition {stage2.partition} of {stage2.owner}"
        carried = [source for source in picture.partitions if source.idle and _before(source, end) > 0]
        if not carried:
            return f"{window} is over in every partition and stage 2 has not closed it yet: {lag}"
        words = f"the next words of idle {_named(carried)}"
        if not stage2.lag:
            return f"{window} is over in every partition that is not idle, and waits for {words}"
        return f"{window} is over in every partition that is not idle, and waits for stage 2 ({lag}) or {words}"
    worst = max(behind, key=lambda source: (source.lag, _before(source, end)))
    missing = "no event yet" if worst.watermark is None else f"{_before(worst, end):,.1f} s of event time missing"
    rest = "" if worst.lag else "; it has nothing to read, and is idle after STREAM_IDLE_SECONDS without an event"
    where = _named([worst, *(source for source in behind if source is not worst)])
    return f"{where} holds windows back: lag {worst.lag:,}, {missing} for {window}{rest}"


def _named(sources: list[Source]) -> str:
    """The first of them, and how many there are beside it."""
    more = f" (and {len(sources) - 1} more)" if len(sources) > 1 else ""
    return f"partition {sources[0].partition} of {sources[0].owner}{more}"


def _before(source: Source, end: datetime) -> float:
    return float("inf") if source.watermark is None else (end - source.watermark).total_seconds()


def _end(version: Version) -> datetime:
    assert version.oldest_end is not None
    return version.oldest_end


def _those(sources: list[Source]) -> str:
    numbers = ", ".join(str(source.partition) for source in sources)
    return f"partition {numbers} has" if len(sources) == 1 else f"partitions {numbers} have"
