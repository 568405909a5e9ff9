"""The plain counting that the nemesis' truth is made with: right by examples, and without the product's code."""

from __future__ import annotations

import ast
import inspect

import pytest

from bench.nemesis import naive
from bench.nemesis.naive import Counted, Named, Numeric, Tally

NAN = float("nan")


def test_a_number_on_an_edge_is_in_the_bin_above_and_nan_is_missing() -> None:
    tally = Tally(Numeric((0.0, 10.0)))
    tally.add([-1.0, 0.0, 9.9, 10.0, 50.0, NAN])
    tally.add([NAN])
    assert (tally.counts, tally.missing, tally.range) == ([1, 2, 2], 2, (-1.0, 50.0))


def test_a_level_has_its_bin_and_rare_and_unseen_ones_have_one_each() -> None:
    tally = Tally(Named(("a", "b"), ("c", "d")))
    tally.add(["a", "b", "b", "c", "d", "x"])
    assert (tally.counts, tally.missing, tally.range) == ([1, 2, 2, 1], 0, (None, None))


def test_what_others_counted_is_added_whatever_its_width() -> None:
    tally = Tally(Numeric((0.0,)))
    tally.add_counts(bytes([3, 4]), 1, -2.0, 5.0)
    tally.add_counts((300).to_bytes(2, "little") + (1).to_bytes(2, "little"), 0, -1.0, 7.0)
    assert (tally.counts, tally.missing, tally.range) == ([303, 5], 1, (-2.0, 7.0))
    with pytest.raises(ValueError, match="3 bytes for 2 bins"):
        tally.add_counts(b"abc", 0, None, None)


def test_rows_and_decisions_are_counted() -> None:
    counted = Counted({"score": Numeric((0.5,)), "carrier": Named(("a",), ())})
    counted.add({"score": [0.1, 0.9], "carrier": ["a", "z"], "not monitored": [1.0, 2.0]}, [False, True])
    assert (counted.rows, counted.decided, counted.positives) == (2, 2, 1)
    assert [tally.counts for tally in counted.tallies.values()] == [[1, 1], [1, 0, 1]]


def test_it_shares_no_code_with_what_it_judges() -> None:
    tree = ast.parse(inspect.getsource(naive))
    imported = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert not any(isinstance(node, ast.Import) for node in ast.walk(tree))
    assert set(imported) == {"__future__", "bisect", "collections", "collections.abc", "typing"}
