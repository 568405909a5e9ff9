"""Which truth, at which time, can be the truth about a prediction."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from api.errors import LabelRefused
from api.labels.joining import join
from api.labels.reading import LabelRequest
from api.receipts.receipt import Fact
from contracts.labels import Label
from tests.builders import NOON, NOON_MS

SKEW = timedelta(seconds=60)
DAY = timedelta(days=1)
YES_OR_NO = Fact("flights", "3", NOON_MS, 0.75, True)
NUMBER = Fact("delays", "1", NOON_MS, 17.5, None)


def joined(fact: Fact = YES_OR_NO, *, truth: Any = 1, at: datetime | None = None, now: datetime = NOON + DAY) -> Label:
    return join(LabelRequest("p", truth, None, at), fact, now, SKEW)


def refused(*arguments: Any, **more: Any) -> tuple[str, str]:
    with pytest.raises(LabelRefused) as error:
        joined(*arguments, **more)
    (fault,) = error.value.errors
    return fault.pointer, fault.category


def test_a_label_has_all_that_performance_is_counted_from() -> None:
    assert joined() == Label(
        prediction_id="p",
        event_time=NOON,
        labelled_at=NOON + DAY,
        model="flights",
        model_version="3",
        score=0.75,
        truth=1.0,
        decision=True,
    )


@pytest.mark.parametrize(("truth", "counted"), [(True, 1.0), (False, 0.0), (1, 1.0), (0, 0.0), (1.0, 1.0)])
def test_a_classifiers_truth_is_yes_or_no(truth: Any, counted: float) -> None:
    label = joined(truth=truth)

    assert (label.truth, type(label.truth)) == (counted, float)


@pytest.mark.parametrize("truth", [0.5, 2, -1])
def test_no_other_number_is(truth: Any) -> None:
    assert refused(truth=truth) == ("/truth", "truth")


def test_a_regressions_truth_is_any_number_and_neither_yes_nor_no() -> None:
    assert joined(NUMBER, truth=-3.5).truth == -3.5
    assert joined(NUMBER, truth=1).truth == 1.0
    assert refused(NUMBER, truth=True) == ("/truth", "truth")


def test_a_label_may_be_from_any_time_between_its_event_and_now_and_clocks_may_be_apart() -> None:
    for time in (NOON, NOON - SKEW, NOON + DAY, NOON + DAY + SKEW):
        assert joined(at=time).labelled_at == time
    assert joined(at=None).labelled_at == NOON + DAY


def test_a_label_from_the_future_or_from_before_its_event_is_refused() -> None:
    moment = timedelta(milliseconds=1)
    for time in (NOON + DAY + SKEW + moment, datetime.max.replace(tzinfo=timezone(timedelta(hours=-14)))):
        assert refused(at=time) == ("/labelled_at", "label-time")
    for time in (NOON - SKEW - moment, datetime.min.replace(tzinfo=timezone(timedelta(hours=14)))):
        assert refused(at=time) == ("/labelled_at", "label-time")
    assert refused(now=NOON - DAY) == ("/labelled_at", "label-time")  # predicted for tomorrow, labelled today


def test_times_are_utc_whatever_zone_they_came_in() -> None:
    there = (NOON + DAY).astimezone(timezone(timedelta(hours=5, minutes=30)))

    label = joined(at=there)

    assert label.labelled_at == there
    assert label.labelled_at.tzinfo is UTC
