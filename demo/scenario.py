"""The demo's plot. First act: quiet windows, then each fault that the data set tells, then quiet again, as repaired.
Second act: the world itself moves, for good (demo/second_act.py).

Every window of the first act holds exactly `rows_per_window` events, because event time advances by a fixed step per
event: the clock of the demo runs faster than the wall clock, and the same seed gives the same windows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd

from demo.datasets.dataset import Dataset, SecondAct, TrueCause

QUIET = "quiet"
REPAIRED = "repaired"
LABEL_WINDOWS = 1
"""Labels of a window are sent when so many more have gone by."""


@dataclass(frozen=True)
class Plan:
    """How much of everything. window: event time per window; the wall clock needs rows_per_window / rate seconds."""

    rows_per_window: int = 1_000
    quiet_windows: int = 8
    episode_windows: int = 4
    repaired_windows: int = 4
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
    """The first act with its rows. Quiet rows are used once only. Raises ValueError when the data set has too few.

    Episodes that bring rows of their own are worlds that moved: they are no part of it.
    """
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
        if not episode.own_rows:
            rows = episode.make(take(plan.episode_windows), seed)
            first = _end(phases)
            phases.append(
                Phase(episode.name, episode.title, first, plan.episode_windows, rows, episode.blames, episode.cause)
            )
    title = "the bug is repaired: rows as before"
    phases.append(Phase(REPAIRED, title, _end(phases), plan.repaired_windows, take(plan.repaired_windows)))
    return tuple(phases)


def last_phase(act: SecondAct, phases: tuple[Phase, ...]) -> Phase:
    """The second act as one more phase, behind the first; its windows have another number of rows."""
    windows = -(-len(act.rows) // act.rows_per_window)
    return Phase(act.name, act.title, _end(phases), windows, act.rows, act.blames)


def _end(phases: Sequence[Phase]) -> int:
    return phases[-1].first + phases[-1].windows


def start_before(now: datetime, windows: int, plan: Plan) -> datetime:
    """A start on a window's edge, early enough that the last event, and its label, lie in the past at `now`."""
    epoch = datetime.fromtimestamp(0, tz=now.tzinfo)
    whole = (now - epoch) // plan.window
    return epoch + (whole - windows - 1 - LABEL_WINDOWS) * plan.window


def event_times(start: datetime, step: timedelta, count: int) -> Iterator[datetime]:
    """`count` instants from `start` on, `step` apart."""
    return (start + i * step for i in range(count))
