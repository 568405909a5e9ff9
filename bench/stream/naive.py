"""(b) The ordinary Faust agent: JSON Records, Faust's own windowed table, a plain histogram, one set per event.

What one writes after reading Faust's documentation; the only file outside stream_app/delivery that imports Faust.
`python -m bench.stream.naive BOOTSTRAP TOPIC PARTITIONS EVENTS FEATURES APP_ID DIRECTORY` prints one line of JSON, as
bare.py does, and ends; what Faust keeps of tables lies in the directory. Windows are by the record's time, which spares
it the parsing of event times.
"""

from __future__ import annotations

import bisect
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faust
import msgspec

from bench.stream.bare import Timed
from bench.stream.material import Material
from contracts.binning import Bins

_BINS, _WINDOW_SECONDS = 10, 60.0


class Prediction(faust.Record, serializer="json"):  # type: ignore[misc,call-arg]
    """An event as Faust decodes it."""

    id: str
    event_time: str
    model: str
    model_version: str
    score: float
    features: dict[str, Any]


class Stopwatch:
    """Counts events from the second on; calls `done` with the figures when there were enough."""

    def __init__(self, events: int, done: Callable[[Timed], None]) -> None:
        self._events, self._done = events, done
        self._seen, self._begin, self._cpu = -1, 0.0, 0.0

    def event(self) -> None:
        """One more."""
        self._seen += 1
        if self._seen == 0:
            self._begin, self._cpu = time.monotonic(), time.process_time()
        elif self._seen == self._events:
            self._done(Timed(self._begin, time.monotonic(), self._seen, time.process_time() - self._cpu))


def create_app(
    bootstrap: str, topic: str, partitions: int, app_id: str, stopwatch: Stopwatch, features: int, directory: Path
) -> Any:
    """The agent with its table. directory: for what Faust keeps of it; made where it is missing."""
    edges = {
        name: list(reference.bins.edges[:: max(1, len(reference.bins.edges) // _BINS)])
        for name, reference in Material(features, seed=1).baseline.features.items()
        if isinstance(reference.bins, Bins)
    }
    app = faust.App(
        app_id,
        broker=f"kafka://{bootstrap}",
        store="memory://",
        datadir=directory,
        topic_partitions=partitions,
        consumer_auto_offset_reset="earliest",
        web_enabled=False,
        topic_disable_leader=True,
        worker_redirect_stdouts=False,
    )
    table = app.Table("histograms", default=dict, partitions=partitions).tumbling(_WINDOW_SECONDS, expires=3600.0)

    @app.agent(app.topic(topic, value_type=Prediction))  # type: ignore[untyped-decorator]
    async def count(events: Any) -> None:
        async for event in events:
            key = f"{event.model}/{event.model_version}"
            histograms = table[key].value()
            for name, value in event.features.items():
                if name in edges:
                    counts = histograms.setdefault(name, [0] * (len(edges[name]) + 2))
                    counts[-1 if value is None else bisect.bisect_right(edges[name], value)] += 1
                else:
                    levels = histograms.setdefault(name, {})
                    levels[str(value)] = levels.get(str(value), 0) + 1
            table[key] = histograms
            stopwatch.event()

    return app


def _write_and_end(figures: Timed) -> None:
    os.write(1, b"\n" + msgspec.json.encode(figures) + b"\n")  # Faust turns what is printed into lines of its log
    os._exit(0)


if __name__ == "__main__":
    bootstrap, topic, partitions, events, features, app_id, directory = sys.argv[1:]
    watch = Stopwatch(int(events), _write_and_end)
    app = create_app(bootstrap, topic, int(partitions), app_id, watch, int(features), Path(directory))
    sys.argv[1:] = ["worker", "--without-web", "-l", "warn"]
    app.main()
