"""A small compiled model whose scores can be worked out by hand, and models of every kind to compile."""

from __future__ import annotations

from typing import Any

import numpy as np

from contracts.compiled import Compiled, Forest, Sample
from contracts.encoder import Codes, Fill, Numbers, OneHot
from contracts.trees import TreeArrays, TreeTables

# distance <= 100, or missing: .25; otherwise code of carrier <= 0.5 (a): .5, any other: 1
TREE = TreeArrays(
    roots=np.array([0]),
    feature=np.array([0, -1, 2, -1, -1]),
    threshold=np.array([100.0, 0, 0.5, 0, 0]),
    missing_left=np.array([1, 0, 0, 0, 0]),
    left=np.array([1, 0, 3, 0, 0]),
    right=np.array([2, 0, 4, 0, 0]),
    value=np.array([0, 0.25, 0, 0.5, 1.0]),
)
# of ten rows of the fit, four went left
COVERED = TREE._replace(cover=np.array([10.0, 4, 6, 1, 5]))
ROWS = ((50.0, 1.0, "a"), (150.0, None, "a"), (150.0, 2.0, "b"), (None, 3.0, "zeppelin"), (1e300, 3.0, "a"))
SCORES = (0.25, 0.5, 1.0, 0.25, None)


def a_compiled(tree: TreeArrays = TREE, **changes: Any) -> Compiled:
    """Of flights/1: features distance, seats, carrier, as tests.builders.a_schema has them."""
    return Compiled(
        **{
            "model": "flights",
            "version": "1",
            "features": ("distance", "seats", "carrier"),
            "blocks": (
                Numbers((0,)),
                Numbers((1,), (Fill((2.0,)),)),
                Codes(2, ("a", "b", None), (0.0, 1.0, 2.0), 9.0),
                OneHot(2, ("a", None)),
            ),
            "function": Forest(TreeTables.of(tree), narrow=True),
            "link": "identity",
            "refuses": "infinite",
            "sample": Sample(ROWS, SCORES),
            "made_with": "hand",
            **changes,
        }
    )
