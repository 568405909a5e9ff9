"""What docs/operations.md says of the JSON of `audit` and `status`, and of differences, is what the code prints."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from stream_app.audit.checks import Audit
from stream_app.audit.difference import Difference, Kind
from stream_app.status.picture import Picture, Source, Stage2, Version
from stream_app.windowing.accounts import PartitionAccount, VersionBalance

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
