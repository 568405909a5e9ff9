"""What the registry tells of a model's versions; the answer of GET /models."""

from __future__ import annotations

from typing import Literal, Self

import msgspec

from api.requests.rolling import Rolling
from contracts.events import Role
from contracts.times import UtcTime


class RegisteredVersion(msgspec.Struct, frozen=True):
    """One version. created: when it was registered. baseline, compiled: whether it has one among its files.

    metrics: of the run that made it; of the loaded version while the registry is away, the performance that its
    baseline tells.
    """

    version: str
    aliases: tuple[str, ...]
    created: UtcTime | None
    baseline: bool
    compiled: bool
    metrics: dict[str, float]
    description: str = ""


class ListedVersion(RegisteredVersion, frozen=True, kw_only=True):
    """answers: this process answers with it now; the canary does, too, in its share. role: what it does here, null for
    nothing.
    """

    answers: bool
    role: Role | None = None

    @classmethod
    def of(cls, version: RegisteredVersion, role: Role | None) -> Self:
        """The same version, and what it does."""
        return cls(**msgspec.structs.asdict(version), answers=role in ("champion", "canary"), role=role)


class Models(msgspec.Struct, frozen=True):
    """The newest versions first, at most 20. alias: whose version answers.

    registry: `away` when it could not be asked; then the loaded version is listed alone. as_of: when it was asked.
    rollout: the version on its way, null where none is.
    """

    name: str
    alias: str
    registry: Literal["ok", "away"]
    as_of: UtcTime
    versions: tuple[ListedVersion, ...]
    rollout: Rolling | None = None
