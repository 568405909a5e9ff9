"""What is damaged on the disk is skipped, and no more than that."""

import random
import tempfile
import time
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.outbox.reading import SLICE_BYTES
from api.outbox.segments import FILE_HEADER, frame
from tests.builders import NOON_MS
from tests.serving import a_group, an_outbox, drain

NAME = f"{NOON_MS:012x}-000000.log"


def a_file(*frames: bytes) -> bytes:
    return FILE_HEADER.pack(b"TMOB", 1, 0) + b"".join(frames)


def read_all(data: bytes) -> tuple[list[str], int]:
    """The ids that the next process finds, and how many bytes it skipped."""
    torn: list[int] = []
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, NAME).write_bytes(data)
        after = an_outbox(Path(folder), NOON_MS + 1, torn=torn)
        after.append(a_group(999))
        ids = drain(after)
        assert after.backlog.pending_bytes == 0
        after.close()
    assert ids.pop() == "999"
    return ids, sum(torn)


@given(
    sizes=st.lists(st.integers(0, 300), min_size=1, max_size=8),
    garbage=st.binary(min_size=1, max_size=200) | st.integers(1, 200).map(bytes),
    data=st.data(),
)
def test_whichever_bytes_of_a_file_are_damaged_all_groups_outside_them_are_read(sizes, garbage, data):
    frames = [frame(a_group(n, size=size)) for n, size in enumerate(sizes)]
    whole = a_file(*frames)
    at = data.draw(st.integers(0, len(whole) - 1))
    damaged = whole[:at] + garbage[: len(whole) - at] + whole[at + len(garbage) :]
    damaged = damaged[:4] + whole[4:6] + damaged[6:]  # a file of another version stops the start: another law

    ids, skipped = read_all(damaged)

    begin, intact, broken = FILE_HEADER.size, [], 0
    for number, one in enumerate(frames):
        if damaged[begin : begin + len(one)] == one:
            intact.append(str(number))
        else:
            broken += len(one)
        begin += len(one)
    assert ids == intact
    header = 0 if damaged[:4] == b"TMOB" else FILE_HEADER.size
    assert skipped == broken + header


@pytest.mark.parametrize("middle", [b"\0" * 4096, b"\x93" * 3000, b"\xff" * 5000, bytes(range(256)) * 40])
def test_bytes_that_were_put_between_two_groups_cost_neither(middle: bytes):
    assert read_all(a_file(frame(a_group(1)), middle, frame(a_group(2)))) == (["1", "2"], len(middle))


@pytest.mark.parametrize("size", [SLICE_BYTES - 40, SLICE_BYTES, 3 * SLICE_BYTES])
def test_the_next_group_is_found_across_the_borders_of_what_is_read_at_a_time(size: int):
    for beyond in range(40):
        middle = bytes(size - 20 + beyond)
        assert read_all(a_file(middle, frame(a_group(7)))) == (["7"], len(middle))


def test_a_large_group_behind_damage_is_found_whole():
    large = frame(a_group(2, 3, size=2 * SLICE_BYTES))

    assert read_all(a_file(frame(a_group(1))[:-1], large)) == (["2", "3"], len(frame(a_group(1))) - 1)


def test_a_length_that_points_far_ahead_hides_nothing_behind_it():
    lying = (3 * len(frame(a_group(1)))).to_bytes(4, "little") + frame(a_group(1))[4:]

    assert read_all(a_file(lying, *(frame(a_group(n)) for n in range(2, 7))))[0] == ["2", "3", "4", "5", "6"]


def test_a_frame_whose_checksum_fits_what_is_no_group_is_skipped():
    payload = b"\x93\xa1a\x01\x92\x00\x00"
    fake = len(payload).to_bytes(4, "little") + zlib.crc32(payload).to_bytes(4, "little") + payload

    assert read_all(a_file(fake, frame(a_group(1)))) == (["1"], len(fake))


def test_a_segment_of_garbage_is_passed_about_as_soon_as_one_of_groups():
    """On the event loop: a place where a length happens to fit must not cost a checksum of megabytes. Processor time;
    the garbage takes about 1.5 times what the groups do, and would take hundreds of times.
    """
    garbage = random.Random(6).randbytes(8 << 20)
    groups = [frame(a_group(n, size=1000)) for n in range(len(garbage) // 1000)]
    begun = time.process_time()
    assert len(read_all(a_file(*groups))[0]) == len(groups)
    of_groups = time.process_time() - begun

    assert read_all(a_file(garbage, frame(a_group(1)))) == (["1"], len(garbage))

    assert time.process_time() - begun - of_groups < 20 * of_groups


def test_a_file_that_became_shorter_while_it_was_read_ends_there(tmp_path: Path):
    (tmp_path / NAME).write_bytes(a_file(frame(a_group(1)), bytes(10_000)))
    torn: list[int] = []
    outbox = an_outbox(tmp_path, NOON_MS + 1, torn=torn)
    (tmp_path / NAME).write_bytes(a_file(frame(a_group(1))))

    assert drain(outbox) == ["1"]
    assert torn == [10_000]
