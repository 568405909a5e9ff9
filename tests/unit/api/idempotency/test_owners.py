import os
from pathlib import Path

from api.idempotency.operations import Finish
from api.idempotency.owners import Owners
from api.outbox.segments import Group, Outcome, Record
from tests.serving import an_outbox


def a_record(number: int, outcome: Outcome | None = None) -> Record:
    return Record(b"k", f"{number}", "", b"v", outcome)


def test_a_process_is_alive_while_it_holds_its_lock(tmp_path: Path):
    one, other = Owners(tmp_path, "00", 1), Owners(tmp_path, "01", 1)
    assert not other.alive(one.own)
    one.hold()
    assert other.alive(one.own)
    assert one._lock is not None
    os.close(one._lock)  # as the kernel does with the process

    assert not other.alive(one.own)


def test_who_ends_in_order_leaves_no_file(tmp_path: Path):
    one = Owners(tmp_path, "00", 1)
    one.hold()
    one.release()

    assert list((tmp_path / "idempotency" / "owners").iterdir()) == []
    assert not Owners(tmp_path, "01", 1).alive(one.own)


def test_what_a_process_committed_is_found_in_all_files_of_its_slot(tmp_path: Path):
    (tmp_path / "00").mkdir()
    outbox = an_outbox(tmp_path / "00", 1, segment_bytes=200)
    for n in range(9):
        outcome = Outcome(b"%d" % n, n, b"answer") if n % 3 == 0 else None
        outbox.append(Group("flights/1", 0, [a_record(n, outcome), a_record(n)]))
    assert len(list((tmp_path / "00").glob("*.log"))) > 1

    left = Owners(tmp_path, "01", 1).left("00-000000000001")

    assert [finish for part in left for finish in part] == [Finish(b"%d" % n, n, b"answer") for n in (0, 3, 6)]


def test_a_slot_that_is_not_there_left_nothing(tmp_path: Path):
    assert list(Owners(tmp_path, "01", 1).left("00-000000000001")) == []


def test_files_of_another_process_in_its_slot_are_not_read(tmp_path: Path):
    (tmp_path / "00").mkdir()
    an_outbox(tmp_path / "00", 2).append(Group("flights/1", 0, [a_record(1, Outcome(b"1", 1, b"answer"))]))

    assert list(Owners(tmp_path, "01", 1).left("00-000000000001")) == []


def test_what_a_process_committed_with_labels_is_found_too(tmp_path: Path):
    (tmp_path / "00" / "labels").mkdir(parents=True)
    outbox = an_outbox(tmp_path / "00" / "labels", 1)
    outbox.append(Group("", 0, [a_record(1, Outcome(b"digest", 7, b"answer"))]))

    assert [one for part in Owners(tmp_path, "01", 1).left(Owners(tmp_path, "00", 1).own) for one in part] == [
        Finish(b"digest", 7, b"answer")
    ]
