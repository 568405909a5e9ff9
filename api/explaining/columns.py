"""Whose the encoded columns are: contributions of columns, added up by the feature that they came from.

By linearity that is what the feature contributes as far as the model can tell its columns apart; a category that is
spread over a hundred columns is one line in an answer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from contracts.encoder import Block, Fill, Numbers, OneHot


def owners(blocks: Sequence[Block]) -> npt.NDArray[np.int64]:
    """The feature of each column, as contracts.encoder.Encoder lays them out.

    >>> owners([OneHot(1, ("a", "b")), Numbers((0, 2), (Fill((0.0, 0.0), (1,)),))]).tolist()
    [1, 1, 0, 2, 2]
    """
    found: list[int] = []
    for block in blocks:
        if isinstance(block, Numbers):
            columns = list(block.features)
            for step in block.steps:
                if isinstance(step, Fill):
                    columns += [columns[gap] for gap in step.gaps]
            found += columns
        elif isinstance(block, OneHot):
            found += [block.feature] * len(block.levels)
        else:
            found.append(block.feature)
    return np.array(found, dtype=np.int64)
