import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from api.errors import OutboxUnusable
from api.outbox.slots import abandoned, claim
from tests.serving import a_group, an_outbox

NOW = 1_800_000_000_000


def test_a_process_takes_the_lowest_free_slot(tmp_path: Path):
    first, second = claim(tmp_path), claim(tmp_path)
    assert (first.name, second.name) == ("00", "01")

    first.release()

    assert claim(tmp_path).name == "00"


def test_a_slot_keeps_its_identity_and_shares_it_with_no_other(tmp_path: Path):
    slot, other = claim(tmp_path), claim(tmp_path)
    before = slot.identity()
    slot.release()

    assert claim(tmp_path).identity() == before
    assert other.identity() != before


def test_epochs_rise_with_the_clock(tmp_path: Path):
    slot = claim(tmp_path)

    assert slot.next_epoch(NOW) == NOW
    assert slot.next_epoch(NOW + 5) == NOW + 5


def test_epochs_rise_although_the_clock_went_back(tmp_path: Path):
    slot = claim(tmp_path)
    first = slot.next_epoch(NOW)

    assert slot.next_epoch(NOW - 3_600_000) > first


@pytest.mark.parametrize("lost", ["epoch", "acked"])
def test_an_epoch_is_later_than_every_file_of_the_slot(tmp_path: Path, lost: str):
    slot = claim(tmp_path)
    outbox = an_outbox(slot.directory, NOW)
    outbox.append(a_group(1))
    outbox.close()
    (slot.directory / lost).unlink(missing_ok=True)

    assert slot.next_epoch(NOW - 1) > NOW


def test_an_epoch_is_later_than_the_position_of_a_file_that_is_gone(tmp_path: Path):
    slot = claim(tmp_path)
    (slot.directory / "acked").write_text(f"{NOW:012x}-000003.log 17\n")

    assert slot.next_epoch(5) > NOW


@contextmanager
def full_disk() -> Iterator[None]:
    """What every write would add is refused; what overwrites is taken."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (12, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_baseline_that_is_kept_already_is_kept_on_a_full_disk_and_no_other(tmp_path: Path):
    slot = claim(tmp_path)
    slot.keep_baseline("flights/1", b"some twenty bytes of it")

    with full_disk():
        slot.keep_baseline("flights/1", b"some twenty bytes of it")
        with pytest.raises(OutboxUnusable, match=r"API_OUTBOX_DIR: .* the baseline of flights/2: .*; make room"):
            slot.keep_baseline("flights/2", b"some twenty bytes of it")

    assert [file.name for file in (slot.directory / "baselines").iterdir()] == ["flights%2F1.json"]


def test_only_slots_with_files_and_without_a_living_owner_are_abandoned(tmp_path: Path):
    alive, dead, empty = claim(tmp_path), claim(tmp_path), claim(tmp_path)
    for slot in (alive, dead):
        outbox = an_outbox(slot.directory)
        outbox.append(a_group(1))
        outbox.close()
    dead.release()
    empty.release()

    found = list(abandoned(tmp_path))

    assert [slot.name for slot in found] == ["01"]
    assert list(abandoned(tmp_path)) == []  # it has an owner again


def test_a_slot_that_cannot_be_looked_into_hides_no_other(tmp_path: Path):
    for slot in (claim(tmp_path), claim(tmp_path)):
        outbox = an_outbox(slot.directory)
        outbox.append(a_group(1))
        outbox.close()
        slot.release()
    (tmp_path / "00" / "lock").unlink()
    (tmp_path / "00" / "lock").mkdir()

    assert [slot.name for slot in abandoned(tmp_path)] == ["01"]


def test_a_position_that_is_no_text_does_not_stop_a_start(tmp_path: Path):
    slot = claim(tmp_path)
    (slot.directory / "acked").write_bytes(b"\xff\xfe")

    assert slot.next_epoch(NOW) == NOW


def test_a_kept_baseline_is_there_for_the_next_process(tmp_path: Path):
    slot = claim(tmp_path)
    slot.keep_baseline("flights/eu/3", b"{}")
    slot.release()

    assert claim(tmp_path).baseline("flights/eu/3") == b"{}"


def test_inherited_baselines_are_forgotten_and_those_of_this_process_are_not(tmp_path: Path):
    before = claim(tmp_path)
    before.keep_baseline("flights/1", b"old")
    before.keep_baseline("flights/2", b"old")
    before.release()
    slot = claim(tmp_path)
    slot.keep_baseline("flights/2", b"new")

    slot.forget_inherited()

    assert slot.baseline("flights/1") is None
    assert slot.baseline("flights/2") == b"new"


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(OutboxUnusable, match=r"API_OUTBOX_DIR: .*file/00 cannot be used: Not a directory"):
        claim(tmp_path / "file")


def test_a_part_is_claimed_with_its_slot_and_given_back_with_it(tmp_path: Path):
    slot = claim(tmp_path, ("labels",))
    outbox = an_outbox(slot.parts["labels"].directory)
    outbox.append(a_group(1))
    outbox.close()

    assert (slot.name, slot.parts["labels"].name) == ("00", "00/labels")
    assert list(abandoned(tmp_path, "labels")) == []
    slot.release()

    assert [left.name for left in abandoned(tmp_path)] == []
    assert [left.name for left in abandoned(tmp_path, "labels")] == ["00/labels"]


def test_a_slot_whose_part_somebody_drains_is_not_claimed(tmp_path: Path):
    slot = claim(tmp_path, ("labels",))
    outbox = an_outbox(slot.parts["labels"].directory)
    outbox.append(a_group(1))
    outbox.close()
    slot.release()
    (adopted,) = abandoned(tmp_path, "labels")

    assert claim(tmp_path, ("labels",)).name == "01"
    adopted.release()

    assert claim(tmp_path, ("labels",)).name == "00"


def test_epochs_are_later_than_what_a_part_has_although_the_clock_went_back(tmp_path: Path):
    slot = claim(tmp_path, ("labels",))
    outbox = an_outbox(slot.parts["labels"].directory, NOW + 1000)
    outbox.append(a_group(1))

    assert slot.next_epoch(NOW) == NOW + 1001
