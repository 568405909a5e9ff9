"""Weighted AUC and average precision are scikit-learn's; the interval covers what it should; and it is fast."""

from __future__ import annotations

import time

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from training.gates.resampling import Ranking, resampled


@pytest.mark.parametrize("decimals", [1, 6])
def test_a_resample_measures_what_scikit_learn_measures_with_weights(decimals: int) -> None:
    draw = np.random.default_rng(0)
    for _ in range(20):
        labels = (draw.random(300) < 0.2).astype(np.int64)
        scores = np.round(draw.normal(labels, 1.0), decimals)
        weights = np.bincount(draw.integers(0, 300, 300), minlength=300).astype(np.float64)
        auc, precision = Ranking(labels, scores).measures(weights)
        assert auc == pytest.approx(roc_auc_score(labels, scores, sample_weight=weights), abs=1e-12)
        assert precision == pytest.approx(average_precision_score(labels, scores, sample_weight=weights), abs=1e-12)


def test_a_resample_of_one_class_tells_nothing() -> None:
    assert all(np.isnan(Ranking(np.array([0, 1]), np.array([0.1, 0.9])).measures(np.array([1.0, 0.0]))))


def test_equal_models_differ_by_nothing_and_pairs_are_surer_than_each_alone() -> None:
    draw = np.random.default_rng(1)
    labels = (draw.random(1_000) < 0.3).astype(np.int64)
    scores = draw.normal(labels, 1.0)
    same = resampled(labels, [scores, scores], 200, 0).difference(0, 0.95)
    assert same == (0.0, 0.0, 0.0)
    near = resampled(labels, [scores, scores + draw.normal(0, 0.1, 1_000)], 400, 0)
    alone, pair = near.interval(0, 0, 0.95), near.difference(0, 0.95)
    assert pair.high - pair.low < (alone.high - alone.low) / 3


def test_the_interval_of_equally_good_models_holds_zero_about_as_often_as_it_says() -> None:
    held = 0
    for seed in range(100):
        draw = np.random.default_rng(seed)
        labels = (draw.random(400) < 0.4).astype(np.int64)
        one, other = draw.normal(labels, 1.0), draw.normal(labels, 1.0)
        gain = resampled(labels, [one, other], 200, seed).difference(0, 0.9)
        held += gain.low <= 0 <= gain.high
    assert 81 <= held <= 98  # 90 expected; beyond: once in a thousand


def test_the_same_seed_draws_the_same() -> None:
    labels, scores = np.array([0, 1] * 50), np.random.default_rng(0).random(100)
    first, again, other = (resampled(labels, [scores], 200, seed).interval(0, 0, 0.95) for seed in (1, 1, 2))
    assert first == again != other


def test_a_resample_takes_a_fraction_of_what_scikit_learn_takes() -> None:
    draw = np.random.default_rng(2)
    labels = (draw.random(10_000) < 0.05).astype(np.int64)
    scores = draw.normal(labels, 1.0)
    began = time.process_time()
    for _ in range(20):
        roc_auc_score(labels, scores, sample_weight=np.ones(10_000))
        average_precision_score(labels, scores, sample_weight=np.ones(10_000))
    theirs = time.process_time() - began
    resampled(labels, [scores], 20, 0)
    assert time.process_time() - began - theirs < theirs / 3  # seen: a thirtieth; 1,000 of two models in .4 s
