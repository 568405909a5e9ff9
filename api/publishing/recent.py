"""A page of recent predictions: newest first, filtered, in bounded steps.

Only the entity has a list of its own. Every other filter reads events and leaves out what does not fit; a request reads
at most MOST_READ of them, then answers with what it has found and the place to go on from.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import msgspec

from api.publishing.mirror_layout import Layout, Listed, listed

MOST_READ = 2000
_STEP = 250  # events read and decoded between two looks at the event loop: well under a millisecond

Ask = Callable[..., Awaitable[Any]]
"""One Redis command. Raises LookupsAway."""


class Query(NamedTuple):
    """Which predictions. model: `name` or `name/version`. before: the place that the page ends below; None: the top."""

    limit: int
    model: str | None = None
    entity: str | None = None
    decision: bool | None = None
    before: int | None = None


class Page(NamedTuple):
    """events: JSON, newest first. next: Query.before of the page that follows; None: there is nothing more."""

    events: list[bytes]
    next: int | None


class _Facts(msgspec.Struct, frozen=True, gc=False):
    """What filters ask of an event."""

    model: str
    model_version: str
    decision: bool | None = None


_facts = msgspec.json.Decoder(_Facts).decode


async def read_page(ask: Ask, layout: Layout, query: Query) -> Page:
    """Raises LookupsAway."""
    fits = _filter(query)
    events: list[bytes] = []
    before, last, read = query.before, query.before, 0
    step = query.limit + 1 if fits is None else _STEP
    while read < MOST_READ:
        entries = await _entries(ask, layout, query.entity, before, step)
        if not entries:
            return Page(events, None)
        found = await ask("MGET", *(layout.one.encode() + entry.id for entry in entries))
        for entry, event in zip(entries, found, strict=True):
            if event is not None and (fits is None or fits(event)):  # a list outlives what expired
                if len(events) == query.limit:
                    return Page(events, last)
                events.append(event)
                last = entry.place
        if len(entries) < step:
            return Page(events, None)
        read += len(entries)
        before, step = entries[-1].place, _STEP
    return Page(events, before)


async def _entries(ask: Ask, layout: Layout, entity: str | None, before: int | None, count: int) -> list[Listed]:
    if entity is None:
        below = "+inf" if before is None else f"({before}"
        return listed(await ask("ZREVRANGEBYSCORE", layout.recent, below, "-inf", "LIMIT", 0, count))
    entries = listed(await ask("LRANGE", layout.of_entity + entity, 0, -1))
    return [entry for entry in entries if before is None or entry.place < before][:count]


def _filter(query: Query) -> Callable[[bytes], bool] | None:
    """None where every event fits."""
    if query.model is None and query.decision is None:
        return None

    def fits(event: bytes) -> bool:
        facts = _facts(event)
        return (query.model is None or query.model in (facts.model, f"{facts.model}/{facts.model_version}")) and (
            query.decision is None or facts.decision is query.decision
        )

    return fits
