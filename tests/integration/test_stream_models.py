"""Many models at once, in the same partitions and windows: each has its own counts, comparisons, alerts and letters."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contracts.alerts import decode_alert
from contracts.baseline import Baseline
from contracts.events import PredictionEvent
from contracts.schema import Feature, FeatureSchema
from contracts.topics import DRIFT_ALERTS
from tests.builders import a_baseline, a_schema, an_event, an_event_id, reference_columns
from tests.servers.verbs import Broker
from tests.streams import Stream, expected_reports, random_events
from tests.waiting import eventually

PAYMENTS = FeatureSchema(
    (Feature("amount", "numeric"), Feature("distance", "categorical"), Feature("night", "boolean"))
)
"""Its `distance` is a text; that of the flights is a number."""


@pytest.fixture(scope="module")
async def stream(kafka: Broker, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stream]:
    """With one worker, for which time passes with the events alone."""
    directory: Path = tmp_path_factory.mktemp("models")
    async with Stream(kafka.bootstrap, f"{directory.name}.", directory, idle_seconds=120) as stream:
        await stream.ready(stream.worker(), partitions=8)
        yield stream


def events_of(
    baseline: Baseline, count: int, start: datetime, per_second: float, *, seed: int = 1, **shifts: float
) -> list[PredictionEvent[Any]]:
    """Events like the baseline's reference, decided at its threshold, evenly over event time.

    shifts: added to a numeric feature.
    """
    columns = {
        name: (column + shifts.get(name, 0.0)).tolist() if isinstance(column, np.ndarray) else column
        for name, column in reference_columns(baseline.schema, count, seed).items()
    }
    return [
        an_event(
            id=an_event_id(i, source=f"{baseline.key.replace('/', '.')}.{seed}"),
            event_time=start + timedelta(seconds=i / per_second),
            model=baseline.model,
            model_version=baseline.version,
            score=i % 100 / 100,
            decision=i % 100 / 100 >= (baseline.threshold or 0.0),
            features={name: column[i] for name, column in columns.items()},
        )
        for i in range(count)
    ]


async def time_passes(stream: Stream, beyond: datetime) -> None:
    """In every partition, by events of a model that nobody looks at."""
    await stream.publish_baseline(a_baseline(model="beyond"))
    await stream.send(random_events(8, beyond, per_second=100, model="beyond", seed=int(beyond.timestamp())))


async def test_versions_and_models_that_share_partitions_and_windows_share_nothing_else(stream: Stream) -> None:
    first = a_baseline(model="shared")
    second = a_baseline(
        model="shared", version="2", schema=a_schema(("distance",), ("origin", "carrier")), seed=5, threshold=0.8
    )
    payments = a_baseline(model="payments", schema=PAYMENTS)
    for baseline in (first, second, payments):
        await stream.publish_baseline(baseline)
    start = stream.fresh_hour()
    ours = events_of(first, 1_200, start, per_second=40)
    theirs = events_of(second, 1_200, start, per_second=40)
    drifted = events_of(payments, 1_200, start, per_second=40, amount=50.0)
    nobodys = [an_event(id=f"nobody {i}", model="shared", model_version="9", event_time=start) for i in range(30)]
    mixed = [*chain.from_iterable(zip(ours, theirs, drifted, strict=True))]
    mixed[500:500] = nobodys
    await stream.send(mixed, partition=lambda i: i * 5 % 8)
    await time_passes(stream, start + timedelta(minutes=5))
    await stream.reported(1_200, "payments")
    await stream.reported(2_400, "shared")
    for events, baseline in ((ours, first), (theirs, second), (drifted, payments)):
        reports = [report for report in await stream.reports(baseline.model) if report.version == baseline.version]
        assert [report.rows for report in reports] == [400] * 3
        assert {report.baseline for report in reports} == {baseline.digest}
        assert reports == expected_reports(events, baseline, reports)
        names = [verdict.feature for verdict in reports[0].features if not verdict.feature.startswith("prediction:")]
        assert names == list(baseline.schema.names)
    assert all("amount" in report.alarms for report in await stream.reports("payments"))
    alerts = [decode_alert(record.value) for record in await stream.records(DRIFT_ALERTS)]
    assert [(alert.model, alert.features[0].feature) for alert in alerts] == [("payments", "amount")]
    letters = await stream.dead_letters(lambda letter: b'"nobody ' in (letter.value or b""), number=30)
    assert {letter.reason for letter in letters} == {"unknown-version"}
    assert {"shared/9" in letter.detail for letter in letters} == {True}
    await stream.audit()


async def test_each_version_has_thin_windows_of_its_own(stream: Stream) -> None:
    #   version 1   |  150  |  150  |  150  |  150  |     each compared alone
    #   version 2   |   60  |   60  |   60  |   60  |     the first waits for the second, the third for the fourth
    busy, quiet = a_baseline(model="thin"), a_baseline(model="thin", version="2", seed=3)
    for baseline in (busy, quiet):
        await stream.publish_baseline(baseline)
    start = stream.fresh_hour()
    events = [*events_of(busy, 600, start, per_second=15), *events_of(quiet, 240, start, per_second=6)]
    await stream.send(sorted(events, key=lambda event: event.event_time))
    await time_passes(stream, start + timedelta(minutes=5))
    reports = await stream.reported(840, "thin")
    told = [(report.version, report.rows, report.compared_rows, report.merged_windows) for report in reports]
    assert told == [*[("1", 150, 150, 0)] * 4, *[("2", 60, 0, 0), ("2", 60, 120, 1)] * 2]
    assert [report.status == "insufficient" for report in reports] == [*[False] * 4, *[True, False] * 2]


async def test_a_baseline_published_again_counts_for_windows_that_begin_behind_it(stream: Stream) -> None:
    #   partition 0   [ 120 | 30  )[ 100       )      the window keeps the baseline that it was opened with
    #   partition 1   [     | 40  )[  50       )      opened behind it: its rows cannot be compared with the others
    #                       ^ published again
    before, after = a_baseline(model="again"), a_baseline(model="again", seed=7)
    start = stream.fresh_hour()
    await stream.publish_baseline(before)
    events = events_of(before, 340, start, per_second=17)

    async def counted(number: int) -> None:
        async def found() -> bool:
            versions = (await stream.audit()).accounts.versions
            return any(version.model == "again" and version.counted == number for version in versions)

        await eventually(found, 20, f"{number} events are counted")

    def known() -> bool:
        return f"baseline {after.digest} of again/1" in "\n".join(stream.workers[0].tail(400))

    await stream.send(events[:120], partition=lambda i: 0)
    await counted(120)
    await stream.publish_baseline(after)
    await eventually(known, 10, "the worker knows the new baseline")
    await stream.send(events[120:150], partition=lambda i: 0)
    await stream.send(events[150:170], partition=lambda i: 1)
    await stream.send(events[170:], partition=lambda i: i % 2)
    await time_passes(stream, start + timedelta(minutes=5))
    first, second = await stream.reported(340, "again")
    assert (first.baseline, first.rows, first.compared_rows) == (before.digest, 170, 150)
    assert (second.baseline, second.rows, second.compared_rows) == (after.digest, 170, 170)
    assert [second] == expected_reports(events[170:], after, [second])
    await stream.audit()


async def test_dead_letters_of_a_late_baseline_are_repeats_when_an_api_sent_them_and_events_when_another_did(
    stream: Stream,
) -> None:
    """An API's ids rise within a partition, so what is behind a later one was there before. Replay reads the log."""
    start = stream.fresh_hour()
    baseline = a_baseline(model="tardy-baseline")
    events = events_of(baseline, 130, start, per_second=15)
    foreign = [an_event(id=f"foreign {i}", model=baseline.model, event_time=start) for i in range(10)]
    await stream.send([*events[:20], *foreign], partition=lambda i: 3)
    early = await stream.dead_letters(lambda letter: b'"tardy-baseline"' in (letter.value or b""), number=30)
    await stream.publish_baseline(baseline)
    await stream.send(events[20:], partition=lambda i: 3)
    await stream.send_raw([letter.value or b"" for letter in early], partition=lambda i: 3)
    await time_passes(stream, start + timedelta(minutes=5))
    (report,) = await stream.reported(120, baseline.model)
    assert report.rows == 110 + 10
    (version,) = [line for line in (await stream.audit()).accounts.versions if line.model == baseline.model]
    assert (version.counted, version.repeats) == (120, 20)
