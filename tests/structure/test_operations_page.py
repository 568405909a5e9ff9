"""What docs/operations.md says of the JSON of `audit` and `status`, and of differences, is what the code prints."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from stream_app.audit.checks import Audit
from stream_app.audit.difference import Difference, Kind
from stream_app.audit.table import as_text
from stream_app.status.picture import Picture, Source, Stage2, Version
from stream_app.windowing.accounts import Accounts, PartitionAccount, VersionBalance

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
ACCOUNTS = PAGE.split("## The accounts")[1].split("\n## ")[0]


STATUS = PAGE.split("## What is going on now")[1].split("\n## ")[0]


@pytest.mark.parametrize(
    ("section", "structs"),
    [(ACCOUNTS, (Audit, PartitionAccount, VersionBalance, Difference)), (STATUS, (Picture, Source, Stage2, Version))],
    ids=["audit", "status"],
)
def test_every_field_of_the_json_is_in_the_docs(section: str, structs: tuple[type[msgspec.Struct], ...]) -> None:
    fields = {field for struct in structs for field in struct.__struct_fields__} - {"accounts"}
    named = set(re.findall(r"`([a-z_0-9]+)(?:\[\])?`", section))
    assert fields - named == set()


def test_every_kind_of_difference_is_in_the_docs_with_what_to_do() -> None:
    rows = ACCOUNTS.split("| difference | what it is | what to do |")[1].split("\n\n")[0]
    assert set(re.findall(r"^\| `([a-z-]+)`", rows, re.MULTILINE)) == set(get_args(Kind))


def test_the_sample_of_an_audit_is_what_is_printed() -> None:
    """With the places from the page itself: they are shortened there."""
    sample = ACCOUNTS.split("```\n")[1]
    kinds: tuple[Kind, ...] = ("reports", "reports", "window")
    words = re.findall(r"^DIFFERENCE (.*)$", sample, re.MULTILINE)
    partitions = [
        PartitionAccount(
            partition=number,
            first_offset=0,
            last_offset=124,
            offsets=125,
            read=125,
            absent=0,
            counted=125,
            late=0,
            repeats=0,
            refused={},
        )
        for number in range(2)
    ]
    version = VersionBalance(
        model="flights",
        version="1",
        counted=1000,
        late=0,
        repeats=0,
        reports=2,
        reported_rows=1000,
        late_rows=0,
        open_rows=0,
    )
    audit = Audit(
        on_topic=1000,
        unread=0,
        answered=None,
        lost=(),
        accounts=Accounts(tuple(partitions), (version,)),
        differences=tuple(Difference(kind=kind, words=told) for kind, told in zip(kinds, words, strict=True)),
        recounted=1000,
    )
    assert as_text(audit) + "\n" == sample


@pytest.mark.parametrize("kind", get_args(Kind))
def test_the_kinds_that_have_a_hint_are_those_that_the_docs_name(kind: Kind) -> None:
    """Each without a recount; behind one those that it does not place."""
    told = ACCOUNTS.split("a `hint:` says what to look at next: one for each of the kinds ")[1].split(";")[0]

    def hinted(recounted: int | None) -> bool:
        differences = (Difference(kind=kind, words="there"),)
        audit = Audit(
            on_topic=1,
            unread=0,
            answered=None,
            lost=(),
            accounts=Accounts((), ()),
            differences=differences,
            recounted=recounted,
        )
        return "\nhint: " in as_text(audit)

    assert (hinted(None), hinted(1)) == (True, f"`{kind}`" in told)
