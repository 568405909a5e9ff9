"""What `bench drain` puts into an outbox, and what it makes of its rounds."""

from pathlib import Path

import msgspec
import pytest

from bench.benchmark import BenchError, Options
from bench.drain.process import Cost, Job, fill
from bench.drain.run import _row, run
from contracts.events import decode_event
from tests.serving import an_outbox


def a_job(directory: Path, events: int, group: int) -> Job:
    bodies = [{"entity_id": f"card-{n}", "features": {"amount": n}} for n in range(3)]
    rows = directory / "rows.jsonl"
    rows.write_bytes(b"\n".join(map(msgspec.json.encode, bodies)))
    return Job(rows=str(rows), events=events, group=group, outbox="", bootstrap="", redis=None)


def test_all_events_lie_in_the_outbox_in_groups_that_were_committed_together(tmp_path: Path):
    outbox = an_outbox(tmp_path)

    fill(outbox, a_job(tmp_path, 10, 4))

    slice_ = outbox.backlog.read()
    assert slice_ is not None
    assert [len(group.records) for group in slice_.groups] == [4, 4, 2]
    records = [record for group in slice_.groups for record in group.records]
    assert len({record.id for record in records}) == 10
    events = [decode_event(record.value) for record in records]
    assert [event.entity_id for event in events][:4] == ["card-0", "card-1", "card-2", "card-0"]
    assert [(event.id, event.features["amount"]) for event in events][4] == (records[4].id, 1)


def test_a_row_has_the_middle_of_the_rounds_and_the_least():
    costs = [
        Cost(cpu_us=cpu, kernel_us=cpu / 10, wall_us=2 * cpu, resident_mb=cpu, mirror_failures=0)
        for cpu in (30.0, 10.0, 11.0)
    ]

    row = _row(16, True, costs)

    assert (row.cpu_us, row.least_cpu_us, row.kernel_us, row.wall_us, row.resident_mb) == (11.0, 10.0, 1.1, 20.0, 30.0)


def test_a_part_that_there_is_not_is_named():
    with pytest.raises(BenchError, match="batches, singles"):
        run(Options(only=("rows",)), print)
