"""Dead letters: whole, unless that would be more than their topic takes."""

from __future__ import annotations

import pytest

from contracts.dead_letters import DETAIL, KEPT, DeadLetter, decode_dead_letter, encode_dead_letter
from contracts.topics import DEAD_LETTERS
from tests.fakes import FakeRecord


def a_letter(key: bytes | None, value: bytes | None) -> DeadLetter:
    return DeadLetter(
        reason="malformed", detail="not JSON", topic="predictions", partition=3, offset=7, key=key, value=value
    )


@pytest.mark.parametrize(("key", "value"), [(None, None), (b"k", b"\xff" * (KEPT - 1)), (b"\xff" * KEPT, None)])
def test_a_record_that_is_not_too_long_is_kept_whole_and_fits_its_topic(key: bytes | None, value: bytes | None) -> None:
    written = encode_dead_letter(a_letter(key, value))
    assert decode_dead_letter(written) == a_letter(key, value)
    assert len(written) < int(DEAD_LETTERS.config["max.message.bytes"])


def test_of_a_record_that_is_too_long_the_reason_and_the_origin_are_kept() -> None:
    letter = decode_dead_letter(encode_dead_letter(a_letter(b"k", b"0" * KEPT)))
    assert (letter.id, letter.reason, letter.key, letter.value) == ("predictions/3/7", "malformed", None, None)
    assert letter.detail.startswith(f"not JSON (key and value, {KEPT + 1} bytes, are too long")


def test_a_dead_letter_of_a_record_is_the_record_with_its_origin_and_a_detail_that_can_be_read() -> None:
    record = FakeRecord(offset=7, value=b"{not json", key=b"k", topic="predictions", partition=3)
    letter = DeadLetter.of(record, "malformed", "x" * 1_000_000)
    assert (letter.id, letter.reason, letter.key, letter.value) == ("predictions/3/7", "malformed", b"k", b"{not json")
    assert letter.detail == "x" * DETAIL


def test_a_dead_letter_from_before_letters_named_their_sink_is_still_read() -> None:
    letter = decode_dead_letter(
        b'{"reason":"undeliverable","detail":"sink webhook: no","topic":"drift-alerts","partition":0,"offset":17,'
        b'"key":"a2V5","value":"e30=","v":1}'
    )
    assert (letter.key, letter.value, letter.sink, letter.attempts) == (b"key", b"{}", None, None)
