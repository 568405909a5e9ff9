"""Whether a baseline given as a file fits the events at all. Pure.

In the stream what an event lacks is missing, and no error: with the baseline of another model every feature would be
missing, and every window would alarm.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from contracts.baseline import Baseline
from contracts.errors import InvalidEvent
from contracts.events import decode_event
from stream_app.errors import ReplayError
from stream_app.windowing.typed import Version

_SHOWN = 8


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
