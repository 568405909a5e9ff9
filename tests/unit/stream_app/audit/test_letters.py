"""Letters: what was refused, and what of it the state says was counted after all."""

from __future__ import annotations

from contracts.dead_letters import DeadLetter, Reason
from stream_app.audit.letters import Letters, LettersSoFar, counted_after_all
from stream_app.windowing.state import PartitionMeta, VersionAccount
from tests.unit.stream_app.windowing.stand import FIRST, SECOND, a_value

FLIGHTS, OTHER = (FIRST.model, FIRST.version), (SECOND.model, SECOND.version)


def a_letter(offset: int, reason: Reason = "unknown-version", *, value: bytes | None = None) -> DeadLetter:
    value = a_value(10) if value is None else value
    return DeadLetter(reason=reason, detail="", topic="predictions", partition=0, offset=offset, value=value)


def a_meta(refused: int, last: int = 99) -> PartitionMeta:
    return PartitionMeta(
        partition=0,
        first_offset=0,
        last_offset=last,
        watermark=None,
        read=last + 1,
        sequences={},
        accounts={FLIGHTS: VersionAccount(counted=1)},
        refused={"unknown-version": refused} if refused else {},
    )


def letters_of(letters: list[DeadLetter]) -> Letters:
    so_far = LettersSoFar("predictions")
    for letter in letters:
        so_far.take(letter)
    return so_far.letters()


def test_letters_of_other_topics_and_repeated_ones_do_not_count() -> None:
    letters = [a_letter(3), a_letter(3), a_letter(4, "malformed"), DeadLetter(**_of("window-partials"))]
    assert letters_of(letters) == Letters({0: frozenset({3, 4})}, {0: {3: FLIGHTS}})


def _of(topic: str) -> dict[str, object]:
    return {"reason": "unreadable", "detail": "", "topic": topic, "partition": 0, "offset": 9}


def test_a_record_that_was_refused_for_another_reason_too_lacks_more_than_a_baseline() -> None:
    assert letters_of([a_letter(3), a_letter(3, "malformed")]).unknown == {0: {}}


def test_a_letter_without_its_record_says_of_no_version() -> None:
    assert letters_of([a_letter(3, value=b"")]).unknown == {}


def test_as_many_were_counted_as_there_are_more_letters_than_records_refused_and_those_are_the_last() -> None:
    letters = letters_of([a_letter(offset) for offset in (3, 5, 8)])
    assert counted_after_all(letters, a_meta(refused=3)) == frozenset()
    assert counted_after_all(letters, a_meta(refused=1)) == {5, 8}
    assert counted_after_all(letters, a_meta(refused=0)) == {3, 5, 8}


def test_letters_ahead_of_the_position_and_of_versions_that_were_never_counted_are_left_alone() -> None:
    stranger = a_value(10, baseline=SECOND)
    letters = letters_of([a_letter(3), a_letter(5, value=stranger), a_letter(8)])
    assert counted_after_all(letters, a_meta(refused=1, last=7)) == {3}
    assert OTHER != FLIGHTS
