"""Trees by their bits: the sums are those of walking them, to the last bit, and those of onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from contracts.compiled import Forest
from contracts.compiled_scorer import MANY, CompiledScorer, largest_difference
from contracts.encoder import Numbers
from contracts.tree_bits import MOST_LEAVES, tree_bits
from contracts.trees import TreeArrays, TreeTables
from tests.compiled import TREE, a_compiled

COLUMNS = 3
VALUES = (-np.inf, -1.0, -0.0, 0.0, 1.0, 2.0, 1e300, np.inf)
"""Thresholds and values of rows: few, so that they meet."""


def a_forest(seed: int, trees: int, leaves: int) -> TreeArrays:
    """Trees of any shape; each has up to so many leaves, the first one has all of them."""
    draw = np.random.default_rng(seed)
    nodes: list[list[float]] = []  # feature, threshold, missing_left, left, right, value
    roots = []
    for tree in range(trees):
        roots.append(len(nodes))
        open_ = [len(nodes)]
        nodes.append([-1, 0, 0, 0, 0, draw.normal()])
        for _ in range(leaves - 1 if tree == 0 else int(draw.integers(1, leaves))):
            split = open_.pop(int(draw.integers(len(open_))))
            left, right = len(nodes), len(nodes) + 1
            nodes += [[-1, 0, 0, 0, 0, draw.normal()] for _ in range(2)]
            open_ += [left, right]
            nodes[split] = [float(draw.integers(COLUMNS)), draw.choice(VALUES), float(draw.integers(2)), left, right, 0]
    columns = np.array(nodes).T
    return TreeArrays(
        np.array(roots), *(columns[i].astype(kind) for i, kind in enumerate(("i4", "f8", "u1", "i4", "i4", "f8")))
    )


def some_rows(seed: int, rows: int) -> Any:
    return np.random.default_rng(seed).choice([*VALUES, np.nan], size=(rows, COLUMNS))


def walked(trees: TreeArrays, row: Any) -> float:
    """Node by node, the trees in their order."""
    total = 0.0
    for root in trees.roots:
        node = root
        while trees.feature[node] >= 0:
            value = row[trees.feature[node]]
            left = bool(trees.missing_left[node]) if np.isnan(value) else value <= trees.threshold[node]
            node = trees.left[node] if left else trees.right[node]
        total += trees.value[node]
    return total


@pytest.mark.parametrize("leaves", [2, 3, 15, 16, 17, 31, MOST_LEAVES])
def test_the_sums_are_those_of_walking_the_trees_bit_for_bit(leaves: int) -> None:
    trees, rows = a_forest(leaves, 40, leaves), some_rows(leaves, 600)
    found = tree_bits(trees, COLUMNS)
    assert found is not None
    assert found.sums(rows).tolist() == [walked(trees, row) for row in rows]


@pytest.mark.parametrize("leaves", [4, 16, 32, 33])
def test_a_row_has_the_same_score_alone_as_among_many(leaves: int) -> None:
    function = Forest(TreeTables.of(a_forest(leaves, 30, leaves)), base=0.3, divisor=7.0)
    form = a_compiled(function=function, blocks=(Numbers((0, 1, 2)),), refuses="nothing", link="logistic")
    scorer = CompiledScorer(form)
    rows = [tuple(row) for row in some_rows(leaves, 5 * MANY).tolist()]
    assert scorer.score(rows).tolist() == [scorer.score([row]).tolist()[0] for row in rows]


def test_a_tree_of_more_leaves_is_not_taken() -> None:
    assert tree_bits(a_forest(1, 3, MOST_LEAVES + 1), COLUMNS) is None


def test_more_words_than_are_to_be_kept_are_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    # two columns, each with a threshold, infinity and what is missing, two bytes each
    monkeypatch.setattr("contracts.tree_bits.MOST_BYTES", 12)
    assert tree_bits(TREE, COLUMNS) is not None
    monkeypatch.setattr("contracts.tree_bits.MOST_BYTES", 11)
    assert tree_bits(TREE, COLUMNS) is None


def test_a_form_is_found_wrong_although_it_is_so_for_many_rows_or_for_few_only() -> None:
    rows = [(1.0, 1.0, "a")] * 3
    few = lambda rows: np.full(len(rows), 0.5 if len(rows) >= MANY else 0.75)  # noqa: E731
    many = lambda rows: np.full(len(rows), 0.75 if len(rows) >= MANY else 0.5)  # noqa: E731
    for scorer in (few, many):
        assert largest_difference(scorer, rows, (0.5, 0.5, 0.5)) == 0.25
