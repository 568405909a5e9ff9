"""CompiledScorer: rows to scores through a compiled model, and how far those are from what they should be.

Training runs it before it writes a compiled form and the api before it serves one, so what was checked is what answers.
A few rows walk the trees on onnxruntime, on one thread: several would wait for one another longer than a batch lasts.
Many rows are scored by contracts.tree_bits, to the same bits, where the trees are small enough. (Measured with 200
trees of 15 leaves: 3.2 us a row against 5.2 in batches of 256, 3.8 : 5.9 of 64, 6.8 : 7.9 of 16, 56 : 21 of one.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from contracts.compiled import Compiled, Forest, Isotonic, Linear, Sigmoid
from contracts.encoder import Encoder, Matrix, Row
from contracts.errors import InvalidCompiled, RuntimeAbsent, Unscorable
from contracts.onnx_bytes import tree_model
from contracts.tree_bits import tree_bits

Scores = npt.NDArray[np.float64]

MANY = 16
"""Rows from which on a batch is scored by tree_bits."""


class CompiledScorer:
    """Raises InvalidCompiled for tables that contradict themselves and RuntimeAbsent where onnxruntime is missing."""

    def __init__(self, compiled: Compiled) -> None:
        self._encoder = Encoder(compiled.blocks, len(compiled.features))
        self._refuses = compiled.refuses
        self._finish = _finish(compiled)
        function = compiled.function
        self._narrow = isinstance(function, Forest) and function.narrow
        if isinstance(function, Forest):
            self.kind = "compiled-trees"
            self._value = _forest(function, self._encoder.width)
        else:
            self.kind = "compiled-linear"
            self._value = _linear(function, self._encoder.width)

    def score(self, rows: Sequence[Row]) -> Scores:
        """One score a row, shape (rows,). rows: values in schema order, None where missing. Raises Unscorable."""
        encoded = self._encoder.encode(rows)
        if self._narrow:
            with np.errstate(over="ignore"):
                encoded = encoded.astype(np.float32).astype(np.float64)
        if self._refuses == "infinite" and np.isinf(encoded).any():
            raise Unscorable("a number is too large for the model")
        if self._refuses == "not finite" and not np.isfinite(encoded).all():
            raise Unscorable("a number is missing, or too large for the model")
        return self._finish(self._value(encoded))


def largest_difference(
    scorer: Callable[[Sequence[Row]], Scores], rows: Sequence[Row], expected: Sequence[float | None]
) -> float:
    """Between the scores of rows and the expected ones, of the score where that is above 1: a regressor's may be large.
    The rows are scored both ways, as many and as few, and the larger difference counts.

    Infinite where one side refuses a row that the other scores.
    """
    answered = [i for i, score in enumerate(expected) if score is not None]
    asked = [rows[i] for i in answered]
    few = [asked[i : i + MANY - 1] for i in range(0, len(asked), MANY - 1)]
    try:
        scores = np.array([_as_many(scorer, asked), np.concatenate([np.zeros(0), *map(scorer, few)])])
    except Unscorable:
        return float("inf")
    if not all(_refused(scorer, row) for row, score in zip(rows, expected, strict=True) if score is None):
        return float("inf")
    right = np.array([expected[i] for i in answered], dtype=np.float64)
    differences = np.abs(scores - right) / np.maximum(1.0, np.abs(right))
    return float("inf") if np.isnan(differences).any() else float(differences.max(initial=0.0))


def _as_many(scorer: Callable[[Sequence[Row]], Scores], rows: Sequence[Row]) -> Scores:
    """The scores of rows, which are repeated until they are many."""
    return scorer([*rows] * -(-MANY // len(rows)))[: len(rows)] if rows else np.zeros(0)


def _finish(compiled: Compiled) -> Callable[[Scores], Scores]:
    """What makes scores of the function's values: the calibration, or else the link."""
    calibration = compiled.calibration
    if isinstance(calibration, Sigmoid):
        slope, intercept = calibration.slope, calibration.intercept
        return lambda values: _logistic(slope * values + intercept)
    if isinstance(calibration, Isotonic):
        at, score = np.array(calibration.at), np.array(calibration.score)
        return lambda values: np.interp(values, at, score)
    return _logistic if compiled.link == "logistic" else lambda values: values


def _logistic(values: Scores) -> Scores:
    with np.errstate(over="ignore"):  # exp of 710 is inf, and 1 / inf the right answer
        return np.asarray(1.0 / (1.0 + np.exp(-values)), dtype=np.float64)


def _refused(scorer: Callable[[Sequence[Row]], Scores], row: Row) -> bool:
    try:
        scorer([row])
    except Unscorable:
        return True
    return False


def _forest(forest: Forest, width: int) -> Callable[[Matrix], Scores]:
    if not (np.isfinite(forest.base) and np.isfinite(forest.divisor) and forest.divisor > 0):
        raise InvalidCompiled(f"trees: base {forest.base}, divisor {forest.divisor}")
    trees = forest.trees.arrays(width)
    session, bits = _session(tree_model(trees, width)), tree_bits(trees, width)
    base, divisor, outputs = forest.base, forest.divisor, ["sum"]

    def value(encoded: Matrix) -> Scores:
        if bits is not None and len(encoded) >= MANY:
            return (bits.sums(encoded) + base) / divisor
        try:
            found: Scores = session.run(outputs, {"x": encoded})[0][:, 0]
        except Exception as error:  # its own types, which are made in C++
            raise Unscorable(f"onnxruntime: {' '.join(str(error).split())[:200]}") from error
        return (found + base) / divisor

    return value


def _linear(linear: Linear, width: int) -> Callable[[Matrix], Scores]:
    if len(linear.coefficients) != width:
        raise InvalidCompiled(f"{len(linear.coefficients)} coefficients for {width} columns")
    column, intercept = np.array(linear.coefficients).reshape(-1, 1), linear.intercept
    if not (np.isfinite(column).all() and np.isfinite(intercept)):
        raise InvalidCompiled("a coefficient is not finite")
    return lambda encoded: (encoded @ column)[:, 0] + intercept


def _session(model: bytes) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise RuntimeAbsent("onnxruntime is not installed") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its own types, which are made in C++
        raise InvalidCompiled(f"onnxruntime refuses the trees: {' '.join(str(error).split())[:200]}") from error
