"""What the follower makes of the records of `baselines`."""

from __future__ import annotations

from aiokafka import ConsumerRecord

from contracts.baseline import Baseline
from stream_app.baselines import Baselines
from tests.builders import a_baseline


def a_record(key: bytes, value: bytes | None, offset: int = 0) -> ConsumerRecord:
    return ConsumerRecord("baselines", 0, offset, 0, 0, key, value, None, len(key), len(value or b""), ())


def of(baseline: Baseline) -> ConsumerRecord:
    return a_record(baseline.key.encode(), baseline.to_bytes())


async def test_a_baseline_is_known_by_its_version_and_by_its_digest() -> None:
    baselines, baseline = Baselines("", "baselines"), a_baseline()
    baselines.learn(of(baseline))
    assert baselines.by_version["flights", "1"] == baseline == baselines.by_digest[baseline.digest]


async def test_a_later_baseline_of_a_version_replaces_it_and_the_former_stays_known_by_its_digest() -> None:
    baselines, former, later = Baselines("", "baselines"), a_baseline(seed=1), a_baseline(seed=2)
    for baseline in (former, later):
        baselines.learn(of(baseline))
    assert baselines.by_version["flights", "1"] == later
    assert set(baselines.by_digest) == {former.digest, later.digest}


async def test_a_tombstone_makes_its_version_unknown_and_no_other() -> None:
    baselines = Baselines("", "baselines")
    for version in ("1", "2"):
        baselines.learn(of(a_baseline(version=version)))
    baselines.learn(a_record(b"flights/1", None))
    baselines.learn(a_record(b"never/seen", None))
    assert set(baselines.by_version) == {("flights", "2")}


async def test_what_is_no_baseline_becomes_a_dead_letter_with_its_origin() -> None:
    baselines = Baselines("", "baselines")
    baselines.learn(a_record(b"broken/1", b"{}", offset=7))
    letter = baselines.unreadable.get_nowait()
    assert (letter.id, letter.reason, letter.key, letter.value) == ("baselines/0/7", "unreadable", b"broken/1", b"{}")
    assert "not a baseline" in letter.detail
    assert not baselines.by_version
