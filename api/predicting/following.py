"""What following a version in the registry takes, whether it is the champion or the one on its way."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, TypeVar

from api.models.pointers import Pointers
from api.models.proof import Proof
from api.models.version import ModelVersion

REFUSED_POLLS = 15
"""A version that cannot be served is tried again after so many polls: its baseline may have been added meanwhile."""

Result = TypeVar("Result")


class Versions(Protocol):
    """What is asked of api.models.store.ModelStore. Every method blocks and is called in one thread."""

    def pointers(self) -> Pointers: ...
    def load(self, version: str) -> ModelVersion: ...
    def load_cached(self) -> ModelVersion: ...
    def keep(self, model: ModelVersion, proof: Proof | None) -> Path | None: ...
    def keep_again(self, version: str, folder: Path) -> bool: ...
    def discard(self, model: ModelVersion) -> None: ...
