"""Pointers: what the registry says about which version is for what, read in one call so that its parts agree."""

from __future__ import annotations

from typing import NamedTuple

from contracts.rollout import Rollout

CHAMPION = "champion"
"""Alias that rollouts belong to: a process that follows another one takes no part in them."""
CHALLENGER = "challenger"
"""Alias of the version that may become the champion next."""


class Pointers(NamedTuple):
    """champion: the version of the alias that answers. rollout: of the registered model's tag; wrong: why that cannot
    be read. challenger: the version of that alias.
    """

    champion: str
    rollout: Rollout | None = None
    challenger: str | None = None
    wrong: str = ""
