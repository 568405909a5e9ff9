"""What lies aside is whole, there once, bounded, and told from what cannot be read."""

from pathlib import Path

import pytest

from api.outbox.aside import Aside, Kept
from api.outbox.segments import Group, Record
from tests.builders import NOON_MS
from tests.serving import a_group

MOST = 10_000


def test_what_is_kept_is_found_again_whole_and_in_the_order_of_its_ids(tmp_path: Path):
    aside = Aside(tmp_path, "predictions", MOST)
    files = [aside.keep(a_group(number)) for number in (2, 1)]

    again = Aside(tmp_path, "predictions", MOST)

    assert again.events == 2
    assert list(again.kept()) == [
        Kept(file, a_group(number).records[0]) for file, number in zip(files[::-1], (1, 2), strict=True)
    ]
    assert [file.relative_to(tmp_path).as_posix() for file in files] == [
        "aside/predictions/2.event",
        "aside/predictions/1.event",
    ]


def test_an_event_that_is_set_aside_once_more_is_there_once(tmp_path: Path):
    aside = Aside(tmp_path, "predictions", MOST)
    assert aside.keep(a_group(1)) == aside.keep(a_group(1))
    assert aside.events == 1


def test_labels_lie_by_themselves(tmp_path: Path):
    aside, labels = (Aside(tmp_path, what, MOST) for what in ("predictions", "labels"))
    labels.keep(a_group(1))
    aside.look()
    assert (aside.events, labels.events) == (0, 1)


def test_no_more_than_the_bound_lies_there_and_room_that_somebody_made_is_seen(tmp_path: Path):
    aside = Aside(tmp_path, "predictions", MOST)
    first = aside.keep(a_group(1, size=6_000))
    with pytest.raises(OSError, match="as many bytes lie aside as the bound of the outbox allows"):
        aside.keep(a_group(2, size=6_000))
    assert aside.events == 1

    first.unlink()

    aside.keep(a_group(2, size=6_000))
    assert aside.events == 1


def test_an_id_is_no_path(tmp_path: Path):
    aside = Aside(tmp_path, "predictions", MOST)
    file = aside.keep(Group("", NOON_MS, [Record(b"k", "../../x/y", "", b"v")]))
    assert file.parent == tmp_path / "aside" / "predictions"


@pytest.mark.parametrize("damage", [b"", b"TMOB", b"x" * 100, None])
def test_what_cannot_be_read_is_shown_without_a_record(tmp_path: Path, damage: bytes | None):
    aside = Aside(tmp_path, "predictions", MOST)
    file = aside.keep(a_group(1))
    file.write_bytes(file.read_bytes()[:-1] if damage is None else damage)
    assert list(aside.kept()) == [Kept(file, None)]
