"""What was meant by a wrong name is told, and looked for no longer than others can wait."""

import difflib
import json
from collections.abc import Sequence
from itertools import product

import pytest

from api.errors import FieldError, RequestRefused
from api.labels.reading import read_each
from api.requests.rows import RowsReader
from api.requests.schemas import RequestReader
from contracts.schema import Feature, FeatureSchema
from tests.builders import NOON
from tests.serving import FUTURE

COMPARED = 150_000
"""Letters of names times letters of names."""
WORDS = [f"{a}_{b}" for a, b in product(["amount", "country", "device", "merchant"], ["of_card", "last_day", "mean"])]


class Looks:
    """Stands for difflib.get_close_matches, and counts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls = 0
        self.letters = 0
        self._look = difflib.get_close_matches
        monkeypatch.setattr(difflib, "get_close_matches", self.look)

    def look(self, word: str, possibilities: Sequence[str], n: int) -> list[str]:
        self.calls += 1
        self.letters += len(word) * sum(map(len, possibilities))
        return self._look(word, possibilities, n)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Looks:
    return Looks(monkeypatch)


def long_names(count: int) -> list[str]:
    return [f"average_amount_of_transactions_of_a_customer_{n:04}" for n in range(count)]


def a_reader(names: Sequence[str]) -> RequestReader:
    return RequestReader(FeatureSchema(tuple(Feature(name, "numeric") for name in names)), FUTURE)


def a_body(names: Sequence[str]) -> bytes:
    return json.dumps({"features": dict.fromkeys(names, 1)}).encode()


def faults_of_rows(reader: RequestReader, rows: Sequence[bytes]) -> list[tuple[FieldError, ...]]:
    read = RowsReader(reader, 1000).read_each(rows, NOON)
    return [row.errors for row in read if isinstance(row, RequestRefused)]


def faults_of_one(reader: RequestReader, body: bytes) -> tuple[FieldError, ...]:
    with pytest.raises(RequestRefused) as refused:
        reader.read(body, NOON)
    return refused.value.errors


@pytest.mark.parametrize("features", [23, 300])
def test_ever_new_names_are_compared_within_one_bound_for_all_rows_of_a_batch(looks: Looks, features: int) -> None:
    names = long_names(features)
    rows = [a_body([f"{name[:-9]}{row:04}_{n:04}" for n, name in enumerate(names[:23])]) for row in range(50)]

    faults = faults_of_rows(a_reader(names), rows)

    assert [len(found) for found in faults] == [5] * 50
    assert looks.letters <= COMPARED


@pytest.mark.parametrize("features", [23, 300])
def test_ever_new_names_are_compared_within_the_same_bound_for_one_request(looks: Looks, features: int) -> None:
    names = long_names(features)

    assert len(faults_of_one(a_reader(names), a_body([f"{name[:-2]}{n}__" for n, name in enumerate(names)]))) == 20
    assert looks.letters <= COMPARED


def test_of_a_row_no_more_is_looked_for_than_is_told(looks: Looks) -> None:
    faults_of_rows(a_reader(WORDS), [a_body([f"x_{word}" for word in WORDS])])

    assert looks.calls == 5


def test_a_name_that_is_wrong_in_every_row_is_looked_for_once_and_told_in_every_row(looks: Looks) -> None:
    faults = faults_of_rows(a_reader(WORDS), [a_body([f"x_{word}" for word in WORDS])] * 100)

    told = [[fault.detail for fault in found] for found in faults]
    assert told == [[f"unknown feature: leave it out; did you mean {word}?" for word in WORDS[:5]]] * 100
    assert looks.calls == 5


def test_names_that_are_right_but_for_case_and_joints_are_not_looked_for_at_all(looks: Looks) -> None:
    names = long_names(300)
    sent = [name.title().replace("_", "") for name in names[:20]]

    faults = faults_of_one(a_reader(names), a_body(sent))

    assert [fault.detail.split("; ")[1] for fault in faults] == [f"did you mean {name}?" for name in names[:20]]
    assert looks.calls == 0


def test_all_wrong_names_of_an_ordinary_request_have_a_hint(looks: Looks) -> None:
    faults = faults_of_one(a_reader(WORDS), a_body([f"x_{word}" for word in WORDS]))

    assert all("did you mean" in fault.detail for fault in faults)


def test_ever_new_fields_of_labels_are_compared_within_one_bound_for_all_of_them(looks: Looks) -> None:
    labels = [json.dumps({f"prediction{row}_{n}": 1 for n in range(20)}).encode() for row in range(500)]

    assert all(isinstance(label, RequestRefused) for label in read_each(labels))
    assert looks.letters <= COMPARED
