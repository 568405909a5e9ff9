"""Presentation: what training.yaml says about the pictures and the model card. None of it changes a score."""

from __future__ import annotations

import msgspec


class Card(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What only a person can say of a model; "": nobody has said it. purpose: what it is meant for, and what not.
    owner: who answers for it. limitations: where it must not be trusted.
    """

    purpose: str = ""
    owner: str = ""
    limitations: tuple[str, ...] = ()


class Pictures(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """curves: learning and validation curves, which cost some fits. importance: so many test rows are asked how much
    each feature matters, 0: none.
    """

    curves: bool = True
    importance: int = 1000

    def __post_init__(self) -> None:
        if not (self.importance == 0 or 100 <= self.importance <= 100_000):
            raise ValueError(f"importance is {self.importance}: give 100 to 100000 rows, or 0 for none")
