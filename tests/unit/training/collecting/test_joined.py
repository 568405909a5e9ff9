"""Predictions meet their truth; what is not wanted, or has none, is counted and not kept."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations
from typing import Any

from contracts.events import PredictionEvent
from contracts.labels import Label
from contracts.schema import Feature, FeatureSchema
from tests.builders import NOON, a_schema
from tests.performance import a_covered_window
from training.collecting.complete import Complete
from training.collecting.joined import Joined, Wanted, column
from training.data.span import Span

HOUR = timedelta(hours=1)
SCHEMA = a_schema()


def event(number: int, hours: float = 0, **changes: Any) -> PredictionEvent[dict[str, Any]]:
    fields: dict[str, Any] = {
        "id": f"p{number}",
        "event_time": NOON + hours * HOUR,
        "model": "flights",
        "model_version": "1",
        "score": number / 10,
        "features": {"distance": float(number), "carrier": "UA"},
        "entity_id": f"e{number}",
    }
    return PredictionEvent(**{**fields, **changes})


def label(number: int, truth: float = 1.0, **changes: Any) -> Label:
    fields: dict[str, Any] = {
        "prediction_id": f"p{number}",
        "event_time": NOON,
        "labelled_at": NOON + HOUR,
        "model": "flights",
        "model_version": "1",
        "score": 0.5,
        "truth": truth,
    }
    return Label(**{**fields, **changes})


def joined(
    *records: Any, leave_out: tuple[Span, ...] = (), complete: Complete | None = None, schema: FeatureSchema = SCHEMA
) -> Joined:
    """Labels first, as they are read."""
    found = Joined(Wanted("flights", NOON, NOON + 10 * HOUR, leave_out, complete), schema)
    for record in records:
        if isinstance(record, Label):
            found.add_label(record)
    for record in records:
        if not isinstance(record, Label):
            found.add_event(record)
    return found


def test_a_prediction_and_its_label_meet_in_any_order() -> None:
    records = [event(1), label(1), event(2), label(2, 0.0)]
    expected = joined(*records).columns()
    assert expected["prediction_id"] == ["p1", "p2"]
    assert expected["label"] == [1.0, 0.0]
    assert expected["distance"] == [1.0, 2.0]
    assert expected["seats"] == [None, None]  # no such feature in the event
    assert all(joined(*order).columns() == expected for order in permutations(records))


def test_rows_are_in_the_order_of_their_event_times() -> None:
    found = joined(event(1, 3), event(2, 1), event(3, 2), label(1), label(2), label(3))
    assert found.columns()["prediction_id"] == ["p2", "p3", "p1"]


def test_of_two_labels_the_last_one_counts_and_is_told() -> None:
    found = joined(event(1), label(1, 1.0), label(1, 1.0), label(1, 0.0))
    assert found.columns()["label"] == [0.0]
    assert found.tally.replaced == 1


def test_a_row_read_twice_is_one_row() -> None:
    assert joined(event(1), event(1), label(1)).tally.predictions == 1


def test_windows_whose_labels_are_not_complete_are_counted_and_not_kept() -> None:
    complete = Complete("flights")
    complete.add(a_covered_window(0, labelled=96))
    complete.add(a_covered_window(1, labelled=50))
    records = [*(event(number, 0.5) for number in (1, 2)), event(3, 1.5), event(4, 2.5, model_version="2")]
    labels = [
        label(1, event_time=NOON + HOUR / 2),
        label(3, event_time=NOON + 1.5 * HOUR),
        label(4, event_time=NOON + 2.5 * HOUR, model_version="2"),
    ]
    found = joined(*records, *labels, complete=complete)
    assert found.columns()["prediction_id"] == ["p1"]
    tally = found.tally
    assert (tally.predictions, tally.labelled, tally.incomplete) == (2, 1, 2)
    assert joined(*records, *labels).tally.labelled == 3


def test_what_is_outside_left_out_or_shadow_is_counted_and_not_kept() -> None:
    found = joined(
        *(event(1, -0.5), event(2, 10), event(3, 2), event(4, 3), event(5, role="shadow"), event(6, role="canary")),
        *(label(number) for number in range(1, 7)),
        leave_out=(Span(NOON + 2 * HOUR, NOON + 3 * HOUR),),
    )
    assert found.columns()["prediction_id"] == ["p6", "p4"]
    tally = found.tally
    assert (tally.predictions, tally.outside, tally.left_out, tally.shadow) == (2, 2, 1, 1)


def test_a_stretch_without_an_end_leaves_out_everything_after_it() -> None:
    found = joined(event(1), event(2, 5), label(1), label(2), leave_out=(Span(NOON + HOUR, None),))
    assert found.columns()["prediction_id"] == ["p1"]


def test_other_models_and_unlabelled_predictions_are_no_rows() -> None:
    found = joined(event(1), event(2, model="other"), event(3), label(3, model="other"), label(1))
    assert found.columns()["prediction_id"] == ["p1"]
    assert (found.tally.predictions, found.tally.labelled) == (2, 1)


def test_a_feature_called_label_keeps_its_column() -> None:
    schema = FeatureSchema((Feature("label", "numeric"), Feature("_label", "numeric")))
    assert column("label", schema) == "__label"
    found = joined(event(1, features={"label": 3.0, "_label": 4.0}), label(1, 0.0), schema=schema).columns()
    assert (found["label"], found["_label"], found["__label"]) == ([3.0], [4.0], [0.0])
