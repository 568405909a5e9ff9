"""What docs/operations.md says of the JSON of `audit` and of its differences is what the code prints."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from stream_app.audit.checks import Audit
from stream_app.audit.difference import Difference, Kind
from stream_app.windowing.accounts import PartitionAccount, VersionBalance

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
ACCOUNTS = PAGE.split("## The accounts")[1].split("\n## ")[0]


def test_every_field_of_the_audits_json_is_in_the_docs() -> None:
    structs = (Audit, PartitionAccount, VersionBalance, Difference)
    fields = {field for struct in structs for field in struct.__struct_fields__} - {"accounts"}
    named = set(re.findall(r"`([a-z_]+)(?:\[\])?`", ACCOUNTS))
    assert fields - named == set()


def test_every_kind_of_difference_is_in_the_docs_with_what_to_do() -> None:
    rows = ACCOUNTS.split("| difference | what it is | what to do |")[1].split("\n\n")[0]
    assert set(re.findall(r"^\| `([a-z-]+)`", rows, re.MULTILINE)) == set(get_args(Kind))
