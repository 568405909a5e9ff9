"""The demo's plot: quiet windows first, then each episode of drift that the data set tells.

Every window holds exactly `rows_per_window` events, because event time advances by a fixed step per event: the clock of
the demo runs faster than the wall clock, and the same seed gives the same windows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd

from demo.datasets.dataset import Dataset, TrueCause

QUIET = "quiet"


@dataclass(frozen=True)
class Plan:
    """How much of everything. window: event time per window; the wall clock needs rows_per_window / rate seconds."""

    rows_per_window: int = 1_000
    quiet_windows: int = 10
    episode_windows: int = 4
    window: timedelta = timedelta(hours=1)

    @property
    def step(self) -> timedelta:
        """Event time from one event to the next."""
        return self.window / self.rows_per_window


@dataclass(frozen=True)
class Phase:
    """One act. first: its first window. blames: what an alert should name, the first one first; empty when quiet.
    cause: what really happened and an alert should say, where one sentence can."""

    name: str
    title: str
    first: int
    windows: int
    rows: pd.DataFrame
    blames: tuple[str, ...] = ()
    cause: TrueCause | None = None

    @property
    def window_numbers(self) -> range:
        """Its windows, counted from 0 over the whole plot."""
        return range(self.first, self.first + self.windows)


def plot(dataset: Dataset, plan: Plan, seed: int) -> tuple[Phase, ...]:
    """The phases with their rows. Quiet rows are used once only. Raises ValueError when the data set has too few."""
    quiet, used = dataset.quiet(seed), 0

    def take(windows: int) -> pd.DataFrame:
        nonlocal used
        wanted = windows * plan.rows_per_window
        if used + wanted > len(quiet):
            raise ValueError(f"{used + wanted} quiet rows wanted, the data set has {len(quiet)}: plan fewer windows")
        used += wanted
        return quiet.iloc[used - wanted : used]

    title = "held-out rows of the training period, in random order"
    phases = [Phase(QUIET, title, 0, plan.quiet_windows, take(plan.quiet_windows))]
    for episode in dataset.episodes:
        fresh = quiet.iloc[:0] if episode.own_rows else take(plan.episode_windows)
        wanted = plan.episode_windows * plan.rows_per_window
        rows = episode.make(fresh, seed).iloc[:wanted]
        if len(rows) < wanted:
            raise ValueError(f"episode {episode.name!r}: {wanted} rows wanted, it has {len(rows)}: plan fewer windows")
        first = phases[-1].first + phases[-1].windows
        phases.append(
            Phase(episode.name, episode.title, first, plan.episode_windows, rows, episode.blames, episode.cause)
        )
    return tuple(phases)


def start_before(now: datetime, windows: int, plan: Plan) -> datetime:
    """A start on a window's edge, early enough that the last event lies in the past at `now`."""
    epoch = datetime.fromtimestamp(0, tz=now.tzinfo)
    whole = (now - epoch) // plan.window
    return epoch + (whole - windows - 1) * plan.window


def event_times(start: datetime, step: timedelta, count: int) -> Iterator[datetime]:
    """`count` instants from `start` on, `step` apart."""
    return (start + i * step for i in range(count))
