"""A worker is killed and started again under its name: what takes how long, and what the other worker notices.

Both count a live stream into the same open windows of all versions; nothing is late and nothing closes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import msgspec

from bench.benchmark import BenchError, Say
from bench.growth.installation import WINDOW_MS, Installation, TimeOf
from bench.growth.watched import READY, REBALANCES, Watched
from demo.stack.kafka import KafkaServer

_RATE, _TICK_SECONDS = 2_000, 0.05
_WITHIN_SECONDS = 60.0
_CALM_SECONDS, _LOOK_SECONDS = 4.0, 0.02
_LATENESS_SECONDS = 3600


class Open(NamedTuple):
    """What a source partition has open: so many windows of each of so many versions.

    aged: records that stage 1's state topic is brought to before the kill, as hours of the stream leave it.
    """

    windows: int
    versions: int
    aged: int = 0


CASES = (Open(1, 1), Open(2, 5), Open(5, 20), Open(2, 5, aged=100_000))


class Recovery(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds. open_windows: windows x versions in each partition. start: SIGKILL -> the new process serves metrics;
    join: -> partitions assigned; replay: -> state restored; reread: -> first batch counted; seconds: all of it.
    others: the other worker's longest time without a counted event meanwhile; calm: likewise, before the kill.
    replayed_records: what the state topics hold for this worker. aged: whether they were brought to that by writing the
    present values again; else it is what the seconds since the stream began have written.
    """

    open_windows: int
    aged: bool
    seconds: float
    start: float
    join: float
    replay: float
    reread: float
    others: float
    calm: float
    replayed_records: int
    state_bytes_per_event: int


async def measure(kafka: KafkaServer, case: Open, seed: int, say: Say) -> Recovery:
    """Measure one case. Raises BenchError."""
    begin = time.time_ns() // 1_000_000 - case.windows * WINDOW_MS
    begin -= begin % WINDOW_MS

    def time_ms(i: int) -> int:
        return begin + i // 8 // case.versions % case.windows * WINDOW_MS + i % 1000

    number = case.windows * case.versions
    name = f"recovery-{number}{'-aged' if case.aged else ''}"
    async with Installation(
        *(kafka, name, case.versions, seed),
        idle_seconds=600,
        lateness_seconds=_LATENESS_SECONDS,
        session_timeout_seconds=30,
    ) as installation:
        workers = [installation.worker(name) for name in ("w0", "w1")]
        try:
            await asyncio.gather(*[worker.start() for worker in workers])
            feeding = asyncio.create_task(_trickle(installation, time_ms))
            await _until(workers, lambda found: all(each.get("counted", 0) > 0 for each in found))
            await asyncio.sleep(_CALM_SECONDS)
            if case.aged:
                await installation.age(case.aged)
            calm = await _longest_pause(workers[1], asyncio.sleep(_CALM_SECONDS))
            records, per_event = await _tail(installation, len(workers))
            recovering = asyncio.create_task(_recover(workers[0]))
            others = await _longest_pause(workers[1], recovering)
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)
            moments = await recovering
        finally:
            await asyncio.gather(*[worker.stop() for worker in workers])
    steps = [after - before for before, after in pairwise(moments)]
    start, join, replay, reread = (round(step, 3) for step in steps)
    found = Recovery(
        open_windows=number,
        aged=case.aged > 0,
        seconds=round(moments[-1] - moments[0], 3),
        start=start,
        join=join,
        replay=replay,
        reread=reread,
        others=round(others, 3),
        calm=round(calm, 3),
        replayed_records=records,
        state_bytes_per_event=per_event,
    )
    say(
        f"  {number:>4} open windows x versions: counted again after {found.seconds:.2f} s (start {start:.2f}, join "
        f"{join:.2f}, replay of {records:,} records {replay:.2f}, re-read {reread:.2f}); the other worker paused "
        f"{others:.2f} s ({calm:.2f} before)"
    )
    return found


async def _recover(worker: Watched) -> list[float]:
    """Kill it and start it again. The moments: killed, serving metrics, assigned, restored, counting."""
    moments = [time.monotonic()]
    await worker.kill()
    await worker.start()
    for reached in (
        lambda found: bool(found),
        lambda found: found.get(REBALANCES, 0) >= 1,
        lambda found: found.get(READY, 0) == 1,
        lambda found: found.get("counted", 0) > 0,
    ):
        await _until([worker], lambda found, reached=reached: reached(found[0]))  # type: ignore[misc]
        moments.append(time.monotonic())
    return moments


async def _until(workers: Sequence[Watched], reached: Callable[[list[dict[str, float]]], bool]) -> None:
    """Until their metrics are so. Raises BenchError."""
    deadline = time.monotonic() + _WITHIN_SECONDS
    while not reached([await worker.metrics() for worker in workers]):
        if time.monotonic() > deadline:
            raise BenchError(f"nothing for {_WITHIN_SECONDS:g} s: {' / '.join(workers[0].process.tail(3))}")
        await asyncio.sleep(_LOOK_SECONDS)


async def _tail(installation: Installation, workers: int) -> tuple[int, int]:
    """Records that one worker of so many has to replay, and bytes on the broker's disk an event."""
    records = sum([(await installation.log_of(topic))[0] for topic in installation.state_topics])
    return records // workers, installation.state_bytes() // installation.sent


async def _trickle(installation: Installation, time_ms: TimeOf) -> None:
    """Events at a steady rate, until it is cancelled."""
    due = time.monotonic()
    while True:
        await installation.feed(round(_RATE * _TICK_SECONDS), time_ms)
        due += _TICK_SECONDS
        await asyncio.sleep(max(0.0, due - time.monotonic()))


async def _longest_pause(worker: Watched, meanwhile: Awaitable[object]) -> float:
    """The longest time in which this worker counted nothing, until `meanwhile` is over."""
    ending = asyncio.ensure_future(meanwhile)
    counted, moved, longest = 0.0, time.monotonic(), 0.0
    while not ending.done():
        now = (await worker.metrics()).get("counted", 0.0)
        longest = max(longest, time.monotonic() - moved)
        if now > counted:
            counted, moved = now, time.monotonic()
        await asyncio.sleep(_LOOK_SECONDS)
    await ending
    return longest
