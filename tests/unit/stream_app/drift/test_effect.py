"""What a drift does to the model: both numbers against worked examples, and the headline by the cause."""

from __future__ import annotations

import numpy as np
import pytest

from contracts.baseline import Reference
from contracts.binning import Bins, Levels
from contracts.dependence import ScoreDependence
from contracts.findings import Cause, CauseKind, ModelEffect, ScoreChange
from contracts.histogram import Histogram
from stream_app.drift.effect import is_harmless, model_effect

# bins: below 0 | 0 to 10 | 10 to 20 | 20 to 30 | above
BINS = Bins((0.0, 10.0, 20.0, 30.0), 0.0, np.nextafter(30.0, 0.0))
# the model's answer is a hundredth of the value; the rows of a bin are said to score otherwise
LINEAR = ScoreDependence(
    bin_starts=(0, 2, 3),
    bin_scores=(0.5, 0.6, 0.9),
    missing_score=0.1,
    at=(-5.0, 5.0, 15.0, 25.0, 35.0),
    partial=(-0.05, 0.05, 0.15, 0.25, 0.35),
    partial_missing=0.75,
    sample_score=0.15,
)
REFERENCE = Reference(BINS, (0, 30, 30, 30, 0), missing=10, dependence=LINEAR)


def window(counts: tuple[int, ...], missing: int = 0, bins: Bins | Levels = BINS) -> Histogram:
    histogram = Histogram(bins)
    histogram.counts += np.array(counts)
    histogram.missing = missing
    return histogram


def of(found: ModelEffect | None) -> ModelEffect:
    assert found is not None
    return found


def cause(kind: CauseKind, value: float | str | None = None) -> Cause:
    return Cause(kind=kind, value=value, sentence="")


def test_without_scores_there_is_nothing_to_say() -> None:
    assert model_effect(Reference(BINS, (0, 30, 30, 30, 0)), window((0, 30, 30, 30, 0)), None) is None


def test_the_same_shares_change_nothing() -> None:
    found = of(model_effect(REFERENCE, window((0, 60, 60, 60, 0), missing=20), None))
    assert found == ModelEffect(if_world_moved=ScoreChange(0.0), if_data_broke=ScoreChange(0.0))


def test_a_window_without_rows_changes_nothing() -> None:
    found = of(model_effect(REFERENCE, window((0, 0, 0, 0, 0)), None))
    assert found.if_world_moved.score == found.if_data_broke.score == 0  # type: ignore[union-attr]


def test_rows_that_move_to_another_bin_bring_that_bins_scores_with_them_if_the_world_moved() -> None:
    # 30 of 100 rows leave 0 to 10 for 20 to 30
    found = of(model_effect(REFERENCE, window((0, 0, 30, 60, 0), missing=10), None))
    assert found.if_world_moved.score == pytest.approx(0.3 * (0.9 - 0.5))
    assert found.if_data_broke is not None
    assert found.if_data_broke.score == pytest.approx(0.3 * (0.25 - 0.05))


def test_the_partial_dependence_of_a_bin_is_interpolated_at_its_middle() -> None:
    uneven = ScoreDependence(bin_starts=(0,), bin_scores=(0.0,), at=(0.0, 30.0), partial=(0.0, 0.3), sample_score=0.15)
    reference = Reference(BINS, (0, 30, 30, 30, 0), dependence=uneven)
    found = of(model_effect(reference, window((0, 0, 30, 60, 0)), None))
    assert found.if_data_broke is not None
    assert found.if_data_broke.score == pytest.approx((0.25 - 0.05) / 3, rel=1e-3)


@pytest.mark.parametrize("value", [12.0, 40.0, -1.0])
def test_a_spike_sets_a_share_of_all_rows_to_its_value(value: float) -> None:
    # a fifth of the rows, missing ones among them
    counts = np.array([0, 240, 240, 240, 0])
    counts[np.searchsorted(BINS.edge_array, value, side="right")] += 200
    found = of(model_effect(REFERENCE, window(tuple(counts), missing=80), cause("spike", value)))
    asked = np.interp(value, LINEAR.at, [0.0 if mean is None else mean for mean in LINEAR.partial or ()])
    assert found.if_data_broke is not None
    assert found.if_data_broke.score == pytest.approx(0.2 * (asked - 0.15))
    assert found.headline == "data"


def test_lost_values_are_what_the_model_answers_without_them() -> None:
    found = of(model_effect(REFERENCE, window((0, 20, 20, 20, 0), missing=40), cause("missing")))
    assert found.if_data_broke is not None
    assert found.if_data_broke.score == pytest.approx((0.4 - 0.1) / 0.9 * (0.75 - 0.15))


def test_a_new_level_is_what_the_model_answers_to_one_it_never_saw() -> None:
    levels = Levels(("a", "b"))
    known = ScoreDependence(
        bin_starts=(0, 1, 2, 3),
        bin_scores=(0.1, 0.3, 0.2, 0.2),
        partial=(0.1, 0.3, None, 0.6),
        partial_positives=(0.0, 1.0, None, 1.0),
        sample_score=0.2,
        sample_positives=0.5,
    )
    reference = Reference(levels, (50, 50, 0, 0), dependence=known)
    found = of(model_effect(reference, window((40, 40, 0, 20), bins=levels), cause("new_level", "x")))
    assert found.if_data_broke is not None
    assert found.if_data_broke.score == pytest.approx(0.2 * (0.6 - 0.2))
    assert found.if_data_broke.positives == pytest.approx(0.2 * (1.0 - 0.5))


