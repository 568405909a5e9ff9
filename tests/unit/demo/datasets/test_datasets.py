"""The laws of every example data set, and what is particular to each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from demo.datasets.catalogue import DATASETS, dataset_named
from demo.datasets.dataset import Dataset
from demo.datasets.flights import LATE_MINUTES, Flights
from demo.datasets.payments import World, payments
from demo.datasets.write import Clock, write
from training.data.description import read_description

every_dataset = pytest.mark.parametrize("dataset", DATASETS, ids=lambda dataset: dataset.description.name)


def names_of(dataset: Dataset) -> tuple[str, ...]:
    return tuple(feature.name for feature in dataset.description.features)


@every_dataset
def test_rows_have_the_columns_that_the_description_names(dataset: Dataset) -> None:
    description = dataset.description
    for rows in (dataset.reference(3), dataset.quiet(3)):
        assert {*names_of(dataset), description.label, description.time, description.entity} <= set(rows.columns)
        assert rows[description.label].isin([0, 1]).all()
        assert rows[[description.time, description.entity, description.label]].notna().all().all()


@every_dataset
def test_a_feature_that_may_not_be_missing_never_is(dataset: Dataset) -> None:
    for rows in (dataset.reference(3), dataset.quiet(3), *(e.make(dataset.quiet(3), 3) for e in dataset.episodes)):
        for feature in dataset.description.features:
            assert feature.nullable or rows[feature.name].notna().all(), feature.name


@every_dataset
def test_the_same_seed_gives_the_same_rows_and_another_seed_others(dataset: Dataset) -> None:
    pd.testing.assert_frame_equal(dataset.reference(3), dataset.reference(3))
    pd.testing.assert_frame_equal(dataset.quiet(3), dataset.quiet(3))
    assert not dataset.reference(3).equals(dataset.reference(4))
    assert not dataset.quiet(3).equals(dataset.quiet(4))


@every_dataset
def test_no_quiet_row_was_trained_on(dataset: Dataset) -> None:
    columns = [*names_of(dataset), dataset.description.time, dataset.description.entity]
    both = pd.concat([dataset.reference(3), dataset.quiet(3)])
    assert not both.duplicated(columns).any()


@every_dataset
def test_reference_rows_are_in_time_order_and_quiet_rows_are_not(dataset: Dataset) -> None:
    time = dataset.description.time
    assert dataset.reference(3)[time].is_monotonic_increasing
    first_half = dataset.quiet(3)[time].iloc[:5000]
    assert abs((first_half - first_half.min()) / (first_half.max() - first_half.min())).mean() == pytest.approx(
        0.5, abs=0.03
    )


@every_dataset
def test_the_share_of_positives_is_the_same_in_reference_and_quiet_rows(dataset: Dataset) -> None:
    label = dataset.description.label
    assert dataset.reference(3)[label].mean() == pytest.approx(dataset.quiet(3)[label].mean(), abs=0.004)


@every_dataset
def test_each_episode_moves_the_features_it_blames(dataset: Dataset) -> None:
    quiet = dataset.quiet(3)
    for episode in dataset.episodes:
        drifted = episode.make(quiet, 3)
        assert len(drifted) >= 10_000
        for feature in episode.blames:
            spread = quiet[feature].std()
            assert abs(drifted[feature].mean() - quiet[feature].mean()) > 0.2 * spread, (episode.name, feature)


@every_dataset
def test_a_written_data_set_reads_back_as_a_user_would_bring_it(dataset: Dataset, tmp_path) -> None:
    toml = write(dataset, tmp_path / "data", seed=3)
    description, file = read_description(toml.parent)
    assert description == dataset.description
    read = pd.read_parquet(file)
    assert len(read) == len(dataset.reference(3))
    assert set(names_of(dataset)) <= set(read.columns)


def test_an_unknown_data_set_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ValueError, match="no data set 'fligths': choose one of flights, payments"):
        dataset_named("fligths")


def test_flights_of_january_to_march_are_split_80_to_20() -> None:
    flights = Flights()
    reference, quiet = flights.reference(3), flights.quiet(3)
    assert len(reference) + len(quiet) == 80_789
    assert len(quiet) / 80_789 == pytest.approx(0.2, abs=1e-4)
    assert set(reference["event_time"].dt.tz_convert("America/New_York").dt.month) == {1, 2, 3}


def test_later_flights_are_one_whole_month_in_time_order() -> None:
    june = Flights().later(6)
    assert len(june) == 28_243
    assert june["event_time"].is_monotonic_increasing
    assert june["temp"].mean() > Flights().quiet(3)["temp"].mean() + 30


def test_a_flight_is_late_after_half_an_hour_or_when_it_never_arrives() -> None:
    # 2013-01-01: UA 1714 arrived 20 minutes late; AA 1141 33 minutes late; from the published table
    day = Flights().reference(3).head(400)
    assert LATE_MINUTES == 30
    assert set(day.loc[day["flight"] == "UA1714", "late"]) <= {0}
    assert set(day.loc[day["flight"] == "AA1141", "late"]) <= {1}


def test_a_turned_concept_moves_no_input_of_the_payments_but_their_labels() -> None:
    usual, turned = payments(60_000, 3), payments(60_000, 3, World(concept=1.0))
    inputs = [column for column in usual.columns if column != "fraud"]
    pd.testing.assert_frame_equal(usual[inputs], turned[inputs])
    assert (usual["fraud"] != turned["fraud"]).mean() > 0.02
    assert turned["fraud"].mean() == pytest.approx(usual["fraud"].mean(), abs=0.007)


def test_better_credit_scores_lower_the_rate_of_fraud() -> None:
    usual, better = payments(40_000, 3), payments(40_000, 3, World(bureau_shift=1.0))
    assert (better["bureau_score"] - usual["bureau_score"]).dropna().unique().tolist() == [80.0]
    assert better["fraud"].mean() < usual["fraud"].mean()


def test_one_payment_in_forty_is_fraud() -> None:
    assert payments(60_000, 3)["fraud"].mean() == pytest.approx(0.024, abs=0.003)


@every_dataset
def test_the_second_act_is_in_time_order_and_leaves_windows_for_the_new_champion(dataset: Dataset) -> None:
    act = dataset.second_act(3)
    assert act.rows[dataset.description.time].is_monotonic_increasing
    assert {*names_of(dataset), dataset.description.label} <= set(act.rows.columns)
    assert len(act.rows) >= (act.learn + 3) * act.rows_per_window


def test_in_the_second_act_of_payments_the_inputs_are_those_of_an_unmoved_world() -> None:
    act, unmoved = dataset_named("payments").second_act(3), payments(70_000, [3, 3])
    inputs = list(names_of(dataset_named("payments")))
    pd.testing.assert_frame_equal(act.rows[inputs], unmoved[inputs])
    assert (act.rows["fraud"] != unmoved["fraud"]).mean() > 0.01


@every_dataset
def test_on_a_clock_of_the_demos_own_so_many_rows_of_the_reference_last_a_window(
    dataset: Dataset, tmp_path: Path
) -> None:
    # |-- 7,000 rows --|-- 7,000 rows --| ... |-- what is left --| end
    end, window = datetime(2026, 5, 4, 12, tzinfo=UTC), timedelta(hours=1)
    write(dataset, tmp_path, 3, Clock(7_000, window, end))
    rows = pd.read_parquet(tmp_path / dataset.description.file)
    number = (end - rows[dataset.description.time]) // -window
    counts = number.value_counts().sort_index().tolist()
    assert set(counts[:-1]) == {7_000}
    assert sum(counts) == len(rows) == len(dataset.reference(3))
    assert rows[dataset.description.time].is_monotonic_increasing
    assert rows[dataset.description.time].iloc[-1] < end
