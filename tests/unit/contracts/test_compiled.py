"""A compiled model: what it computes, and that bytes which contradict themselves never reach native code."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from contracts.compiled import Compiled, Forest, Isotonic, Linear, Sample, Sigmoid
from contracts.compiled_scorer import CompiledScorer, largest_difference
from contracts.encoder import Codes, Encoder, Fill, Numbers, OneHot, Scale
from contracts.errors import InvalidCompiled, NewerFormat, Unscorable
from contracts.onnx_bytes import varints
from contracts.trees import MAX_DEPTH, TreeArrays, TreeTables
from tests.compiled import ROWS, SCORES, TREE, a_compiled


def tree(**changes: Any) -> TreeArrays:
    return TREE._replace(**{name: np.array(values) for name, values in changes.items()})


def chain(depth: int) -> TreeArrays:
    """A tree whose right children go down so many splits."""
    nodes = 2 * depth + 1
    inner = np.arange(nodes) % 2 == 0
    inner[-1] = False
    return TreeArrays(
        roots=np.array([0]),
        feature=np.where(inner, 0, -1),
        threshold=np.zeros(nodes),
        missing_left=np.zeros(nodes),
        left=np.where(inner, np.arange(nodes) + 1, 0),
        right=np.where(inner, np.arange(nodes) + 2, 0),
        value=np.where(inner, 0.0, np.arange(nodes)),
    )


def test_the_scores_are_those_of_the_tree() -> None:
    scores = CompiledScorer(a_compiled()).score(ROWS[:4])
    assert scores.tolist() == list(SCORES[:4])


def test_a_number_that_the_rounding_makes_infinite_is_refused_as_the_model_refuses_it() -> None:
    with pytest.raises(Unscorable, match="too large"):
        CompiledScorer(a_compiled()).score([ROWS[4]])


def test_a_model_that_takes_no_missing_values_refuses_them() -> None:
    scorer = CompiledScorer(a_compiled(refuses="not finite"))
    with pytest.raises(Unscorable, match="missing"):
        scorer.score([ROWS[3]])


def test_a_value_is_rounded_to_float32_only_where_the_model_does_it() -> None:
    just_above = (100.0 + 1e-9, 1.0, "a")
    wide = Forest(TreeTables.of(TREE))
    assert CompiledScorer(a_compiled()).score([just_above]).tolist() == [0.25]
    assert CompiledScorer(a_compiled(function=wide)).score([just_above]).tolist() == [0.5]


def test_trees_are_summed_with_the_base_and_divided() -> None:
    twice = TreeArrays(
        np.array([0, 5]),
        *(np.tile(column, 2) for column in TREE[1:4]),
        *(np.concatenate([column, np.where(column > 0, column + 5, 0)]) for column in TREE[4:6]),
        np.tile(TREE.value, 2),
    )
    function = Forest(TreeTables.of(twice), base=1.0, divisor=4.0)
    assert CompiledScorer(a_compiled(function=function)).score([ROWS[1]]).tolist() == [(1.0 + 0.5 + 0.5) / 4]


def test_a_linear_model_is_a_product_through_its_link() -> None:
    function = Linear((0.5, 0.0, 0.0, 1.0, 0.0), -1.0)
    scorer = CompiledScorer(a_compiled(function=function, link="logistic", refuses="not finite"))
    assert scorer.kind == "compiled-linear"
    assert scorer.score([(2.0, 1.0, "a"), (-4000.0, 1.0, "b")]).tolist() == [1 / (1 + np.exp(-1.0)), 0.0]


def test_the_encoder_fills_marks_scales_codes_and_spreads() -> None:
    blocks = (
        OneHot(1, ("x", None)),
        Numbers((0, 2), (Fill((5.0, 7.0), (1,)), Scale((1.0, 1.0, 0.0), (2.0, 2.0, 1.0)))),
        Codes(1, ("x", "y"), (0.0, 1.0), -1.0),
    )
    encoded = Encoder(blocks, 3).encode([(None, "x", True), (3.0, None, None), (3.0, "new", False)])
    assert encoded.flags.c_contiguous
    assert encoded.tolist() == [
        [1.0, 0.0, 2.0, 0.0, 0.0, 0.0],
        [0.0, 1.0, 1.0, 3.0, 1.0, -1.0],
        [0.0, 0.0, 1.0, -0.5, 0.0, -1.0],
    ]


def test_neighbouring_columns_that_need_no_arithmetic_are_written_in_their_order() -> None:
    blocks = (Numbers((2,)), Codes(1, ("x",), (4.0,), -1.0), Numbers((0,)), OneHot(1, ("x",)), Numbers((2,)))
    assert Encoder(blocks, 3).encode([(1.0, "x", 3.0)]).tolist() == [[3.0, 4.0, 1.0, 1.0, 3.0]]
    assert Encoder(blocks[:3], 3).encode([(1.0, "y", 3.0)]).tolist() == [[3.0, -1.0, 1.0]]


@pytest.mark.parametrize(
    ("blocks", "complaint"),
    [
        ((), "0 columns"),
        ((Numbers((3,)),), "feature 3 of 3"),
        ((OneHot(-1, ("a",)),), "feature -1 of 3"),
        ((Codes(1, ("a",), (), 0.0),), "0 codes for 1 levels"),
        ((Numbers((0,), (Fill((1.0, 2.0)),)),), "a step for"),
        ((Numbers((0,), (Scale((1.0,), (1.0, 2.0)),)),), "a step for"),
        ((Numbers((0,), (Fill((1.0,), (1,)),)),), "a gap is marked"),
    ],
)
def test_blocks_that_do_not_fit_are_refused(blocks: tuple[Any, ...], complaint: str) -> None:
    with pytest.raises(InvalidCompiled, match=complaint):
        Encoder(blocks, 3)


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        (tree(left=[1, 0, 9, 0, 0]), "outside"),
        (tree(left=[1, 0, -3, 0, 0]), "outside"),
        (tree(roots=[5]), "outside"),
        (tree(roots=[1]), "without a split"),
        (tree(roots=[0, 0]), "more than once"),
        (tree(left=[1, 0, 0, 0, 0]), "more than once"),  # a circle
        (tree(right=[1, 0, 4, 0, 0]), "more than once"),  # two parents, and nodes that nobody reaches
        (tree(feature=[5, -1, 2, -1, -1]), "column that is not among the 5"),
        (tree(feature=[0, -2, 2, -1, -1]), "column that is not among the 5"),
        (tree(threshold=[np.nan, 0, 0.5, 0, 0]), "not a number"),
        (tree(value=[0, np.inf, 0, 0.5, 1.0]), "not a number"),
        (tree(missing_left=[2, 0, 0, 0, 0]), "missing_left"),
        (tree(value=[0, 0.25]), "do not belong together"),
        (TreeArrays(*(np.zeros(0) for _ in TREE)), "do not belong together"),
        (chain(MAX_DEPTH), "deeper than"),
    ],
)
def test_trees_in_which_one_could_get_lost_are_refused(broken: TreeArrays, complaint: str) -> None:
    with pytest.raises(InvalidCompiled, match=complaint):
        CompiledScorer(a_compiled(broken))


def test_a_deep_tree_is_walked_to_its_end() -> None:
    deep = chain(MAX_DEPTH - 1)
    scorer = CompiledScorer(a_compiled(deep, refuses="nothing"))
    assert scorer.score([(1.0, 1.0, "a"), (-1.0, 1.0, "a")]).tolist() == [len(deep.value) - 1, 1.0]


def test_half_a_number_is_refused() -> None:
    trees = msgspec.structs.replace(TreeTables.of(TREE), threshold=b"1234567")
    with pytest.raises(InvalidCompiled, match="threshold has 7 bytes"):
        CompiledScorer(a_compiled(function=Forest(trees)))


@pytest.mark.parametrize(
    ("function", "complaint"),
    [
        (Linear((1.0,), 0.0), "1 coefficients for 5 columns"),
        (Linear((1.0, 1.0, 1.0, 1.0, np.nan), 0.0), "not finite"),
        (Forest(TreeTables.of(TREE), divisor=0.0), "divisor 0.0"),
        (Forest(TreeTables.of(TREE), base=np.nan), "base nan"),
    ],
)
def test_a_function_that_gives_no_number_is_refused(function: Any, complaint: str) -> None:
    with pytest.raises(InvalidCompiled, match=complaint):
        CompiledScorer(a_compiled(function=function))


@pytest.mark.parametrize(
    ("sample", "complaint"),
    [
        (lambda: Sample((), ()), "0 rows"),
        (lambda: Sample(ROWS, SCORES[:2]), "5 rows and 2 scores"),
        (lambda: Sample(ROWS[:1], (None,)), "no row with a score"),
        (lambda: Sample(ROWS[:1], (float("nan"),)), "not finite"),
        (lambda: a_compiled(sample=Sample(((1.0,),), (0.5,))), "has not 3 values"),
    ],
)
def test_a_sample_that_could_not_show_an_error_is_refused(sample: Any, complaint: str) -> None:
    with pytest.raises(InvalidCompiled, match=complaint):
        sample()


def test_what_was_written_is_read_and_scores_alike() -> None:
    read = Compiled.from_bytes(a_compiled().to_bytes())
    assert read == a_compiled()
    assert largest_difference(CompiledScorer(read).score, ROWS, SCORES) == 0.0


@pytest.mark.parametrize("data", [b"", b"\x80", b"not it", b"\x00" * 100])
def test_bytes_that_are_something_else_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidCompiled, match="not a compiled model"):
        Compiled.from_bytes(data)


def test_a_later_format_is_told_from_a_broken_file() -> None:
    with pytest.raises(NewerFormat, match="format 2"):
        Compiled.from_bytes(a_compiled().to_bytes().replace(b"\xa1v\x01", b"\xa1v\x02"))


def test_the_difference_is_infinite_where_only_one_side_refuses_a_row() -> None:
    scorer = CompiledScorer(a_compiled()).score
    assert largest_difference(scorer, ROWS[:2], (0.25, 0.75)) == 0.25
    assert largest_difference(lambda rows: np.full(len(rows), 5e9 + 5.0), ROWS[:2], (5e9, 5e9)) == 1e-9
    assert largest_difference(scorer, ROWS[:2], (0.25, None)) == np.inf
    assert largest_difference(scorer, ROWS[3:], (0.25, 0.5)) == np.inf
    assert largest_difference(lambda rows: np.full(len(rows), np.nan), ROWS[:1], (0.25,)) == np.inf


def test_whole_numbers_of_every_length_are_written_as_protobuf_has_them() -> None:
    def plain(value: int) -> bytes:
        out = b""
        while value > 0x7F:
            out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
        return out + bytes([value])

    values = sorted({max(0, 2**k + d) for k in range(31) for d in (-1, 0, 1)} | {2**31 - 1})
    assert varints(values) == b"".join(map(plain, values))


def test_a_sigmoid_makes_the_score_in_place_of_the_link() -> None:
    for link in ("logistic", "identity"):
        scorer = CompiledScorer(a_compiled(link=link, calibration=Sigmoid(2.0, -1.0)))
        right = [1 / (1 + np.exp(-(2.0 * value - 1.0))) for value in SCORES[:4] if value is not None]
        assert scorer.score(ROWS[:4]).tolist() == pytest.approx(right, abs=1e-15)


def test_steps_are_straight_between_their_points_and_flat_outside() -> None:
    scorer = CompiledScorer(a_compiled(link="logistic", calibration=Isotonic((0.3, 0.7), (0.1, 0.9))))
    assert scorer.score(ROWS[:3]).tolist() == pytest.approx([0.1, 0.5, 0.9])


@pytest.mark.parametrize(
    ("calibration", "complaint"),
    [
        (lambda: Sigmoid(np.nan, 0.0), "slope nan"),
        (lambda: Isotonic((), ()), "0 points"),
        (lambda: Isotonic((1.0,), (0.1, 0.2)), "1 points and 2 scores"),
        (lambda: Isotonic((1.0, 1.0), (0.1, 0.2)), "do not rise"),
        (lambda: Isotonic((1.0, 2.0), (0.2, 0.1)), "do not rise"),
        (lambda: Isotonic((1.0, np.inf), (0.2, 0.3)), "not finite"),
    ],
)
def test_a_calibration_that_is_none_is_refused(calibration: Any, complaint: str) -> None:
    with pytest.raises(InvalidCompiled, match=complaint):
        calibration()


@pytest.mark.parametrize("calibration", [Sigmoid(2.0, 1.0), Isotonic((0.0, 1.0), (0.1, 0.9))])
def test_a_calibration_is_read_as_it_was_written(calibration: Any) -> None:
    form = a_compiled(calibration=calibration)
    assert Compiled.from_bytes(form.to_bytes()) == form


def test_a_file_from_before_calibrations_is_read() -> None:
    plain = msgspec.msgpack.decode(a_compiled().to_bytes())
    del plain["calibration"]
    assert Compiled.from_bytes(msgspec.msgpack.encode(plain)) == a_compiled()
