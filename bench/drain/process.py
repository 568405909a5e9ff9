"""One drain, in a process of its own: an outbox is filled, then nothing but the publisher runs until it is empty.

`python -m bench.drain.process`, a Job as JSON on its standard input, a Cost as JSON on its standard output.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import resource
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import uvloop

from api.outbox.aside import PREDICTIONS, Aside
from api.outbox.log import Outbox
from api.outbox.segments import Group, Record
from api.outbox.slots import claim
from api.outbox.sources import Source, Sources
from api.publishing.mirror import Mirror
from api.publishing.pace import Pace
from api.publishing.producer import Producer
from api.publishing.publisher import Link, Publisher
from api.publishing.setting_aside import SettingAside
from api.telemetry import Telemetry
from contracts.events import BATCH_SOURCE, EventIds, PredictionEvent, encode_event

_MIRROR_SECONDS = 60
_BOUND = 1 << 32
_FAILED = "tidemark_api_mirror_failed_events_total"


class Row(msgspec.Struct):
    """A request of bench.api.material's."""

    entity_id: str
    features: msgspec.Raw


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """rows: file of requests, one a line. group: events that are committed together. redis: None for no mirror.
    prefix: of topic and keys.
    """

    rows: str
    events: int
    group: int
    outbox: str
    bootstrap: str
    redis: str | None
    prefix: str = ""


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """cpu_us: processor time of the process, all threads, per event; kernel_us: of that in the kernel. wall_us: time
    passed. resident_mb: at most. mirror_failures: events that the mirror did not get.
    """

    cpu_us: float
    kernel_us: float
    wall_us: float
    resident_mb: float
    mirror_failures: int


def fill(outbox: Outbox, job: Job) -> None:
    """Events of payments as the API writes them, with entities as keys."""
    rows = [msgspec.json.decode(line, type=Row) for line in Path(job.rows).read_bytes().splitlines()]
    ids = EventIds(f"api.{'5' * 8}{BATCH_SOURCE}", time.time_ns() // 1_000_000)
    for begin in range(0, job.events, job.group):
        now = datetime.now(UTC)
        written = now.isoformat()
        records = []
        for place, id_ in enumerate(ids.take(min(job.group, job.events - begin)), begin):
            row = rows[place % len(rows)]
            event = PredictionEvent(
                id_, now, "payments", "1", 0.0123456789, row.features, row.entity_id, "champion", False, 1.25
            )
            records.append(Record(row.entity_id.encode(), id_, written, encode_event(event)))
        outbox.append(Group("", int(now.timestamp() * 1000), records))


async def drain(job: Job) -> Cost:
    """Fill and drain. The processor time is that from the publisher's start until nothing waits."""
    slot, telemetry = claim(Path(job.outbox)), Telemetry()
    outbox = Outbox(slot.directory, slot.next_epoch(0), max_bytes=_BOUND, on_torn=telemetry.torn.inc)
    fill(outbox, job)
    await asyncio.to_thread(outbox.sync)
    mirror = Mirror(job.redis, telemetry, prefix=job.prefix, ttl_seconds=_MIRROR_SECONDS, cap=10_000, entity_cap=100)

    async def connect() -> Link:
        return await Producer.connect(job.bootstrap, job.prefix)

    publisher = Publisher(
        Sources(Source(slot, outbox.backlog), Path(job.outbox), telemetry, telemetry.torn.inc),
        connect,
        mirror,
        telemetry,
        Pace(linger=0.005, warn=10.0, limit=60.0, adopt=60.0),
        SettingAside(Aside(Path(job.outbox), PREDICTIONS, _BOUND), telemetry),
        now=lambda: time.time() * 1000,
    )
    gc.collect()
    gc.freeze()
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    task = asyncio.create_task(publisher.run())
    await publisher.drained()
    passed, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await mirror.close()
    await asyncio.to_thread(outbox.close)
    slot.release()
    kernel = after.ru_stime - before.ru_stime
    return Cost(
        cpu_us=(after.ru_utime - before.ru_utime + kernel) / job.events * 1e6,
        kernel_us=kernel / job.events * 1e6,
        wall_us=passed / job.events * 1e6,
        resident_mb=_most_resident_mb(),
        mirror_failures=round(telemetry.registry.get_sample_value(_FAILED) or 0),
    )


def _most_resident_mb() -> float:
    """Of this process; what its parent had before is in ru_maxrss, too."""
    found = Path("/proc/self/status").read_text().partition("VmHWM:")[2]
    return int(found.split(maxsplit=1)[0]) * 1024 / 1e6


if __name__ == "__main__":
    given = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(drain(given))))
