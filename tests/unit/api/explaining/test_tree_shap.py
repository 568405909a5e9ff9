"""Contributions by paths and quadrature are the Shapley values that the definition gives, subset by subset."""

from __future__ import annotations

from itertools import combinations
from math import factorial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.explaining.paths import TooLarge, paths_of
from api.explaining.tree_shap import TreeShap
from contracts.compiled import Forest
from contracts.compiled_scorer import CompiledScorer
from contracts.errors import InvalidCompiled
from contracts.trees import TreeArrays, TreeTables
from tests.compiled import COVERED, TREE, a_compiled

WIDTH = 4
NUMBERS = st.sampled_from([-1.0, 0.0, 0.5, 1.0, 2.0, np.inf, -np.inf, np.nan])


@st.composite
def forests(draw: Any) -> TreeArrays:
    """Up to three trees of depth 1 to 5 on four columns: columns come again on a path, and so do thresholds."""
    nodes: list[tuple[int, float, int, int, int, float, float]] = []

    def grow(depth: int, cover: int) -> int:
        at = len(nodes)
        nodes.append((-1, 0.0, 0, 0, 0, draw(st.floats(-3, 3)), float(cover)))
        if depth and cover > 1 and (at in roots or draw(st.booleans())):
            left = draw(st.integers(1, cover - 1))
            column, threshold = draw(st.integers(0, WIDTH - 1)), draw(st.sampled_from([-1.0, 0.0, 0.5, 1.0, np.inf]))
            children = grow(depth - 1, left), grow(depth - 1, cover - left)
            nodes[at] = (column, threshold, draw(st.integers(0, 1)), *children, 0.0, float(cover))
        return at

    roots: list[int] = []
    for _ in range(draw(st.integers(1, 3))):
        roots.append(len(nodes))
        grow(5, 200)
    feature, threshold, missing, left, right, value, cover = map(np.array, zip(*nodes, strict=True))
    return TreeArrays(np.array(roots), feature, threshold, missing, left, right, value, cover)


def expected(trees: TreeArrays, row: Any, known: set[int]) -> float:
    """Lundberg, Erion and Lee 2018, algorithm 1, for every tree."""

    def walk(node: int) -> float:
        if trees.feature[node] < 0:
            return float(trees.value[node])
        left, right = int(trees.left[node]), int(trees.right[node])
        x = row[trees.feature[node]]
        if trees.feature[node] in known:
            goes_left = trees.missing_left[node] == 1 if np.isnan(x) else x <= trees.threshold[node]
            return walk(left if goes_left else right)
        share = trees.cover[left] / trees.cover[node]
        return float(share * walk(left) + (1 - share) * walk(right))

    return sum(walk(int(root)) for root in trees.roots)


def by_definition(trees: TreeArrays, row: Any) -> list[float]:
    """Each column's mean gain over all subsets of the others, weighted as Shapley has it."""
    found = []
    for column in range(WIDTH):
        others = [other for other in range(WIDTH) if other != column]
        total = 0.0
        for size in range(WIDTH):
            weight = factorial(size) * factorial(WIDTH - size - 1) / factorial(WIDTH)
            for subset in combinations(others, size):
                gain = expected(trees, row, {*subset, column}) - expected(trees, row, set(subset))
                total += weight * gain
        found.append(total)
    return found


@settings(max_examples=150, deadline=None)
@given(trees=forests(), row=st.lists(NUMBERS, min_size=WIDTH, max_size=WIDTH))
def test_contributions_are_the_shapley_values_of_the_path_dependent_expectation(
    trees: TreeArrays, row: list[float]
) -> None:
    shap = TreeShap(trees, WIDTH)
    np.testing.assert_allclose(shap.contributions(np.array(row)), by_definition(trees, row), rtol=0, atol=1e-12)
    assert shap.base == pytest.approx(expected(trees, row, set()), abs=1e-12)


@settings(max_examples=150, deadline=None)
@given(trees=forests(), row=st.lists(NUMBERS, min_size=WIDTH, max_size=WIDTH))
def test_base_and_contributions_add_up_to_the_trees_sum(trees: TreeArrays, row: list[float]) -> None:
    shap = TreeShap(trees, WIDTH)
    total = shap.base + shap.contributions(np.array(row)).sum()
    assert total == pytest.approx(expected(trees, row, set(range(WIDTH))), abs=1e-12)


def test_a_path_of_many_columns_is_still_exact() -> None:
    """A chain of 60 splits on 60 columns: its last leaf asks for a polynomial of degree 59."""
    depth = 60
    inner = np.arange(2 * depth + 1) % 2 == 0
    inner[-1] = False
    place = np.arange(2 * depth + 1)
    trees = TreeArrays(
        roots=np.array([0]),
        feature=np.where(inner, place // 2, -1),
        threshold=np.zeros(len(place)),
        missing_left=np.zeros(len(place)),
        left=np.where(inner, place + 1, 0),
        right=np.where(inner, place + 2, 0),
        value=np.where(inner, 0.0, place.astype(float)),
        cover=2.0 ** -((place + 1) // 2) * 2.0**80,
    )
    row = np.ones(depth)
    row[50] = -1.0
    shap = TreeShap(trees, depth)
    assert shap.base + shap.contributions(row).sum() == pytest.approx(101.0, abs=1e-10)


def test_leaves_of_which_few_are_taken_at_a_time_have_the_same_paths() -> None:
    whole, one_by_one = paths_of(COVERED), paths_of(COVERED, at_a_time=1)
    assert (len(whole), len(one_by_one)) == (2, 3)  # one leaf below one column, two below two
    shares = [sorted(np.concatenate([each.share.ravel() for each in found]).tolist()) for found in (whole, one_by_one)]
    assert shares[0] == shares[1] == pytest.approx([1 / 6, 0.4, 0.6, 0.6, 5 / 6])


@pytest.mark.parametrize("at_a_time", [1, 100])
def test_a_forest_with_too_many_paths_is_refused(at_a_time: int) -> None:
    assert paths_of(COVERED, most=5)
    with pytest.raises(TooLarge, match="more than 4 splits"):
        paths_of(COVERED, most=4, at_a_time=at_a_time)


@pytest.mark.parametrize(
    ("cover", "complaint"),
    [
        ([10.0, 4, 0, 1, 5], "by no row"),
        ([10.0, 4, 11, 1, 5], "more than its parent"),
        ([np.inf, 4, 6, 1, 5], "not a number"),
        ([10.0, 4, np.nan, 1, 5], "not a number"),
        ([10.0, 4], "do not belong together"),
    ],
)
def test_covers_that_could_not_be_divided_by_are_refused(cover: list[float], complaint: str) -> None:
    broken = a_compiled(function=Forest(TreeTables.of(TREE._replace(cover=np.array(cover))), narrow=True))
    with pytest.raises(InvalidCompiled, match=complaint):
        CompiledScorer(broken)


def test_covers_change_no_score() -> None:
    with_covers = a_compiled(function=Forest(TreeTables.of(COVERED), narrow=True))
    rows = with_covers.sample.rows[:4]
    assert CompiledScorer(with_covers).score(rows).tolist() == CompiledScorer(a_compiled()).score(rows).tolist()
