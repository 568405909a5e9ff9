"""The agents of the labels, on the stand: what is sent when, what a failure costs, and what is told once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from contracts.alerts import decode_alert
from contracts.label_partials import LabelPartial, decode_label_partial
from contracts.labels import Label
from contracts.partials import Heartbeat, encode_partial
from contracts.performance import PerformanceReport, decode_performance
from stream_app.agents.label_counting import LabelCounting, OwnedLabels
from stream_app.agents.publishing import Address, Addresses, Publisher
from stream_app.agents.revising import Revising, RevisingConfig
from stream_app.agents.silence import Silence
from stream_app.alerting.policy_config import PolicyConfig
from stream_app.label_telemetry import LabelTelemetry
from stream_app.performance.counting import OutcomeCounts
from stream_app.performance.rule import RULE
from tests.builders import a_baseline
from tests.unit.stream_app.agents.stand import FakeAlerts, FakeBaselines, FakeBatch, FakeOutlet, FakeSource, FakeStore
from tests.unit.stream_app.agents.stand import FakeClock as Time
from tests.unit.stream_app.labelling.stand import BASELINE, CONFIG, LIMITS, a_label, records

TO = Addresses(
    partials=Address("label-partials", 1),
    reports=Address("performance", 1),
    alerts=Address("drift-alerts", 1),
    dead_letters=Address("dead-letters", 1),
)


class Coverage:
    def __init__(self) -> None:
        self.learnt, self.rows = 0, dict[int, int]()

    def tell(self, start: int, rows: int) -> None:
        self.learnt += 1
        self.rows[start] = rows

    def predictions(self, model: str, version: str, window_start: int) -> int | None:
        return self.rows.get(window_start)


class Stand:
    """Both stages, one partition each; what stage 1 sends reaches stage 2 when a test hands it on."""

    def __init__(self, baseline: Any = BASELINE, labels: int = 1) -> None:
        self.time, self.telemetry, self.outlet = Time(), LabelTelemetry(), FakeOutlet()
        self.baselines, self.alerts, self.coverage = FakeBaselines(baseline), FakeAlerts(), Coverage()
        self.publisher = Publisher(self.outlet, TO, "/test")
        self.source, self.store = FakeSource(self.time), FakeStore()
        self.source.count = 1
        self.owned = OwnedLabels(
            *(CONFIG, 5.0, self.source, self.store, self.publisher, self.time.clock, self.telemetry)
        )
        self.owned.restore([0])
        self.counting = LabelCounting(*("labels", LIMITS, CONFIG.size_ms, self.owned, self.baselines, self.telemetry))
        self.partials_source, self.revisions, self.handed = FakeSource(self.time), FakeStore(), 0
        rule = msgspec.structs.replace(RULE, labels=labels)
        self.config = RevisingConfig(CONFIG.delay_ms, 10.0, rule, PolicyConfig(page_after=1, of_last=1))
        self.revising = self._revising()

    def _revising(self) -> Revising:
        revising = Revising(
            *("label-partials", self.config, self.partials_source, self.revisions, self.publisher, self.baselines),
            *(self.alerts, self.coverage, self.telemetry, self.time.clock),
        )
        revising.restore([0])
        return revising

    async def count(self, labels: Iterable[Label | bytes]) -> None:
        first = self.owned.partition(0).next_offset or 0
        await self.counting.handle(FakeBatch(records(labels, first)))
        await self.owned.handed_on()

    def sent(self) -> list[LabelPartial | Heartbeat]:
        return [decode_label_partial(sent.value) for sent in self.outlet.sent if sent.topic == "label-partials"]

    def parts(self) -> list[LabelPartial]:
        return [message for message in self.sent() if isinstance(message, LabelPartial)]

    def reports(self) -> list[PerformanceReport]:
        return [decode_performance(sent.value) for sent in self.outlet.sent if sent.topic == "performance"]

    async def hand_on(self, after: float = 30.0) -> None:
        """What was sent since, as one batch of stage 2; at least the last message again. after: so many seconds."""
        values = [sent.value for sent in self.outlet.sent if sent.topic == "label-partials"]
        new: Sequence[bytes] = values[self.handed :] or values[-1:]
        batch = FakeBatch(
            [record._replace(value=value) for record, value in zip(records(new, self.handed), new, strict=True)]
        )
        self.handed = max(self.handed, len(values))
        self.time.now += after
        await self.revising.handle(batch)

    async def all_idle(self, first: int) -> int:
        """Stage 2 hears it in three words, each of which names the one before, from this offset on; the one behind."""
        word = Heartbeat(partition=0, partitions=1, generation=7, watermark=None, idle=True)
        words = [msgspec.structs.replace(word, said=said, behind=said - 1) for said in range(first + 1, first + 4)]
        self.time.now += 1
        await self.revising.handle(FakeBatch(records([encode_partial(word) for word in words], first)))
        return first + 3

    def value(self, name: str, **labels: str) -> float:
        return self.telemetry.registry.get_sample_value(f"tidemark_performance_{name}", labels) or 0.0


async def test_windows_that_changed_are_sent_at_most_so_often() -> None:
    stand = Stand()
    await stand.count([a_label(1)])
    await stand.count([a_label(2)])
    assert [part.labelled for part in stand.parts()] == [1]
    stand.time.now += 5
    await stand.count([a_label(3)])
    assert [part.labelled for part in stand.parts()] == [1, 3]
    assert stand.value("events_total", outcome="counted") == 3
    assert stand.value("remembered", partition="0") == 3


async def test_what_is_not_acknowledged_is_sent_again() -> None:
    stand = Stand()
    stand.outlet.refusals["label-partials"] = 1
    await stand.count([a_label(1)])
    assert stand.parts() == []
    stand.time.now += 6
    await Silence("labels", 60, stand.owned, stand.telemetry).tick()
    assert [part.labelled for part in stand.parts()] == [1]


async def test_in_silence_a_window_becomes_final_and_its_records_go() -> None:
    stand = Stand()
    await stand.count([a_label(1)])
    stand.source.append(1)  # the log ends behind it
    silence = Silence("labels", 1.0, stand.owned, stand.telemetry)
    for _ in range(400):
        stand.time.now += 0.5
        await silence.tick()
    assert len(stand.store.values) == 1
    last = stand.sent()[-1]
    assert isinstance(last, Heartbeat)
    assert last.idle
    await stand.hand_on()
    assert [report.final for report in stand.reports()] == [True]
    assert stand.value("revisions_total", final="yes") == 1


async def test_a_label_that_cannot_be_counted_is_a_dead_letter_and_its_neighbours_count() -> None:
    stand = Stand()
    await stand.count([a_label(1), b"{", a_label(2, truth=0.5), a_label(3, model_version="9"), a_label(4)])
    assert [(letter.offset, letter.reason) for letter in stand.outlet.dead_letters()] == [
        (1, "malformed"),
        (2, "malformed"),
        (3, "unknown-version"),
    ]
    assert stand.parts()[-1].labelled == 2
    assert stand.baselines.refreshed == 1


async def test_a_window_is_revised_with_its_coverage_and_not_again_while_nothing_comes() -> None:
    stand = Stand()
    await stand.count([a_label(1), a_label(2, truth=0)])
    await stand.hand_on()
    await stand.hand_on()
    assert [report.coverage for report in stand.reports()] == [None]
    stand.coverage.tell(stand.parts()[0].window_start, 4)
    await stand.hand_on()
    await stand.hand_on()
    assert [(report.revision, report.coverage) for report in stand.reports()] == [(8, None), (9, 0.5)]


async def test_a_window_is_reported_at_most_so_often_while_its_partition_is_kept() -> None:
    stand = Stand()
    await stand.count([a_label(1)])
    await stand.hand_on()
    await stand.count([a_label(2)])
    await stand.hand_on(after=1)
    assert [report.labelled for report in stand.reports()] == [1]
    stand.revising.restore([0])  # what was reported of a lost partition is not remembered: others go on with it
    await stand.hand_on(after=1)
    assert [report.labelled for report in stand.reports()] == [1, 2]


async def test_a_restored_stage_2_makes_nothing_final_by_an_idleness_from_before_the_parts_that_it_has() -> None:
    stand = Stand()
    await stand.count([a_label(1)])
    await stand.hand_on()
    stand.partials_source.append(stand.handed + 6)
    stand.time.now += 1
    stand.revising = stand._revising()
    behind = await stand.all_idle(await stand.all_idle(stand.handed))
    assert [report.final for report in stand.reports()] == [False]
    await stand.all_idle(behind)
    assert [report.final for report in stand.reports()] == [False, True]


async def test_heartbeats_that_a_deleted_group_has_left_fence_nobody_of_the_group_that_came_after_it() -> None:
    stand = Stand()
    left = Heartbeat(partition=0, partitions=1, generation=500, watermark=None)
    await stand.revising.handle(FakeBatch(records([encode_partial(left)] * 3, 0)))
    await stand.count([a_label(1)])
    values = [sent.value for sent in stand.outlet.sent if sent.topic == "label-partials"]
    stand.time.now += 30
    await stand.revising.handle(FakeBatch(records(values, 3)))
    await stand.all_idle(3 + len(values))
    assert [report.final for report in stand.reports()] == [False, True]
    assert stand.value("fenced_heartbeats_total") == 0


async def test_a_report_that_is_not_acknowledged_is_sent_again_and_says_the_same() -> None:
    stand = Stand()
    await stand.count([a_label(1)])

    def refuse_what_follows() -> None:
        stand.revisions.refusals = 1
        stand.outlet.before_ack.clear()

    stand.outlet.before_ack["performance"] = refuse_what_follows
    await stand.hand_on()
    first, again = stand.reports()
    assert first == again
    assert stand.value("retries_total", stage="merge") == 1


def worse() -> Any:
    """A baseline whose scores told truth well, and labels whose truth is the other way round."""
    baseline = a_baseline()
    counts = OutcomeCounts(baseline)
    counts.add([i / 1000 for i in range(1000)], [float(i > 500) for i in range(1000)])
    return msgspec.structs.replace(baseline, outcomes=counts.value())


async def test_a_window_is_judged_once_when_its_labels_are_complete() -> None:
    stand = Stand(worse(), labels=100)
    labels = [a_label(i, truth=float(i % 97 < 48), score=(i % 97) / 97) for i in range(400)]
    await stand.count(labels[:380])
    await stand.hand_on()
    assert stand.reports()[-1].status == "degraded"
    told = [decode_alert(sent.value) for sent in stand.outlet.sent if sent.topic == "drift-alerts"]
    assert told == []  # nobody knows how many labels there will be
    stand.coverage.tell(stand.parts()[0].window_start, 390)
    await stand.hand_on()
    await stand.count(labels[380:])
    await stand.hand_on()
    (alert,) = [decode_alert(sent.value) for sent in stand.outlet.sent if sent.topic == "drift-alerts"]
    assert (alert.subject, alert.transition) == ("performance", "raise")
    assert stand.value("alerts_total", transition="raise") == 1


async def test_an_alert_that_may_not_be_out_is_sent_again_the_same() -> None:
    stand = Stand(worse(), labels=100)
    await stand.count([a_label(i, truth=float(i % 97 < 48), score=(i % 97) / 97) for i in range(400)])
    stand.coverage.tell(stand.parts()[0].window_start, 400)
    stand.outlet.refusals["drift-alerts"] = 1
    await stand.hand_on()
    alerts = [sent.value for sent in stand.outlet.sent if sent.topic == "drift-alerts"]
    assert len(alerts) == 1
    stand.revising = stand._revising()
    await stand.hand_on()
    assert [sent.value for sent in stand.outlet.sent if sent.topic == "drift-alerts"] == alerts
