"""Stage 1 of the labels: batches of `labels` are counted into windows; those that changed go to stage 2 now and then.

The order of counting.py and owned.py, with one difference: windows are open for weeks, so what is sent is how they
stand, and only the last part of a window is final.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from contracts.dead_letters import DeadLetter
from stream_app.agents.counting import Stage1Agent
from stream_app.agents.owned import Owning
from stream_app.agents.patience import Clock
from stream_app.agents.ports import KnownBaselines, Source, Store
from stream_app.agents.publishing import Publisher
from stream_app.label_telemetry import LabelTelemetry
from stream_app.labelling.decoding import DecodedLabels, LabelLimits, LabelReader, Labels
from stream_app.labelling.partition import Counted, LabelConfig, LabelPartition
from stream_app.windowing.decoding import SourceRecord


class OwnedLabels(Owning[LabelPartition]):
    """Partitions of `labels`. every_seconds: how often open windows that changed are sent."""

    def __init__(
        self,
        config: LabelConfig,
        every_seconds: float,
        source: Source,
        store: Store,
        publisher: Publisher,
        clock: Clock,
        telemetry: LabelTelemetry,
        name: str = "",
    ) -> None:
        super().__init__(source, store, publisher, clock, telemetry, name)
        self._config, self._every, self._remembered = config, every_seconds, telemetry.remembered
        self._sent_at: dict[int, float] = {}

    def _restored(self, number: int) -> LabelPartition:
        return LabelPartition.restore(number, self._config, self.store.stored())

    def _is_due(self, number: int) -> bool:
        return super()._is_due(number) or (self._is_time(number) and self.partition(number).has_changed)

    async def _send(self, number: int, epoch: int) -> None:
        parts = self.partition(number).due()
        if self._is_time(number):
            parts += self.partition(number).changed()
            self._sent_at[number] = self.clock.seconds()
        await self.publisher.label_partials(parts)
        self.check(epoch)
        for key in self.partition(number).sent(parts):
            self.store.put(number, key, None)
        self._remembered.labels(str(number)).set(self.partition(number).remembered)

    def _is_time(self, number: int) -> bool:
        return self.clock.seconds() - self._sent_at.get(number, float("-inf")) >= self._every


class LabelCounting(Stage1Agent[DecodedLabels]):
    """The agent of `labels`. size_ms: length of a window."""

    def __init__(
        self,
        topic: str,
        limits: LabelLimits,
        size_ms: int,
        owned: OwnedLabels,
        baselines: KnownBaselines,
        telemetry: LabelTelemetry,
        cannot_go_on: Callable[[str], None] = lambda words: None,
    ) -> None:
        super().__init__(topic, owned, baselines, telemetry, cannot_go_on=cannot_go_on)
        self._limits, self._size_ms, self._labels = limits, size_ms, owned

    def _read_batch(self, records: Sequence[SourceRecord], *, final: bool) -> DecodedLabels:
        coded_by = self._labels.partition(records[0].partition).coded_by
        known = self._baselines
        reader = LabelReader(known.by_version, known.by_digest, coded_by, self._limits, self._size_ms)
        return reader.read(records, final=final)

    def _nothing_but(self, letter: DeadLetter) -> DecodedLabels:
        return DecodedLabels(Labels.none(), [letter], set(), [])

    def _outcomes(self, touched: Counted) -> Mapping[str, int]:
        return {
            "counted": touched.counted,
            "replaced": touched.replaced,
            "repeat": touched.repeated,
            "late": touched.late,
            "refused": touched.refused,
        }
