import zlib

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from api.outbox.segments import (
    FILE_HEADER,
    FRAME_HEADER,
    VERSION,
    Group,
    Record,
    file_header,
    frame,
    parse,
    version_of,
)
from contracts.headers import Origin
from tests.serving import a_group

groups = st.builds(
    Group,
    st.text(max_size=10),
    st.integers(0, 2**53),
    st.lists(
        st.builds(Record, st.binary(max_size=9), st.text(max_size=9), st.text(max_size=9), st.binary(max_size=40))
    ),
)


@given(st.lists(groups, max_size=5))
def test_groups_are_read_as_they_were_written(written):
    data = b"".join(map(frame, written))

    parsed = parse(data)

    assert parsed.groups == written
    assert parsed.size == len(data)
    assert parsed.needed == 0


@given(st.lists(groups, min_size=1, max_size=4), st.data())
def test_a_file_that_was_cut_off_anywhere_gives_its_whole_groups_and_no_other(written, data):
    frames = [frame(group) for group in written]
    whole = b"".join(frames)
    cut = data.draw(st.integers(0, len(whole) - 1))
    fits = [sum(map(len, frames[:n])) for n in range(len(frames) + 1)]
    kept = max(n for n, size in enumerate(fits) if size <= cut)

    parsed = parse(whole[:cut])

    assert parsed.groups == written[:kept]
    assert parsed.size == fits[kept]


@given(groups, st.data())
def test_a_changed_byte_is_never_read_as_an_event(group, data):
    whole = bytearray(frame(group))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))

    assert parse(bytes(whole)).groups == []


def test_a_run_of_zeros_is_not_an_empty_group():
    assert parse(bytes(4096)).groups == []


def test_the_size_of_a_group_that_is_not_whole_is_told():
    whole = frame(a_group(1, 2, 3))

    assert parse(whole[:20]).needed == len(whole)


def test_a_file_says_its_format():
    assert len(file_header()) == FILE_HEADER.size
    assert version_of(file_header()) == VERSION


def test_bytes_that_are_not_an_outbox_file_have_no_format():
    assert version_of(b"") is None
    assert version_of(file_header()[:-1]) is None
    assert version_of(b"GIF89a....") is None


def test_records_of_a_file_from_before_outcomes_and_origins_are_read():
    old = msgspec.msgpack.encode(["flights/1", 5, [[b"k", "id-1", "2026-01-01T00:00:00+00:00", b"{}"]]])

    parsed = parse(FRAME_HEADER.pack(len(old), zlib.crc32(old)) + old)

    assert parsed.groups == [Group("flights/1", 5, [Record(b"k", "id-1", "2026-01-01T00:00:00+00:00", b"{}")])]


def test_a_record_keeps_where_its_request_came_from():
    origin = Origin("r-1", "00-" + "a" * 32 + "-" + "b" * 16 + "-01", "vendor=1")
    written = Group("flights/1", 5, [Record(b"k", "id-1", "t", b"{}", origin=origin)])

    assert parse(frame(written)).groups == [written]
