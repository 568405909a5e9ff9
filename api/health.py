"""What state each dependency is in, and what follows for the whole: ready, degraded or unavailable. Pure."""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

Status = Literal["ready", "degraded", "unavailable"]


class Health(NamedTuple):
    """One dependency. detail: what is known, in a few words; no secrets and no feature values."""

    ok: bool
    detail: str


class Dependency(msgspec.Struct, frozen=True):
    """One dependency as `/health/ready` shows it."""

    state: Literal["ok", "away"]
    detail: str


class Readiness(msgspec.Struct, frozen=True):
    """The answer of `/health/ready`. unavailable: no prediction can be answered; degraded: all can, but not more."""

    status: Status
    dependencies: dict[str, Dependency]


def for_strangers(state: Readiness) -> Readiness:
    """Without the details, which name versions and may name addresses."""
    return Readiness(state.status, {name: Dependency(part.state, "") for name, part in state.dependencies.items()})


def readiness(
    *, model: Health, outbox: Health, kafka: Health, redis: Health, registry: Health, labels: Health
) -> Readiness:
    """Without a model or an outbox nothing can be answered; without the others every prediction can.

    >>> up, down = Health(True, "fine"), Health(False, "no answer")
    >>> readiness(model=up, outbox=up, kafka=down, redis=up, registry=up, labels=up).status
    'degraded'
    """
    parts = {"model": model, "outbox": outbox, "kafka": kafka, "redis": redis, "registry": registry, "labels": labels}
    status: Status = "ready" if all(part.ok for part in parts.values()) else "degraded"
    if not (model.ok and outbox.ok):
        status = "unavailable"
    return Readiness(
        status, {name: Dependency("ok" if part.ok else "away", part.detail) for name, part in parts.items()}
    )
