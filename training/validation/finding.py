"""Finding: one thing that a check found out about the data."""

from __future__ import annotations

from typing import NamedTuple


class Finding(NamedTuple):
    """text: what is wrong and what to do, for people. fatal: nothing may be fitted to this data."""

    text: str
    fatal: bool
