"""The performance benchmark measures what it says: models whose truth is known, quiet windows, payments' worlds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from bench.performance.exactness import exactness
from bench.performance.natural import NATURES, REFERENCE_WINDOWS, varying
from bench.performance.payments import worlds
from bench.performance.quiet import quiet
from bench.performance.run import PERFORMANCE
from bench.performance.scores import MODELS, normal
from demo.datasets.payments import Payments, payments


@pytest.mark.parametrize("name", MODELS)
def test_a_made_up_models_scores_are_the_chances_of_its_truths(name: str) -> None:
    scores, truths = MODELS[name](np.random.default_rng(1), 200_000)
    assert truths.mean() == pytest.approx(scores.mean(), abs=0.005)


def test_less_slope_is_a_lower_auc_of_the_same_scores() -> None:
    aucs = []
    for slope in (1.0, 0.5):
        scores, truths = normal(-1.6, 1.0, slope)(np.random.default_rng(1), 50_000)
        aucs.append(roc_auc_score(truths, scores))
    assert aucs[1] < aucs[0] - 0.05


def test_quiet_windows_are_told_by_model_and_size_and_hardly_any_alarms() -> None:
    found = quiet(1, (300,), 50)
    assert [each.model for each in found] == list(MODELS)
    assert all(each.windows == 50 and each.alarms + each.insufficient <= 1 for each in found)
    assert sum(each.alarms for each in found) / len(found) < 0.03


def test_measures_are_near_scikit_learns() -> None:
    for found in exactness(1, 20_000, 1):
        assert found.error["auc"] < 0.002
        assert found.error["average_precision"] < 0.002


class Few(Payments):
    """Payments, a quarter of the reference."""

    def reference(self, seed: int) -> pd.DataFrame:
        return payments(15_000, [seed, 0])


def test_concept_drift_is_seen_by_labels_and_by_nothing_else() -> None:
    found = worlds(1, 4_000, 2_000, ("as the reference", "all of the concept"), Few())
    by_name = {world.world: world for world in found}
    calm, turned = by_name["as the reference"], by_name["all of the concept"]
    assert (turned.drifting, turned.degraded) == (0.0, 1.0)
    assert turned.auc < calm.auc - 0.1
    assert turned.estimated_auc == pytest.approx(turned.reference_auc, abs=0.02)


def test_windows_that_differ_by_nature_alarm_before_and_hardly_after_it_was_learnt() -> None:
    drawn = {(each.nature, each.reference_windows): each for each in varying(1, (500,), 2, 30)}
    assert set(drawn) == {(nature, number) for nature in NATURES for number in REFERENCE_WINDOWS}
    large = drawn["large", 60]
    assert large.sampling > 0.3
    assert large.learnt < 0.1
    assert drawn["none", 60].auc_drop == pytest.approx(0.06, abs=0.03)


@pytest.mark.parametrize(("alarms", "natural"), [(0.0051, 0.0), (0.0, 0.021)])
def test_too_many_false_alarms_are_a_failure(alarms: float, natural: float) -> None:
    class Figures:
        false_alarms, natural_alarms = alarms, natural

    assert not PERFORMANCE.held(Figures())
