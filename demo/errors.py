"""Errors of the demo.

DemoError
├── ServiceFailed   a service ended or never became ready; shows the end of its log
└── Busy            another run uses the same directory
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class DemoError(Exception):
    """The demo cannot go on; the text says why and what to do."""


class ServiceFailed(DemoError):
    """A service ended, or did not become ready in time."""

    def __init__(self, name: str, what: str, log: Path, tail: Sequence[str]) -> None:
        end = "\n".join(f"    {line}" for line in tail)
        super().__init__(f"{name} {what}; its log is {log}" + (f", which ends with\n{end}" if tail else ""))


class Busy(DemoError):
    """Another run holds the directory."""

    def __init__(self, directory: Path) -> None:
        super().__init__(
            f"another run uses {directory}: wait for its end, or `make down` if it is the one of `make up`"
        )
