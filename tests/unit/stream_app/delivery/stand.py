"""The consumer's other side: its thread, which talks to Kafka, as a fake; and records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from faust.types import TP


class Record(NamedTuple):
    offset: int
    value: bytes | None = b"{}"


class FakeThread:
    """Where the consumer's thread would be. fetches: (partitions, timeout) of each; they bring what `records` has."""

    def __init__(self, assigned: set[TP]) -> None:
        self.assigned = assigned
        self.records: dict[TP, list[Any]] = {}
        self.fetches: list[tuple[Any, float]] = []
        self.seeks: list[Mapping[TP, int]] = []
        self.committed: dict[TP, int] = {}
        self.commits: list[Mapping[TP, int]] = []

    def assignment(self) -> set[TP]:
        return self.assigned

    def highwater(self, tp: TP) -> int:
        return 0

    async def getmany(self, active_partitions: Any, timeout: float) -> dict[TP, list[Any]]:  # noqa: ASYNC109
        self.fetches.append((active_partitions, timeout))
        return self.records

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        self.seeks.append(partitions)

    async def commit(self, offsets: Mapping[TP, int]) -> bool:
        self.commits.append(offsets)
        return True

    async def seek_to_committed(self) -> Mapping[TP, int]:
        return self.committed
