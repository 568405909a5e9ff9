import tracemalloc
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from api.idempotency.left import outcomes_in
from api.outbox.reading import SLICE_BYTES
from api.outbox.segments import Group, Outcome, Record, file_header, frame


def a_frame(number: int, size: int = 10) -> bytes:
    """A group of two records, `size` bytes of value each; the first has an outcome."""
    outcome = Outcome(b"%d" % number, number, b"answer")
    records = [Record(b"k", "1", "", bytes(size), outcome), Record(b"k", "2", "", bytes(size))]
    return frame(Group("flights/1", 0, records))


def a_file(directory: Path, *pieces: bytes) -> Path:
    file = directory / "1.log"
    file.write_bytes(file_header() + b"".join(pieces))
    return file


def numbers(file: Path) -> list[int]:
    return [outcome.taken for outcomes in outcomes_in(file) for outcome in outcomes]


def test_a_group_that_is_larger_than_a_slice_is_read(tmp_path: Path):
    assert numbers(a_file(tmp_path, a_frame(1), a_frame(2, SLICE_BYTES), a_frame(3))) == [1, 2, 3]


def test_a_file_that_is_gone_has_none(tmp_path: Path):
    assert numbers(tmp_path / "gone.log") == []


def test_what_a_crash_cut_off_is_none(tmp_path: Path):
    assert numbers(a_file(tmp_path, a_frame(1), a_frame(2)[:-1])) == [1]


def test_groups_behind_damage_of_any_size_are_found(tmp_path: Path):
    for size in (1, 100, SLICE_BYTES - 1, SLICE_BYTES, 3 * SLICE_BYTES + 5):
        assert numbers(a_file(tmp_path, a_frame(1), b"\x00" * size, a_frame(2), a_frame(3, SLICE_BYTES))) == [1, 2, 3]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=40), st.integers(1, 99)), max_size=12))
def test_every_whole_group_is_found_whatever_lies_between(tmp_path_factory, pieces: list[bytes | int]):
    file = a_file(
        tmp_path_factory.mktemp("left"), *(a_frame(piece) if isinstance(piece, int) else piece for piece in pieces)
    )

    assert numbers(file) == [piece for piece in pieces if isinstance(piece, int)]


def test_a_large_file_takes_little_memory(tmp_path: Path):
    file = a_file(tmp_path, *(a_frame(n, 10_000) for n in range(1000)))
    tracemalloc.start()
    try:
        assert numbers(file) == list(range(1000))
        assert tracemalloc.get_traced_memory()[1] < 3 << 20
    finally:
        tracemalloc.stop()
