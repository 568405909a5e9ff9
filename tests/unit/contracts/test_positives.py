"""The share of positive decisions in a baseline."""

from __future__ import annotations

import pytest

from contracts.baseline import Positives
from contracts.errors import InvalidBaseline


@pytest.mark.parametrize(("count", "rows"), [(11, 10), (-1, 10), (0, -1)])
def test_more_positives_than_rows_are_refused(count: int, rows: int) -> None:
    with pytest.raises(InvalidBaseline, match=f"{count} positives of {rows} rows"):
        Positives(count, rows)
