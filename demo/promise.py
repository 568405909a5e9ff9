"""Expectation: one promise of the demo, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Expectation:
    """One promise. held: whether it was kept; found: what was seen, in words."""

    promise: str
    held: bool
    found: str
