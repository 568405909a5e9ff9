"""One order to the load generator: which rows, with what drift, on which clock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import pandas as pd

from demo.datasets.dataset import Dataset
from demo.drift import Drift, inject
from demo.errors import DemoError
from demo.load import Tally, send
from demo.scenario import event_times
from demo.traffic import bodies


@dataclass(frozen=True)
class Order:
    """What to send. episode: rows of that episode of the data set; drift: text of demo.drift; start None: no times."""

    dataset: Dataset
    events: int
    episode: str
    drift: str
    start: datetime | None
    step: timedelta
    seed: int

    def rows(self) -> pd.DataFrame:
        """As many rows as wanted, from the top again when there are fewer. Raises DemoError."""
        rows = self.dataset.quiet(self.seed)
        if self.episode:
            episode = next((e for e in self.dataset.episodes if e.name == self.episode), None)
            if episode is None:
                known = ", ".join(e.name for e in self.dataset.episodes)
                raise DemoError(f"--episode: no episode {self.episode!r} in this data set: choose one of {known}")
            rows = episode.make(rows, self.seed)
        rows = pd.concat([rows] * -(-self.events // len(rows)), ignore_index=True).iloc[: self.events]
        return inject(rows, Drift.parse(self.drift), self.seed) if self.drift else rows

    def bodies(self) -> Iterator[bytes]:
        """The requests, in order. Raises DemoError."""
        if self.start is not None:
            try:
                _ = self.start + self.events * self.step
            except OverflowError as error:
                raise DemoError("--start, --step: the last event lies beyond the year 9999: take less") from error
        times = None if self.start is None else event_times(self.start, self.step, self.events)
        return bodies(self.rows(), self.dataset.description, times)


async def deliver(order: Order, url: str, rate: float, connections: int) -> Tally:
    """Send an order. Raises DemoError for a URL that is none."""
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc:
        raise DemoError(f"--url: {url!r} is no http address: give one such as http://127.0.0.1:8000")
    tally = Tally()
    await send(order.bodies(), url, tally, rate=rate, connections=connections)
    return tally
