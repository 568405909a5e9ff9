"""Places for large requests: who takes one."""

import pytest

from api.guard.room import Room


@pytest.mark.parametrize(
    ("announced", "wanted"),
    [(b"100", False), (b"101", True), (b"", True), (b"ten", True), (b"0" * 5000 + b"9", False), (b"9" * 5000, True)],
)
def test_only_a_body_that_announces_little_takes_no_place(announced: bytes, wanted: bool):
    assert Room(1, spared=100).wanted(announced) == wanted
    assert Room(1).wanted(announced)