def test_the_cause_picks_the_headline() -> None:
    moved = window((0, 0, 30, 60, 0), missing=10)
    assert of(model_effect(REFERENCE, moved, cause("unit"))).headline == "data"
    assert of(model_effect(REFERENCE, moved, cause("shift"))).headline == "world"
    assert of(model_effect(REFERENCE, moved, None)).headline == "world"


def test_a_model_that_could_not_be_asked_is_silent_about_broken_data() -> None:
    told = ScoreDependence(bin_starts=(0, 2, 3), bin_scores=(0.5, 0.6, 0.9))
    reference = Reference(BINS, (0, 30, 30, 30, 0), dependence=told)
    found = of(model_effect(reference, window((0, 0, 30, 60, 0)), cause("unit")))
    assert found.if_data_broke is None
    assert found.headline == "data"  # what the cause speaks for is not known: the other number does not take its place
    assert found.expected is None
    assert not is_harmless(found)
    world = of(model_effect(reference, window((0, 0, 30, 60, 0)), cause("shift")))
    assert world.expected == world.if_world_moved == ScoreChange(pytest.approx((0.9 - 0.5) / 3, rel=1e-3))


def test_the_change_of_the_score_itself_is_known_whatever_the_cause() -> None:
    own = Reference(BINS, (0, 30, 30, 30, 0), dependence=ScoreDependence(bin_starts=(0, 2, 3), bin_scores=(5, 15, 25)))
    found = of(model_effect(own, window((0, 0, 30, 60, 0)), cause("spike", 25.0), of_score=True))
    assert (found.headline, found.if_data_broke) == ("world", None)
    assert found.expected == ScoreChange(pytest.approx(20 / 3, rel=1e-3))


def test_where_the_model_gave_no_answer_nothing_is_stated_of_rows_that_went_there() -> None:
    refusing = ScoreDependence(
        bin_starts=(0,), bin_scores=(0.2,), at=(5.0, 25.0), partial=(0.1, 0.3), sample_score=0.2, refused="no value"
    )
    reference = Reference(BINS, (0, 30, 30, 30, 0), missing=10, dependence=refusing)
    assert of(model_effect(reference, window((0, 20, 20, 20, 0), missing=40), cause("missing"))).if_data_broke is None


# levels "a", "b", the others, and unseen ones, which the model refuses
REFUSING = ScoreDependence(
    bin_starts=(0, 1),
    bin_scores=(0.2, 0.4),
    partial=(0.2, 0.4, None, None),
    sample_score=0.3,
    refused="unseen levels: ValueError",
)
LEVELS = Levels(("a", "b"))
OF_LEVELS = Reference(LEVELS, (500, 500, 0, 0), dependence=REFUSING)


@pytest.mark.parametrize("kind", ["renamed", "shift", None])
def test_half_of_the_rows_where_the_model_gives_no_answer_is_not_harmless(kind: CauseKind | None) -> None:
    renamed = window((500, 0, 0, 500), bins=LEVELS)
    found = of(model_effect(OF_LEVELS, renamed, None if kind is None else cause(kind, "b")))
    assert found.if_data_broke is None
    assert not is_harmless(found)


def test_rows_that_left_where_the_model_gives_no_answer_leave_nothing_to_state_either() -> None:
    reference = Reference(LEVELS, (500, 400, 0, 0), missing=100, dependence=REFUSING)
    assert of(model_effect(reference, window((500, 500, 0, 0), bins=LEVELS), None)).if_data_broke is None


def test_a_few_rows_where_the_model_gives_no_answer_score_like_all() -> None:
    """8 of 1,000 rows leave "b" (.4) for what is refused: .008 (.3 - .4)."""
    found = of(model_effect(OF_LEVELS, window((500, 492, 0, 8), bins=LEVELS), None))
    assert found.if_data_broke is not None
    assert found.if_data_broke.score == pytest.approx(0.008 * (0.3 - 0.4))


def test_rows_without_a_value_that_the_reference_never_had_score_like_all_if_the_world_moved() -> None:
    told = ScoreDependence(bin_starts=(0, 2, 3), bin_scores=(0.5, 0.6, 0.9))
    reference = Reference(BINS, (0, 30, 30, 30, 0), dependence=told)
    assert of(model_effect(reference, window((0, 20, 20, 20, 0), missing=40), None)).if_world_moved.score == (
        pytest.approx(0.0)
    )


def test_where_the_cause_is_broken_data_only_what_broken_data_does_counts() -> None:
    small, large = ScoreChange(0.009), ScoreChange(-0.011)
    assert is_harmless(ModelEffect(if_world_moved=large, if_data_broke=small, headline="data"))
    assert not is_harmless(ModelEffect(if_world_moved=small, if_data_broke=large, headline="data"))


def test_harmless_is_what_hardly_moves_the_answers_whichever_way_it_came() -> None:
    small, large = ScoreChange(0.009, -0.009), ScoreChange(-0.011, 0.0)
    assert is_harmless(ModelEffect(if_world_moved=small, if_data_broke=small))
    assert not is_harmless(ModelEffect(if_world_moved=small, if_data_broke=large))
    assert not is_harmless(ModelEffect(if_world_moved=large, if_data_broke=small))
    assert not is_harmless(ModelEffect(if_world_moved=small, if_data_broke=ScoreChange(0.0, 0.02)))


def test_what_could_not_be_known_is_not_harmless() -> None:
    assert not is_harmless(None)
    assert not is_harmless(ModelEffect(if_world_moved=ScoreChange(0.0)))
