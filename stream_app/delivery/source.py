"""Source: what the agents may ask of the consumer about one topic; it is the `Source` of stream_app/agents/ports.py."""

from __future__ import annotations

from typing import Any

from faust.types import TP

_LATE_SECONDS = 3.0


class TopicSource:
    """This worker's share of a topic. count: all partitions that it had when this worker started."""

    def __init__(self, app: Any, topic: str, count: int) -> None:
        self._app, self._topic, self.count = app, topic, count

    @property
    def topic(self) -> str:
        """Its full name."""
        return self._topic

    @property
    def epoch(self) -> int:
        """Rebalances so far."""
        epoch: int = self._app.consumer.epoch
        return epoch

    @property
    def generation(self) -> int:
        """Of the consumer group."""
        generation: int = self._app.consumer_generation_id
        return generation

    @property
    def settled(self) -> bool:
        """No rebalance and no recovery is going on."""
        return not (self._app.rebalancing or self._app.in_recovery or self._app.should_stop)

    @property
    def stopping(self) -> bool:
        """The worker was told to stop."""
        return bool(self._app.should_stop)

    @property
    def partitions(self) -> frozenset[int]:
        """Those assigned to this worker."""
        return frozenset(tp.partition for tp in self._app.consumer.assignment() if tp.topic == self._topic)

    def at(self, partition: int) -> TP:
        """The partition as Faust names it."""
        return TP(self._topic, partition)

    def began(self, partition: int) -> int | None:
        """Where reading began after the last rebalance; None at the log's first record."""
        offset: int | None = self._app.consumer.began.get(self.at(partition))
        return offset

    def end(self, partition: int) -> int | None:
        """The offset behind the log's last record, as the last fetch said; None before the first."""
        if partition not in self.partitions:
            return None
        end: int | None = self._app.consumer.highwater(self.at(partition))
        return end

    def answered(self, partition: int) -> int | None:
        """When this process took in the last answer that said where that is."""
        at: int | None = self._app.consumer.answered(self.at(partition))
        return at

    @property
    def answer_seconds(self) -> float:
        """A broker that is there answers a fetch at the latest when the longest wait is over, and a little later."""
        return float(self._app.fetching.max_wait_ms) / 1000 + _LATE_SECONDS

    def leader(self, partition: int) -> int | None:
        """Which broker leads it, by what this process was told last."""
        leader: int | None = self._app.consumer.leader(self.at(partition))
        return leader

    def drained(self, partition: int) -> bool:
        """Whether everything up to there was fetched, and is finished."""
        return bool(self._app.consumer.drained(self.at(partition)))

    def committed(self, partition: int) -> int | None:
        """The offset that the group has committed; None before the first commit."""
        offset: int | None = self._app.consumer._committed_offset.get(self.at(partition))
        return offset

    async def start(self, partition: int) -> int:
        """The offset of the log's first record."""
        tp = self.at(partition)
        start: int = (await self._app.consumer.earliest_offsets(tp))[tp]
        return start

    async def reread_from(self, partition: int, offset: int) -> None:
        """Read again from there."""
        await self._app.consumer.reread_from(self.at(partition), offset)

    def abandon(self, partition: int) -> None:
        """Do not commit what was delivered and is not finished."""
        self._app.consumer.abandon(self.at(partition))
