"""Which baseline each model version has, from when on, and whether one that was given fits the events at all. Pure.

The topic `baselines` is compacted, and an API that starts publishes its version's baseline again: the record that is
left may be younger than the events. So the first one known of a version counts from the beginning, unless `strict`;
each further one from its record's time, as it did for the workers.

In the stream what an event lacks is missing, and no error: with the baseline of another model every feature would be
missing, and every window would alarm.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from contracts.baseline import Baseline
from contracts.errors import InvalidEvent
from contracts.events import decode_event
from stream_app.errors import ReplayError
from stream_app.windowing.forever import NEVER
from stream_app.windowing.typed import Version

_SHOWN = 8
"""Features named in an error."""
ALWAYS = NEVER
"""Before any record's time."""


class Change(NamedTuple):
    """From this time on (milliseconds UTC) a version has this baseline; None: it has none any more."""

    time_ms: int
    version: Version
    baseline: Baseline | None


class KnownBaselines:
    """A sequence of mappings from version to baseline, each valid from a time on."""

    def __init__(
        self, changes: Iterable[Change] = (), *, given: Mapping[Version, Baseline] | None = None, strict: bool = False
    ) -> None:
        """changes: in the order of the topic. given: in force always, whatever the topic says of their versions."""
        given = given or {}
        first: dict[Version, Baseline] = {}
        kept: list[Change] = []
        for change in changes:
            if change.version in given:
                continue
            if strict or change.version in first:
                kept.append(change)
            elif change.baseline is not None:
                first[change.version] = change.baseline
        self._times = [ALWAYS]
        self._mappings: list[dict[Version, Baseline]] = [{**given, **first}]
        for change in kept:
            self._apply(change)
        found = [*given.values(), *first.values(), *(change.baseline for change in kept)]
        self.by_digest = {baseline.digest: baseline for baseline in found if baseline is not None}

    def at(self, time_ms: int) -> tuple[Mapping[Version, Baseline], int | None]:
        """What is known at a time, and when that changes next."""
        index = bisect_right(self._times, time_ms)
        return self._mappings[index - 1], self._times[index] if index < len(self._times) else None

    @property
    def versions(self) -> list[Version]:
        """Every version that has a baseline at some time."""
        return sorted({version for mapping in self._mappings for version in mapping})

    def _apply(self, change: Change) -> None:
        latest = dict(self._mappings[-1])
        if change.baseline is None:
            latest.pop(change.version, None)
        else:
            latest[change.version] = change.baseline
        time_ms = max(change.time_ms, self._times[-1])  # the order of the topic is what counts, not a producer's clock
        if time_ms == self._times[-1]:
            self._mappings[-1] = latest
        else:
            self._times.append(time_ms)
            self._mappings.append(latest)


def check_fit(values: Iterable[bytes | None], baselines: Mapping[Version, Baseline]) -> None:
    """Raises ReplayError when an event has none of the features of the baseline given for its version."""
    seen: set[Version] = set()
    for value in values:
        try:
            event = decode_event(value or b"")
        except InvalidEvent:
            continue  # it is refused when it is counted
        version = event.model, event.model_version
        baseline = baselines.get(version)
        if version in seen or baseline is None:
            continue
        seen.add(version)
        if not set(baseline.schema.names) & event.features.keys():
            theirs, ours = (", ".join(list(names)[:_SHOWN]) for names in (event.features, baseline.schema.names))
            raise ReplayError(
                f"--baseline: the one for {'/'.join(version)} does not fit: its features are {ours}, the events have "
                f"{theirs or 'none'}"
            )
