"""Decision trees as an ONNX model, in bytes: one TreeEnsemble of `ai.onnx.ml` 5, in double, so no threshold is rounded.

Written by hand, field by field, after onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto): it takes a
page, and the package `onnx` takes 20 MB in every image. What is read from a model's file are tables that were checked
(contracts.trees), never an ONNX model that somebody else wrote.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from contracts.trees import TreeArrays

IR_VERSION, ML_OPSET = 10, 5
_SUM, _NO_TRANSFORM, _LESS_OR_EQUAL = 1, 0, 0
_DOUBLE, _UINT8 = 11, 2  # TensorProto.DataType
_INT, _TENSOR, _INTS = 2, 4, 7  # AttributeProto.AttributeType


def tree_model(trees: TreeArrays, width: int) -> bytes:
    """A model from `x`, double (rows, width), to `sum`, double (rows, 1): of the leaves that a row falls into."""
    attributes = _ensemble(trees)
    node = _text(1, "x") + _text(2, "sum") + _text(4, "TreeEnsemble") + _text(7, "ai.onnx.ml")
    node += b"".join(_part(5, attribute) for attribute in attributes)
    graph = _part(1, node) + _text(2, "trees") + _part(11, _matrix("x", width)) + _part(12, _matrix("sum", 1))
    opsets = [("", 18), ("ai.onnx.ml", ML_OPSET)]
    return (
        _number(1, IR_VERSION)
        + _part(7, graph)
        + b"".join(_part(8, _text(1, domain) + _number(2, version)) for domain, version in opsets)
    )


def varints(values: npt.ArrayLike) -> bytes:
    """Whole numbers from 0 to 2^31 - 1 in protobuf's packed form: seven bits a byte, lowest first.

    >>> varints([1, 300]).hex()
    '01ac02'
    """
    numbers = np.asarray(values, dtype=np.int64)[:, None]
    shifts = np.arange(0, 35, 7)
    groups = (numbers >> shifts) & 0x7F
    more = (numbers >> (shifts + 7)) > 0
    used = np.column_stack([np.ones(len(numbers), dtype=bool), more[:, :-1]])
    encoded: bytes = (groups | more * 0x80).astype(np.uint8)[used].tobytes()
    return encoded


def _ensemble(trees: TreeArrays) -> list[bytes]:
    """Splits and leaves are numbered apart."""
    inner = trees.feature >= 0
    place = np.where(inner, np.cumsum(inner), np.cumsum(~inner)) - 1
    left, right = trees.left[inner], trees.right[inner]
    leaves = int((~inner).sum())
    return [
        _whole("n_targets", 1),
        _whole("aggregate_function", _SUM),
        _whole("post_transform", _NO_TRANSFORM),
        _wholes("tree_roots", place[trees.roots]),
        _wholes("nodes_featureids", trees.feature[inner]),
        _tensor("nodes_splits", _DOUBLE, trees.threshold[inner]),
        _tensor("nodes_modes", _UINT8, np.full(int(inner.sum()), _LESS_OR_EQUAL, np.uint8)),
        _wholes("nodes_missing_value_tracks_true", trees.missing_left[inner]),
        _wholes("nodes_truenodeids", place[left]),
        _wholes("nodes_trueleafs", ~inner[left]),
        _wholes("nodes_falsenodeids", place[right]),
        _wholes("nodes_falseleafs", ~inner[right]),
        _wholes("leaf_targetids", np.zeros(leaves, np.int64)),
        _tensor("leaf_weights", _DOUBLE, trees.value[~inner]),
    ]


def _whole(name: str, value: int) -> bytes:
    return _text(1, name) + _number(3, value) + _number(20, _INT)


def _wholes(name: str, values: npt.NDArray[Any]) -> bytes:
    return _text(1, name) + _part(8, varints(values)) + _number(20, _INTS)


def _tensor(name: str, kind: int, values: npt.NDArray[Any]) -> bytes:
    raw = values.astype(values.dtype.newbyteorder("<")).tobytes()
    tensor = _number(1, len(values)) + _number(2, kind) + _text(8, name) + _part(9, raw)
    return _text(1, name) + _part(5, tensor) + _number(20, _TENSOR)


def _matrix(name: str, width: int) -> bytes:
    """A ValueInfoProto: any number of rows, `width` columns of doubles."""
    rows, columns = _part(1, _text(2, "rows")), _part(1, _number(1, width))
    tensor = _number(1, _DOUBLE) + _part(2, rows + columns)
    return _text(1, name) + _part(2, _part(1, tensor))


def _number(field: int, value: int) -> bytes:
    return _key(field, 0) + _varint(value)


def _text(field: int, value: str) -> bytes:
    return _part(field, value.encode())


def _part(field: int, value: bytes) -> bytes:
    return _key(field, 2) + _varint(len(value)) + value


def _key(field: int, wire: int) -> bytes:
    return _varint(field << 3 | wire)


def _varint(value: int) -> bytes:
    return varints([value])
