"""Two models on the rows that came after the new one had become the champion: which one ranks them better."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
import numpy as np
import pandas as pd

from demo.errors import DemoError
from demo.later import WINDOW, Ranked
from demo.loop import Later, Loop
from demo.services import Installation
from training.data.description import Description

_PATIENCE_SECONDS = 300.0


async def compared(
    installation: Installation, loop: Loop, description: Description, versions: tuple[str, str]
) -> Later | None:
    """The old one and the new one, as `demo.later` scores them; None where no row is left to compare. Raises DemoError.

    Windows that lie wholly behind the change are compared one by one, too.
    """
    label = str(description.label)
    rows = later_rows(loop)
    if rows[label].nunique() < 2:
        return None
    file = installation.directory / "later.parquet"
    await asyncio.to_thread(rows.to_parquet, file, index=False)
    scoring = installation.later(file, label, versions)
    await asyncio.to_thread(scoring.start)
    if await asyncio.to_thread(scoring.wait, _PATIENCE_SECONDS) != 0:
        raise DemoError("the two models could not be compared:\n    " + "\n    ".join(scoring.tail(8)))
    old, new = read_ranked(scoring.tail(1)[0], versions)
    common = sorted(set(old.windows) & set(new.windows))
    return Later(len(rows), old.auc, new.auc, tuple((old.windows[one], new.windows[one]) for one in common))


def later_rows(loop: Loop) -> pd.DataFrame:
    """With a column WINDOW: the window's number, NaN in the one that both models answered, and in a short last one."""
    first, size = loop.closed_at or 0, loop.act.rows_per_window
    rows = loop.act.rows.iloc[first:]
    window = np.arange(first, first + len(rows)) // size
    whole = (window * size >= first) & ((window + 1) * size <= len(loop.act.rows))
    return rows.assign(**{WINDOW: np.where(whole, window, np.nan)})


def read_ranked(line: str, versions: Sequence[str]) -> list[Ranked]:
    """What `demo.later` printed, in the order of the versions. Raises msgspec.MsgspecError."""
    found = msgspec.json.decode(line, type=dict[str, Ranked])
    return [found[version] for version in versions]
