"""The file of keys: read whole or not at all, and a fault is named with its entry and its fix."""

import json
import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from api.errors import SettingsError
from api.guard.key_file import change, parse, read
from tests.keys import an_entry


def a_file(*entries: dict[str, Any], v: int = 1) -> bytes:
    return json.dumps({"v": v, "keys": entries}).encode()


def raw(number: int = 1, **changes: Any) -> dict[str, Any]:
    """An entry as JSON; a change to None leaves the field out."""
    entry = {"id": f"{number:012x}", "name": f"n{number}", "hash": "sha256:" + "0" * 64, "scopes": ["predict"]}
    return {name: value for name, value in (entry | changes).items() if value is not None}


def test_an_entry_is_read_with_all_its_fields():
    (entry,) = parse(a_file(raw(expires="2027-01-31T00:00:00+01:00", rate=2.5, burst=10)))

    assert (entry.name, entry.scopes, entry.rate, entry.burst) == ("n1", ("predict",), 2.5, 10)
    assert entry.expires is not None
    assert entry.expires.isoformat() == "2027-01-31T00:00:00+01:00"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not {"),
        (b"[]", "not {"),
        (b'{"v": 1, "keys": [], "\xe9": 1}', "not {"),
        (b'{"v": 1, "keys": [{"name": "caf\xe9"}]}', "entry 1: "),
        (b'{"v": 1, "keys": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "not {|entry 1"),
        (b'{"v": 1, "keys": [{"id": ' + b"[" * 100_000 + b"]" * 100_000 + b"}]}", "not {|entry 1"),
        (b'{"v": 2, "keys": []}', "v"),
        (a_file(raw(), raw(2, hash="sha256:1")), "entry 2: .*hash"),
        (a_file(raw(hash="tm_00_11")), "entry 1: .*hash"),
        (a_file(raw(id="A")), "entry 1: .*id"),
        (a_file(raw(name="")), "entry 1: .*name"),
        (a_file(raw(name="a\nb")), "entry 1: .*name"),
        (a_file(raw(scopes=[])), "entry 1: .*scopes"),
        (a_file(raw(scopes=["write"])), "entry 1: .*scopes"),
        (a_file(raw(scopes=None)), "entry 1: .*scopes"),
        (a_file(raw(expires="tomorrow")), "entry 1: .*expires"),
        (a_file(raw(expires="2027-01-31T00:00:00")), "entry 1: .*expires"),
        (a_file(raw(rate=0, burst=1)), "entry 1: .*rate"),
        (a_file(raw(rate=1)), r"entry 1 \(n1\): rate and burst belong together"),
        (a_file(raw(burst=1)), r"entry 1 \(n1\): rate and burst belong together"),
        (a_file(raw(expire="2027-01-31T00:00:00Z")), "entry 1: .*expire"),
        (a_file(raw(), raw(2, id=f"{1:012x}")), "entry 2: id 000000000001 is there twice"),
        (a_file(raw(), raw(2, name="n1")), "entry 2: name n1 is there twice"),
    ],
)
def test_a_fault_is_told_in_one_line_with_its_entry(data: bytes, said: str):
    with pytest.raises(SettingsError, match=said) as told:
        parse(data)

    assert "\n" not in str(told.value)


def test_a_file_that_is_not_there_is_told_with_the_command_that_makes_it(tmp_path: Path):
    with pytest.raises(SettingsError, match=r"API_KEYS_FILE: .*keys\.json does not exist: .*python -m api keys add"):
        read(tmp_path / "keys.json")


def test_a_directory_is_no_file_of_keys(tmp_path: Path):
    with pytest.raises(SettingsError, match=r"API_KEYS_FILE: .* cannot be read: Is a directory"):
        read(tmp_path)


def test_what_is_written_is_read_again_and_is_for_its_owner_alone(tmp_path: Path):
    path = tmp_path / "new" / "keys.json"
    entries = (an_entry(1), an_entry(2, rate=3.0, burst=4))

    change(path, lambda _: entries)

    assert read(path) == entries
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == ["keys.json"]


def test_an_edit_that_fails_leaves_the_file_as_it_was(tmp_path: Path):
    path = tmp_path / "keys.json"
    change(path, lambda _: (an_entry(1),))
    before = path.read_bytes()

    def refuse(_: Any) -> Any:
        raise SettingsError("no")

    with pytest.raises(SettingsError, match="no"):
        change(path, refuse)
    assert path.read_bytes() == before


def test_a_broken_file_is_not_written_over(tmp_path: Path):
    path = tmp_path / "keys.json"
    path.write_text("{")

    with pytest.raises(SettingsError, match=r"not \{"):
        change(path, lambda entries: (*entries, an_entry(1)))
    assert path.read_text() == "{"


def test_a_link_stays_a_link_to_the_file_that_is_replaced(tmp_path: Path):
    (tmp_path / "real").mkdir()
    link = tmp_path / "keys.json"
    link.symlink_to("real/keys.json")

    change(link, lambda _: (an_entry(1),))
    change(link, lambda entries: (*entries, an_entry(2)))

    assert link.is_symlink()
    assert len(read(tmp_path / "real" / "keys.json")) == 2


def test_of_changes_at_the_same_time_none_is_lost(tmp_path: Path):
    path = tmp_path / "keys.json"
    threads = [
        threading.Thread(target=change, args=(path, lambda entries, n=n: (*entries, an_entry(n)))) for n in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {entry.id for entry in read(path)} == {an_entry(n).id for n in range(12)}


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(SettingsError, match=r"API_KEYS_FILE: .* cannot be written: "):
        change(tmp_path / "file" / "keys.json", lambda entries: entries)
