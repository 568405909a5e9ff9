"""Stage 2: the order of report, alerts and closing, and what a failure in between repeats or holds up."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from contracts.alerts import decode_alert
from contracts.baseline import Baseline
from contracts.events import encode_event, event_decoder
from contracts.mutes import Mute
from contracts.partials import Heartbeat, PartialMessage, encode_partial
from contracts.reports import decode_report
from contracts.window import WindowCounts
from stream_app.agents.merging import Merging, MergingConfig
from stream_app.alerting.policy_config import PolicyConfig
from stream_app.alerting.policy_rebuilt import rebuilt
from stream_app.alerting.policy_state import PolicyState
from stream_app.drift.rule import CALIBRATED
from stream_app.windowing.merged_state import (
    ClosedKey,
    PartKey,
    VersionKey,
    VersionRecord,
    decode_version,
    encode_version,
    parse_merged_key,
    part_key,
    version_key,
)
from stream_app.windowing.merger import MergerConfig
from tests.builders import NOON, NOON_MS, a_baseline, an_event
from tests.unit.stream_app.agents.stand import FakeBatch, Record, Stand
from tests.waiting import eventually

WINDOW = 10_000
CONFIG = MergingConfig(merger=MergerConfig(minimum_rows=200), rule=CALIBRATED, policy=PolicyConfig(page_after=1))


@pytest.fixture
def stand() -> Stand:
    return Stand(a_baseline())


def merging(stand: Stand, config: MergingConfig = CONFIG) -> Merging:
    agent = Merging(
        *("window-partials", config, stand.source, stand.store, stand.publisher),
        *(stand.baselines, stand.alerts, stand.telemetry, stand.time.clock),
    )
    agent.restore([0])
    return agent


def a_partial(baseline: Baseline, partition: int, rows: int, window: int = 0) -> PartialMessage:
    """Of events that are all alike, so that the window alarms."""
    counts = WindowCounts(baseline)
    event = an_event(model=baseline.model, model_version=baseline.version, event_time=NOON + timedelta(seconds=window))
    counts.add_events([event_decoder(baseline.schema).decode(encode_event(event))] * rows)
    start = NOON_MS + window * WINDOW
    return counts.partial(window_start=start, window_end=start + WINDOW, partition=partition, offset=rows - 1)


def beats(until: int, generation: int = 7) -> list[PartialMessage]:
    """From both source partitions: `until` windows are over."""
    mark = NOON_MS + until * WINDOW
    return [Heartbeat(partition=i, partitions=2, generation=generation, watermark=mark) for i in range(2)]


def batch(messages: list[PartialMessage | bytes], first: int = 0, **more: Any) -> FakeBatch:
    values = [message if isinstance(message, bytes) else encode_partial(message) for message in messages]
    records = [Record(first + i, value, topic="window-partials") for i, value in enumerate(values)]
    return FakeBatch(records, **more)


def topics(stand: Stand) -> list[str]:
    return [sent.topic for sent in stand.outlet.sent]


def one_window(stand: Stand, rows: int = 150) -> list[PartialMessage | bytes]:
    baseline = stand.baselines.by_version["flights", "1"]
    return [a_partial(baseline, 0, rows), a_partial(baseline, 1, rows), *beats(1)]


async def test_a_window_that_is_over_gets_a_report_of_all_its_parts_and_an_alert(stand: Stand) -> None:
    await merging(stand).handle(batch(one_window(stand)))
    assert topics(stand) == ["drift-reports", "drift-alerts"]
    report, alert = decode_report(stand.outlet.sent[0].value), decode_alert(stand.outlet.sent[1].value)
    assert (report.rows, report.status, report.partitions) == (300, "alarm", {0: 149, 1: 149})
    assert alert.report == report.id
    assert dict(stand.outlet.sent[1].headers)["ce_id"] == alert.id.encode()
    assert stand.value("reports_total", status="alarm") == 1
    assert stand.value("alerts_total", transition="raise") == 1


async def test_a_window_is_closed_only_when_its_report_and_alerts_are_out(stand: Stand) -> None:
    stored = []
    for topic in ("drift-reports", "drift-alerts"):
        stand.outlet.before_ack[topic] = lambda: stored.append(len(stand.store.writes))
    await merging(stand).handle(batch(one_window(stand)))
    assert stored == [3, 3]  # the two parts, and that the report is made of them
    version_deletions = [False, True, True]
    assert [value is None for _, _, value in stand.store.writes[3:]] == version_deletions


@pytest.mark.parametrize("topic", ["drift-reports", "drift-alerts"])
async def test_what_cannot_be_sent_is_sent_later_and_says_the_same(stand: Stand, topic: str) -> None:
    stand.outlet.refusals[topic] = 2
    agent = merging(stand)
    await agent.handle(batch(one_window(stand)))
    # the frontier is not stored: it is heard again, as it is twice a second
    await agent.handle(batch(beats(1), first=4))
    sent = {(sent.topic, sent.value) for sent in stand.outlet.sent}
    assert sorted(topic for topic, _ in sent) == ["drift-alerts", "drift-reports"]
    assert stand.value("retries_total", stage="merge") == 2


async def test_a_report_that_was_sent_before_a_crash_is_repeated_under_the_same_id(stand: Stand) -> None:
    def crash() -> None:
        stand.source.epoch += 1

    stand.outlet.before_ack["drift-reports"] = crash
    await merging(stand).handle(batch(one_window(stand)))
    stand.outlet.before_ack.clear()
    await merging(stand).handle(batch([*one_window(stand)], epoch=1))
    first, second = [json.loads(sent.value)["id"] for sent in stand.outlet.sent if sent.topic == "drift-reports"]
    assert first == second


@pytest.mark.parametrize(
    ("lost_at", "sent"), [("announced", []), ("drift-reports", ["drift-reports"])], ids=["no report", "no alert"]
)
async def test_a_worker_that_loses_the_partition_while_it_waits_publishes_nothing_more(
    stand: Stand, lost_at: str, sent: list[str]
) -> None:
    def lost() -> None:
        stand.source.epoch += 1

    put = stand.store.put

    def put_and_lose(partition: int, key: bytes, value: bytes | None) -> Any:
        if lost_at == "announced" and isinstance(parse_merged_key(key), ClosedKey):
            lost()
        return put(partition, key, value)

    stand.store.put = put_and_lose
    if lost_at != "announced":
        stand.outlet.before_ack[lost_at] = lost
    await merging(stand).handle(batch(one_window(stand)))
    assert topics(stand) == sent
    assert version_key(VersionKey(0, "flights", "1")) not in stand.store.values


async def test_a_repeated_report_says_the_same_though_an_idle_partition_woke_up_in_between(stand: Stand) -> None:
    def crash() -> None:
        stand.source.epoch += 1

    baseline = stand.baselines.by_version["flights", "1"]
    mark = NOON_MS + WINDOW
    moving = Heartbeat(partition=0, partitions=2, generation=7, watermark=mark)
    idle = [a_word(1, said, said - 1) for said in (1, 2)]
    stand.outlet.before_ack["drift-reports"] = crash
    agent = merging(stand)
    await agent.handle(batch(beats(0)))
    await agent.handle(batch([a_partial(baseline, 0, 300), moving, *idle], first=2))
    stand.outlet.before_ack.clear()
    await merging(stand).handle(batch([a_partial(baseline, 1, 50)], first=6, epoch=1))  # nobody is heard of yet
    first, second = [sent.value for sent in stand.outlet.sent if sent.topic == "drift-reports"]
    assert first == second
    record = decode_version(stand.store.values[version_key(VersionKey(0, "flights", "1"))])
    assert (record.reported_rows, record.late_rows) == (300, 50)


def a_word(partition: int, said: int, behind: int, generation: int = 7) -> Heartbeat:
    """An idle heartbeat."""
    return Heartbeat(
        partition=partition,
        partitions=2,
        generation=generation,
        watermark=None,
        idle=True,
        said=said,
        behind=behind,
    )


def all_idle(generation: int = 7, *, first: int = 0, times: int = 2, named: bool = True) -> list[PartialMessage]:
    """Both partitions say so, as often as it takes to say that all traffic has ended; each word names the one before.

    first: the offset of the first word, for its name. named: as a build that names them does.
    """
    said = range(first + 2, first + 2 + 2 * times, 2)
    return [a_word(i, at, at - 2, generation) if named else a_word(i, 0, 0, generation) for at in said for i in (0, 1)]


async def test_a_restored_merger_does_not_close_by_an_idleness_from_before_the_parts_that_it_has(stand: Stand) -> None:
    #   both idle | part of p0 | killed before it was committed: restored with the part, it hears "idle" once more
    baseline = stand.baselines.by_version["flights", "1"]
    first, second = a_partial(baseline, 0, 150), a_partial(baseline, 1, 150)
    await merging(stand).handle(batch([*all_idle(), first]))
    stand.source.append(5)
    stand.time.now += 1
    agent = merging(stand)
    await agent.handle(batch(all_idle()))
    assert topics(stand) == []
    await agent.handle(batch([first], first=4))
    await agent.handle(batch([second, *beats(1)], first=5))
    assert [decode_report(sent.value).rows for sent in stand.outlet.sent if sent.topic == "drift-reports"] == [300]
    assert stand.value("late_rows_total") == 0


def rows_reported(stand: Stand) -> list[int]:
    return [decode_report(sent.value).rows for sent in stand.outlet.sent if sent.topic == "drift-reports"]


async def test_heartbeats_that_a_deleted_group_has_left_fence_nobody_of_the_group_that_came_after_it(
    stand: Stand,
) -> None:
    #   1 .. 500: generations of the group that was deleted; part | 1: those of the new one
    baseline = stand.baselines.by_version["flights", "1"]
    left = [beat for generation in (1, 2, 499, 500) for beat in beats(0, generation)]
    stand.source.generation = 1
    stand.source.append(len(left))
    stand.time.now += 1
    agent = merging(stand)
    await agent.handle(batch(left))
    await agent.handle(batch([a_partial(baseline, 0, 300), *beats(1, generation=1)], first=len(left)))
    assert rows_reported(stand) == [300]
    assert stand.value("fenced_heartbeats_total") == 0


async def test_a_generation_that_this_worker_has_not_joined_yet_is_obeyed_and_heard_again_when_it_has(
    stand: Stand,
) -> None:
    #   8: another one has joined | 7: of one that has lost its partition, and of this one | this one has joined: 8, 8
    baseline = stand.baselines.by_version["flights", "1"]
    agent = merging(stand)
    first, second = beats(1, generation=8)
    await agent.handle(batch([a_partial(baseline, 0, 300)]))
    await agent.handle(batch([first, *beats(1, generation=7)], first=1))
    assert (rows_reported(stand), stand.value("fenced_heartbeats_total")) == ([], 1)
    stand.source.generation, stand.source.epoch = 8, 1
    agent.restore([0])
    await agent.handle(batch([first, second], first=4, epoch=1))
    assert rows_reported(stand) == [300]


async def test_what_was_not_heard_of_a_later_generation_is_said_again_when_this_worker_has_joined_it(
    stand: Stand,
) -> None:
    #   8: in the log already when this worker, cut off for a while, takes it up with 7 | it has joined 8: said again
    baseline = stand.baselines.by_version["flights", "1"]
    agent = merging(stand)
    await agent.handle(batch([a_partial(baseline, 0, 300), *beats(1, generation=8)]))
    assert rows_reported(stand) == []
    stand.source.generation, stand.source.epoch = 8, 1
    agent.restore([0])
    await agent.handle(batch(beats(1, generation=8), first=3, epoch=1))
    assert rows_reported(stand) == [300]


def idle_at(first: int, *, named: bool = True) -> FakeBatch:
    """Both partitions say three times that they are idle: six records, from this offset on."""
    return batch(all_idle(first=first, times=3, named=named), first=first)


@pytest.mark.parametrize("named", [True, False])
async def test_an_idleness_is_from_before_a_restore_up_to_the_end_that_the_log_had_then(
    stand: Stand, named: bool
) -> None:
    #   part | idle words ... | the log's end at the restore: they are read in several batches
    await merging(stand).handle(batch([a_partial(stand.baselines.by_version["flights", "1"], 0, 300)]))
    stand.source.append(13)
    stand.time.now += 1
    agent = merging(stand)
    await agent.handle(idle_at(1, named=named))
    await agent.handle(idle_at(7, named=named))
    assert topics(stand) == []
    await agent.handle(idle_at(13, named=named))
    assert topics(stand) == ["drift-reports", "drift-alerts"]


async def test_after_a_rebalance_an_idleness_is_from_before_up_to_the_new_end_of_the_log(stand: Stand) -> None:
    #   ours | another worker's, who takes a part in and does not commit it | ours again
    agent, part = merging(stand), a_partial(stand.baselines.by_version["flights", "1"], 0, 300)
    await agent.handle(idle_at(0))
    await merging(stand).handle(batch([part], first=12))
    stand.source.append(13)
    stand.time.now += 1
    agent.restore([0])
    await agent.handle(idle_at(6))
    assert topics(stand) == []
    await agent.handle(batch([part], first=12))
    await agent.handle(idle_at(13))
    assert topics(stand) == ["drift-reports", "drift-alerts"]


async def test_what_a_worker_that_was_stopped_says_of_idleness_long_after_closes_nothing(stand: Stand) -> None:
    agent = merging(stand)
    await agent.handle(batch([a_partial(stand.baselines.by_version["flights", "1"], 0, 300)]))
    await agent.handle(batch(all_idle(generation=6, first=1), first=1))
    assert topics(stand) == []
    await agent.handle(batch(all_idle(first=5), first=5))
    assert topics(stand) == ["drift-reports", "drift-alerts"]


async def test_a_part_that_was_stored_for_a_window_that_is_closed_without_it_is_late_after_the_next_restore(
    stand: Stand,
) -> None:
    baseline = stand.baselines.by_version["flights", "1"]
    await merging(stand).handle(batch(one_window(stand)))
    missed = a_partial(baseline, 1, 200)  # 50 more; another worker took it in, and did not know of the close
    key = part_key(PartKey(0, "flights", "1", NOON_MS, 1))
    stand.store.values[key] = encode_partial(missed)
    before = decode_version(stand.store.values[version_key(VersionKey(0, "flights", "1"))])
    agent = merging(stand)
    assert stand.value("late_rows_total") == 50
    await agent.handle(batch(beats(1), first=4))
    assert key not in stand.store.values
    after = decode_version(stand.store.values[version_key(VersionKey(0, "flights", "1"))])
    assert (after.reported_rows, after.late_rows - before.late_rows) == (before.reported_rows, 50)
    merging(stand)
    assert stand.value("late_rows_total") == 50


async def test_what_a_restore_found_late_takes_no_close_back_that_came_before_the_first_heartbeat(stand: Stand) -> None:
    #   W0 closed, a part of it was missed; W1 announced and reported, its worker killed; restored, W1 closes at once
    def crash() -> None:
        raise asyncio.CancelledError

    baseline, key = stand.baselines.by_version["flights", "1"], version_key(VersionKey(0, "flights", "1"))
    agent = merging(stand)
    await agent.handle(batch(one_window(stand)))
    stand.outlet.before_ack["drift-reports"] = crash
    second = [a_partial(baseline, 0, 150, window=1), a_partial(baseline, 1, 150, window=1), *beats(2)]
    with pytest.raises(asyncio.CancelledError):
        await agent.handle(batch(second, first=4))
    stand.outlet.before_ack.clear()
    missed = part_key(PartKey(0, "flights", "1", NOON_MS, 1))
    stand.store.values[missed] = encode_partial(a_partial(baseline, 1, 200))
    agent = merging(stand)
    await agent.handle(batch([a_partial(baseline, 0, 170)], first=8))  # 20 more for W0, and no heartbeat
    closed = decode_version(stand.store.values[key])
    assert (closed.reports, closed.reported_rows, closed.late_rows) == (2, 600, 50 + 20)
    await agent.handle(batch(beats(2), first=9))
    assert decode_version(stand.store.values[key]) == closed
    assert missed not in stand.store.values
    await merging(stand).handle(batch([second[0], *beats(2)], first=11))  # W1's part once more
    reports = [decode_report(sent.value) for sent in stand.outlet.sent if sent.topic == "drift-reports"]
    assert [(report.window_start, report.rows) for report in reports] == [
        (NOON, 300),
        (NOON + timedelta(milliseconds=WINDOW), 300),
        (NOON + timedelta(milliseconds=WINDOW), 300),  # as it was before its worker was killed
    ]


async def test_a_report_that_was_not_announced_has_what_came_before_it(stand: Stand) -> None:
    def lost() -> None:
        raise ConnectionError("the broker went away before it had what was announced")

    baseline = stand.baselines.by_version["flights", "1"]
    agent = merging(stand)
    await agent.handle(batch([a_partial(baseline, 0, 300)]))
    put, stand.store.put = stand.store.put, lambda *_: lost()
    stand.source.stopping = True
    await agent.handle(batch(beats(1), first=1))
    assert stand.outlet.sent == []
    stand.store.put, stand.source.stopping = put, False
    await merging(stand).handle(batch([a_partial(baseline, 1, 50), *beats(1)], first=1))
    assert decode_report(stand.outlet.sent[0].value).rows == 350


async def test_a_restart_takes_the_parts_up_again(stand: Stand) -> None:
    await merging(stand).handle(batch(one_window(stand)[:2]))
    await merging(stand).handle(batch(beats(1), first=2))
    assert decode_report(stand.outlet.sent[0].value).rows == 300


async def test_the_policy_remembers_over_a_restart(stand: Stand) -> None:
    baseline = stand.baselines.by_version["flights", "1"]
    config = MergingConfig(merger=CONFIG.merger, rule=CONFIG.rule, policy=PolicyConfig(page_after=2))
    await merging(stand, config).handle(batch(one_window(stand)))
    assert topics(stand) == ["drift-reports"]
    more = [a_partial(baseline, 0, 300, window=1), *beats(2)]
    await merging(stand, config).handle(batch(more, first=4))
    assert topics(stand) == ["drift-reports", "drift-reports", "drift-alerts"]


async def test_rows_for_a_closed_window_windows_that_wait_and_how_late_a_report_is_are_measured(stand: Stand) -> None:
    agent, baseline = merging(stand), stand.baselines.by_version["flights", "1"]
    stand.time.now += 25  # the window of ten seconds ended 15 s ago
    await agent.handle(batch([*one_window(stand), a_partial(baseline, 0, 4, window=1)]))
    assert stand.value("pending_windows", partition="0") == 1
    assert (stand.value("report_delay_seconds_count"), stand.value("report_delay_seconds_sum")) == (1, 15)
    assert stand.value("late_rows_total") == 0
    await agent.handle(batch([a_partial(baseline, 0, 153)], first=5))
    assert stand.value("late_rows_total") == 3


async def test_a_message_that_cannot_be_read_becomes_a_dead_letter_and_stops_nothing(stand: Stand) -> None:
    await merging(stand).handle(batch([b"\x00nonsense", *one_window(stand)]))
    (letter,) = stand.outlet.dead_letters()
    assert (letter.reason, letter.topic, letter.offset) == ("unreadable", "window-partials", 0)
    assert "drift-reports" in topics(stand)


async def test_a_partial_of_a_later_format_ends_the_worker_and_is_neither_counted_nor_refused(stand: Stand) -> None:
    said: list[str] = []

    def cannot_go_on(words: str) -> None:
        said.append(words)
        stand.source.stopping = True

    agent = Merging(
        *("window-partials", CONFIG, stand.source, stand.store, stand.publisher),
        *(stand.baselines, stand.alerts, stand.telemetry, stand.time.clock, cannot_go_on),
    )
    agent.restore([0])
    messages = one_window(stand)
    later = encode_partial(messages[0]).replace(b"\xa1v\x01", b"\xa1v\x02")
    await agent.handle(batch([messages[1], later]))
    assert said == [
        "window-partials/0: a partial or heartbeat is of format 2 and this version reads 1: run the version that wrote "
        "it, or a later one"
    ]
    assert stand.outlet.sent == stand.store.writes == []
    assert stand.source.abandoned == [0]  # so it is not committed, and the next worker reads it


async def test_a_heartbeat_of_a_former_owner_is_fenced_and_counted(stand: Stand) -> None:
    stand.source.generation = 8
    agent = merging(stand)
    await agent.handle(batch(beats(0, generation=8)))
    await agent.handle(batch([*one_window(stand)[:2], *beats(1, generation=7)], first=2))
    assert stand.outlet.sent == []
    assert stand.value("fenced_heartbeats_total") == 2


async def test_a_window_counted_with_a_baseline_that_is_gone_closes_all_the_same(stand: Stand) -> None:
    gone = a_baseline(seed=5)
    messages = [a_partial(gone, 0, 150), a_partial(stand.baselines.by_version["flights", "1"], 1, 250), *beats(1)]
    await merging(stand).handle(batch(messages))
    report = decode_report(stand.outlet.sent[0].value)
    assert (report.rows, report.compared_rows) == (400, 250)
    assert stand.baselines.refreshed == 1


async def test_baselines_that_are_not_followed_any_more_end_the_worker_and_give_no_baseline_up(stand: Stand) -> None:
    said: list[str] = []

    def cannot_go_on(words: str) -> None:
        said.append(words)
        stand.source.stopping = True

    stand.baselines.gone = True
    agent = Merging(
        *("window-partials", CONFIG, stand.source, stand.store, stand.publisher),
        *(stand.baselines, stand.alerts, stand.telemetry, stand.time.clock, cannot_go_on),
    )
    agent.restore([0])
    await agent.handle(batch([a_partial(a_baseline(seed=5), 0, 150), *beats(1)]))
    assert said == ["window-partials/0: the topic baselines is not followed any more: start this process again"]
    assert (stand.outlet.sent, stand.source.abandoned) == ([], [0])


async def test_a_version_that_cannot_be_judged_waits_and_holds_no_other_up(stand: Stand) -> None:
    sick = a_baseline(model="sick")
    stand.baselines.learn(sick)
    unreadable = VersionRecord(model="sick", version="1", policy=b"of a version to come")
    stand.store.put(0, version_key(VersionKey(0, "sick", "1")), encode_version(unreadable))
    agent = merging(stand)
    await agent.handle(batch([a_partial(sick, 0, 300), *one_window(stand)]))
    await agent.handle(batch(beats(1), first=5))
    reports = [decode_report(sent.value).model for sent in stand.outlet.sent if sent.topic == "drift-reports"]
    assert reports == ["flights"]
    assert stand.value("retries_total", stage="compare") == 1  # again, but not at every heartbeat
    stand.time.now += 60
    await agent.handle(batch(beats(1), first=7))
    assert stand.value("retries_total", stage="compare") == 2


async def test_windows_of_different_versions_wait_for_their_acknowledgements_together(stand: Stand) -> None:
    others = [a_baseline(model=name) for name in ("second", "third")]
    for other in others:
        stand.baselines.learn(other)
    own = stand.baselines.by_version["flights", "1"]
    parts = [a_partial(baseline, 0, 300, window) for window in (0, 1) for baseline in (own, *others)]
    stand.outlet.slow.add("drift-reports")
    handling = asyncio.create_task(merging(stand).handle(batch([*parts, *beats(2)])))
    for window in range(2):  # of one version one after the other
        await eventually(lambda: len(stand.outlet.waiting) == 3, 5, "all three reports are sent")
        sent = [decode_report(sent.value) for sent in stand.outlet.sent if sent.topic == "drift-reports"][-3:]
        assert sorted(report.model for report in sent) == ["flights", "second", "third"]
        assert {report.window_start for report in sent} == {NOON + timedelta(milliseconds=window * WINDOW)}
        assert stand.value("reports_total", status="alarm") == 3 * window
        for ack in stand.outlet.waiting:
            ack.set_result(None)
        stand.outlet.waiting.clear()
    await handling
    assert stand.value("reports_total", status="alarm") == 6


async def test_an_alert_that_cannot_be_sent_lets_no_other_go_on_behind_the_retry(stand: Stand) -> None:
    stand.baselines.learn(a_baseline(model="second"))
    second = stand.baselines.by_version["second", "1"]
    stand.outlet.refusals["drift-alerts"] = 1
    agent = merging(stand)
    await agent.handle(batch([a_partial(second, 0, 300), *one_window(stand)]))
    await agent.handle(batch(beats(1), first=5))
    alerts = [decode_alert(sent.value) for sent in stand.outlet.sent if sent.topic == "drift-alerts"]
    assert sorted({alert.model for alert in alerts}) == ["flights", "second"]
    assert stand.value("reports_total", status="alarm") == 2
    assert stand.value("alerts_total", transition="raise") == 2


async def test_a_gap_in_deliveries_is_read_again(stand: Stand) -> None:
    agent, messages = merging(stand), one_window(stand)
    await agent.handle(batch(messages[:1]))
    await agent.handle(batch(messages[2:], first=2))
    assert stand.source.rereads == [(0, 1)]
    await agent.handle(batch(messages[1:], first=1))
    assert decode_report(stand.outlet.sent[0].value).rows == 300


async def test_a_gap_at_the_first_batch_after_a_rebalance_is_read_again(stand: Stand) -> None:
    stand.source.began_at = 3
    await merging(stand).handle(batch(one_window(stand), first=5))
    assert stand.source.rereads == [(0, 3)]


async def test_a_batch_taken_before_a_rebalance_changes_nothing(stand: Stand) -> None:
    stand.source.epoch = 1
    await merging(stand).handle(batch(one_window(stand), epoch=0))
    assert stand.outlet.sent == stand.store.writes == []


async def test_a_version_without_stored_state_goes_on_where_its_alerts_ended(stand: Stand) -> None:
    await merging(stand).handle(batch(one_window(stand)))
    raised = decode_alert(stand.outlet.sent[-1].value)
    lost = Stand(*stand.baselines.by_version.values())
    lost.alerts.states = rebuilt([raised], page_after=1)
    agent, baseline = merging(lost), stand.baselines.by_version["flights", "1"]
    await agent.handle(batch(one_window(lost)))
    await agent.handle(batch([a_partial(baseline, 0, 300, window=1), *beats(2)], first=4))
    assert topics(lost) == ["drift-reports", "drift-reports"]


async def test_what_is_stored_is_believed_rather_than_the_alerts(stand: Stand) -> None:
    agent, baseline = merging(stand), stand.baselines.by_version["flights", "1"]
    await agent.handle(batch(one_window(stand)))
    stand.alerts.states = {("flights", "1"): PolicyState()}
    await agent.handle(batch([a_partial(baseline, 0, 300, window=1), *beats(2)], first=4))
    assert topics(stand).count("drift-alerts") == 1


async def test_a_muted_window_gets_its_report_and_no_alert(stand: Stand) -> None:
    stand.alerts.known = [Mute(model="flights", since=NOON, until=NOON + timedelta(seconds=10))]
    agent, baseline = merging(stand), stand.baselines.by_version["flights", "1"]
    await agent.handle(batch(one_window(stand)))
    assert topics(stand) == ["drift-reports"]
    await agent.handle(batch([a_partial(baseline, 0, 300, window=1), *beats(2)], first=4))
    assert topics(stand) == ["drift-reports", "drift-reports", "drift-alerts"]


@pytest.mark.parametrize("muted_first", [True, False])
async def test_an_alert_is_decided_by_the_mutes_that_there_were_when_its_report_went_out(
    stand: Stand, muted_first: bool
) -> None:
    """The worker dies behind the report; until the next one comes to it the mute is set, or is ended."""

    def crash() -> None:
        stand.source.epoch += 1

    mute = Mute(model="flights", since=NOON, until=NOON + timedelta(hours=1))
    stand.alerts.known = [mute] if muted_first else []
    stand.outlet.before_ack["drift-reports"] = crash
    await merging(stand).handle(batch(one_window(stand)))
    stand.outlet.before_ack.clear()
    stand.alerts.known = [] if muted_first else [mute]
    await merging(stand).handle(batch(one_window(stand), epoch=1))
    assert topics(stand) == ["drift-reports", "drift-reports", *([] if muted_first else ["drift-alerts"])]
