"""A receipt says what was predicted, and nothing that was done to it afterwards is taken."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import ReceiptRefused
from api.receipts.receipt import Fact, Key, Receipts, fact_of
from contracts.times import EPOCH
from tests.builders import NOON, an_event

OURS, THEIRS = Key(b"o" * 32), Key(b"t" * 32)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

names = st.text(st.characters(codec="utf-8"), max_size=40)
events = st.builds(
    lambda **fields: an_event(**fields),
    id=st.text(st.characters(codec="utf-8"), min_size=1, max_size=60),
    model=names,
    model_version=names,
    score=st.floats(allow_nan=False),
    decision=st.sampled_from([None, False, True]),
    event_time=st.integers(0, 7 * 10**15).map(lambda microseconds: EPOCH + timedelta(microseconds=microseconds)),
)


def why_refused(receipts: Receipts, receipt: str, id_: str) -> str:
    with pytest.raises(ReceiptRefused) as refused:
        receipts.read(receipt, id_)
    assert [error.pointer for error in refused.value.errors] == ["/receipt"]
    return refused.value.category


@given(events)
def test_a_receipt_says_what_was_predicted(event: Any) -> None:
    receipts = Receipts([OURS])

    assert receipts.read(receipts.sign(event), event.id) == fact_of(event)


def test_a_receipt_has_the_event_time_in_whole_milliseconds_and_the_score_exactly() -> None:
    receipts = Receipts([OURS])
    event = an_event(event_time=NOON + timedelta(microseconds=1999), score=0.1 + 0.2, decision=None)

    assert receipts.read(receipts.sign(event), event.id) == Fact("flights", "1", 1767268800001, 0.1 + 0.2, None)


@given(events, st.data())
def test_a_flipped_bit_anywhere_is_refused(event: Any, data: st.DataObject) -> None:
    receipts = Receipts([OURS])
    receipt = receipts.sign(event)
    assert receipts.read(receipt, event.id)  # this version is known, as it is in a running process
    text = bytearray(receipt.encode())
    at = data.draw(st.integers(0, 8 * len(text) - 1))
    text[at // 8] ^= 1 << at % 8

    assert why_refused(receipts, text.decode("latin-1"), event.id).startswith("receipt-")


def test_every_other_character_at_every_place_is_refused() -> None:
    receipts, event = Receipts([OURS]), an_event()
    receipt = receipts.sign(event)

    for at, right in enumerate(receipt):
        for wrong in ALPHABET + "+/= \n":
            if wrong != right:
                assert why_refused(receipts, receipt[:at] + wrong + receipt[at + 1 :], event.id)


@given(events, st.text(max_size=100))
def test_what_is_no_receipt_is_refused(event: Any, text: str) -> None:
    receipts = Receipts([OURS])
    receipt = receipts.sign(event)

    for wrong in (text, receipt + text, text + receipt, receipt[: len(text)], "", receipt + "=", receipt + "A"):
        if wrong != receipt:
            assert why_refused(receipts, wrong, event.id).startswith("receipt-")


@given(events, st.text(st.characters(codec="utf-8"), max_size=60))
def test_a_receipt_is_good_for_its_own_prediction_alone(event: Any, other: str) -> None:
    receipts = Receipts([OURS])
    if other != event.id:
        assert why_refused(receipts, receipts.sign(event), other) == "receipt-prediction"


def test_another_installations_receipt_is_told_from_an_altered_one() -> None:
    event = an_event()

    assert why_refused(Receipts([OURS]), Receipts([THEIRS]).sign(event), event.id) == "receipt-key"


def test_the_same_receipt_is_signed_whenever_it_is_asked_for() -> None:
    event = an_event()

    assert Receipts([OURS]).sign(event) == Receipts([OURS, THEIRS]).sign(event)


def test_all_keys_verify_and_the_first_signs() -> None:
    event = an_event()
    before, after = Receipts([OURS]), Receipts([THEIRS, OURS])

    assert after.read(before.sign(event), event.id) == fact_of(event)
    assert why_refused(before, after.sign(event), event.id) == "receipt-key"


def test_many_versions_are_signed_and_read_with_bounded_memory() -> None:
    receipts = Receipts([OURS])
    for number in range(1000):
        event = an_event(model_version=str(number))
        assert receipts.read(receipts.sign(event), event.id).version == str(number)

    assert len(receipts._read) <= 256
    assert len(receipts._signing) <= 256
