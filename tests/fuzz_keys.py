"""Which API key each request of the fuzz has: mostly the good one, else one that opens nothing."""

from __future__ import annotations

from typing import Any
from zlib import crc32

from tests.keys import a_key

KEY, WITHOUT_SCOPE, EXPIRED, UNKNOWN = 1, 2, 3, 4
"""Numbers of keys."""
_SHARE = 24  # so many requests have one of each kind that is not good

_NOT_GOOD: tuple[tuple[int, dict[str, str]], ...] = (
    (401, {}),
    (401, {"X-API-Key": a_key(UNKNOWN)}),
    (401, {"Authorization": f"Bearer {a_key(EXPIRED)}"}),
    (401, {"Authorization": f"Bearer {a_key(KEY)}", "X-API-Key": a_key(KEY)}),
    (401, {"Authorization": "Basic dGlkZTptYXJr"}),
    (403, {"X-API-Key": a_key(WITHOUT_SCOPE)}),
)


def refusal_of(case: Any) -> int | None:
    """The status that its key is refused with, where one is needed; the same for the same request; None: it is good."""
    kind = _kind(case)
    return _NOT_GOOD[kind][0] if kind < len(_NOT_GOOD) and not case.path.startswith("/health/") else None


def key_of(case: Any) -> dict[str, str]:
    """Its headers."""
    kind = _kind(case)
    if kind < len(_NOT_GOOD):
        return _NOT_GOOD[kind][1]
    key = a_key(KEY)
    return {"X-API-Key": key} if kind % 2 else {"Authorization": f"Bearer {key}"}


def _kind(case: Any) -> int:
    return crc32(f"{case.method} {case.path} {case.path_parameters} {case.query} {case.body!r}".encode()) % _SHARE
