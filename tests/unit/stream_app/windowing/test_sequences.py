"""Sequences: ids of the API count once; of foreign ids nothing is known."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.events import EventId, parse_id
from stream_app.windowing.sequences import Sequences

ours = st.builds(EventId, st.sampled_from(["api", "api.01", "a-b", "-"]), st.integers(0, 2), st.integers(0, 30)).map(
    str
)
odd = st.sampled_from(["", "x", "api-", "api-000000000000-00000000zz", "api-000000000000-0x00000001", "\n"])
foreign = st.uuids().map(str) | odd | ours.map(lambda text: text + "\n") | ours.map(str.upper) | st.text()
ids = st.lists(ours | foreign, max_size=40)


def by_hand(events: list[str]) -> list[int]:
    highest: dict[tuple[str, int], int] = {}
    found = []
    for position, text in enumerate(events):
        parsed = parse_id(text)
        if parsed is None or str(parsed) != text:
            continue
        source = parsed.source, parsed.epoch
        if parsed.sequence <= highest.get(source, -1):
            found.append(position)
        highest[source] = max(parsed.sequence, highest.get(source, -1))
    return found


@given(ids)
def test_an_id_repeats_when_its_sequence_is_not_above_the_highest_of_its_source_and_epoch(events: list[str]) -> None:
    assert Sequences().repeated(events) == by_hand(events)


@given(ids, st.integers(0, 40))
def test_it_does_not_matter_where_batches_are_cut_nor_what_was_stored_between(events: list[str], cut: int) -> None:
    whole = Sequences(capacity=3)
    expected = whole.repeated(events)
    first = Sequences(capacity=3)
    found = first.repeated(events[:cut])
    second = Sequences(first.snapshot(), capacity=3)
    found += [position + len(events[:cut]) for position in second.repeated(events[cut:])]
    assert found == expected
    assert list(second.snapshot().items()) == list(whole.snapshot().items())


def test_what_is_stored_is_the_source_and_epoch_in_hex_with_the_highest_sequence() -> None:
    sequences = Sequences()
    sequences.repeated([str(EventId("api.00", 255, 16)), str(EventId("api.00", 255, 3))])
    assert sequences.snapshot() == {"api.00-0000000000ff": 16}


def test_the_source_not_seen_for_longest_is_forgotten_first() -> None:
    sequences = Sequences(capacity=2)
    a, b, c = (str(EventId(source, 1, 5)) for source in "abc")
    assert sequences.repeated([a, b, a, c]) == [2]
    assert sequences.repeated([a, c]) == [0, 1]
    assert sequences.repeated([b]) == []


@pytest.mark.parametrize("text", [str(UUID(int=7)), "order 17", "x" * 1_000_000, "-" * 24])
def test_a_foreign_id_never_repeats_and_is_not_kept(text: str) -> None:
    sequences = Sequences()
    assert sequences.repeated([text, text]) == []
    assert sequences.snapshot() == {}
