"""Real flights by day: how far days differ in performance by nature; what is degraded without knowing it, and with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.days.calendar import ZONE, Calendar
from bench.performance.scores import Rows, counted, judged
from contracts.baseline import Baseline
from demo.datasets.flights import DESCRIPTION, MONTHS, Flights
from stream_app.performance.learning import learn
from stream_app.performance.measures import measures
from training.baselines.outcomes import with_outcomes
from training.data.columns import feature_frame, labels_of
from training.fitting.pipeline import scores_of

LATER = (4, 5, 6, 9)


class OfMonth(msgspec.Struct, frozen=True):
    """Days of a month that the model was not fitted to. auc: of all its rows together; auc_of_days: mean of the days.
    sampling, learnt: share of its days that are degraded."""

    month: int
    days: int
    auc: float
    auc_of_days: float
    sampling: float
    learnt: float


class OfFlights(msgspec.Struct, frozen=True):
    """auc: of all held-out rows of the reference together; auc_of_days: mean of its days; natural_low, natural_high:
    where 95 % of days of 900 flights lie. unseen: of the reference's odd days, judged with what the even ones taught.
    """

    reference_days: int
    auc: float
    auc_of_days: float
    natural_low: float
    natural_high: float
    unseen: OfMonth
    months: list[OfMonth]


def by_day(seed: int, months: Sequence[int] = MONTHS, later: Sequence[int] = LATER) -> OfFlights:
    """A model of the first months; the days of its held-out rows teach how days differ."""
    calendar = Calendar(seed, months)
    fitted = calendar.fitted
    plain = with_outcomes(calendar.baseline, fitted.scores, fitted.labels)
    held_out = Rows(fitted.scores, fitted.labels)
    days = list(_days(calendar.rows["event_time"].iloc[fitted.validation_rows], held_out))
    learnt, half = (_taught(plain, some) for some in (days, days[::2]))
    told = []
    for month in later:
        rows = Flights().later(month)
        scores = scores_of(fitted.pipeline, feature_frame(rows, DESCRIPTION.schema))
        told.append(_month(month, learnt, list(_days(rows["event_time"], Rows(scores, labels_of(rows, "late"))))))
    reference = measures(plain, counted(plain, held_out).value())["auc"].value
    natural = judged(learnt, _first(held_out, 900)).metric("auc")
    assert natural is not None
    assert natural.natural_low is not None
    assert natural.natural_high is not None
    return OfFlights(
        reference_days=len(days),
        auc=round(reference, 4),
        auc_of_days=round(_mean_auc(plain, days), 4),
        natural_low=round(natural.natural_low, 3),
        natural_high=round(natural.natural_high, 3),
        unseen=_month(0, half, days[1::2]),
        months=told,
    )


def _taught(baseline: Baseline, days: Sequence[Rows]) -> Baseline:
    learnt = learn(baseline, (counted(baseline, day).value() for day in days))
    return msgspec.structs.replace(baseline, natural_performance=learnt)


def _month(month: int, learnt: Baseline, days: Sequence[Rows]) -> OfMonth:
    plain = msgspec.structs.replace(learnt, natural_performance={})
    together = Rows(*(np.concatenate(column) for column in zip(*days, strict=True)))
    reports = [(judged(plain, day), judged(learnt, day)) for day in days]
    compared = [pair for pair in reports if pair[0].status != "insufficient"]
    sampling, knowing = np.mean([[each.status == "degraded" for each in pair] for pair in compared], axis=0)
    return OfMonth(
        month=month,
        days=len(compared),
        auc=round(measures(plain, counted(plain, together).value())["auc"].value, 4),
        auc_of_days=round(_mean_auc(plain, days), 4),
        sampling=round(float(sampling), 3),
        learnt=round(float(knowing), 3),
    )


def _days(times: pd.Series, rows: Rows) -> Iterator[Rows]:
    of_row: npt.NDArray[np.object_] = times.dt.tz_convert(ZONE).dt.date.to_numpy()
    for day in sorted(set(of_row)):
        yield Rows(rows.scores[of_row == day], rows.truths[of_row == day])


def _mean_auc(baseline: Baseline, days: Sequence[Rows]) -> float:
    known = (measures(baseline, counted(baseline, day).value()).get("auc") for day in days)
    return float(np.mean([each.value for each in known if each is not None]))


def _first(rows: Rows, count: int) -> Rows:
    return Rows(rows.scores[:count], rows.truths[:count])
