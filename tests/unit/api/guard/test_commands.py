"""`python -m api keys`: the key is shown once, the file has its hash, mistakes are told in one line."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.errors import SettingsError
from api.guard.commands import keys
from api.guard.expiry import read_expiry
from api.guard.key_file import read
from api.guard.keys import hash_of

NOW = datetime(2026, 1, 1, 12, 0, 0, 500, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def run(path: Path, *arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(keys, arguments, env={"API_KEYS_FILE": str(path)})
    return result.exit_code, result.stdout, result.stderr


def test_a_key_is_printed_once_and_only_its_hash_is_kept(path: Path):
    status, out, _ = run(path, "add", "--name", "checkout", "--scope", "predict", "--scope", "read")

    key = out.strip()
    (entry,) = read(path)
    assert status == 0
    assert (entry.name, entry.scopes, entry.hash) == ("checkout", ("predict", "read"), hash_of(key.encode()))
    assert key.split("_")[2] not in path.read_text()
    assert key not in run(path, "list")[1]


def test_a_key_can_have_an_end_and_a_rate(path: Path):
    run(path, "add", "--name", "a", "--scope", "predict", "--expires", "90d", "--rate", "100", "--burst", "300")
    run(path, "add", "--name", "b", "--scope", "predict", "--rate", "0.2")

    one, other = read(path)
    assert one.expires is not None
    assert timedelta(days=89, hours=23) < one.expires - datetime.now(UTC) <= timedelta(days=90)
    assert (one.rate, one.burst) == (100, 300)
    assert (other.rate, other.burst) == (0.2, 1)


def test_a_rate_is_said_to_be_that_of_each_process(path: Path):
    told = run(path, "add", "--name", "a", "--scope", "predict", "--rate", "0.5")[2]
    assert "0.5 rows/s and 1 at once are for each worker process: a server with API_WORKERS=4 lets in 4 times" in told
    assert "API_WORKERS" not in run(path, "add", "--name", "b", "--scope", "predict")[2]


def test_the_list_has_what_is_not_secret(path: Path):
    run(path, "add", "--name", "a", "--scope", "predict", "--scope", "read", "--rate", "5")
    (entry,) = read(path)

    assert run(path, "list") == (0, f"{entry.id}  a  predict+read  never expires  5 rows/s, 10 at once\n", "")


def test_a_revoked_key_is_gone_and_the_others_are_not(path: Path):
    run(path, "add", "--name", "a", "--scope", "predict")
    run(path, "add", "--name", "b", "--scope", "predict")

    assert run(path, "revoke", read(path)[0].id)[0] == 0

    assert [entry.name for entry in read(path)] == ["b"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("add", "--name", "taken", "--scope", "read"), "--name taken: there is a key of this name"),
        (("add", "--name", "a b", "--scope", "read"), "--name: 1 to 64 letters, digits and . _ -"),
        (("add", "--name", "a", "--scope", "write"), "--scope: the scopes are predict, label, read, admin"),
        (("add", "--name", "a", "--scope", "read", "--expires", "0h"), "--expires 0h: that is over"),
        (("add", "--name", "a", "--scope", "read", "--expires", "20s"), "the units are d (days) and h (hours)"),
        (("add", "--name", "a", "--scope", "read", "--expires", "1m"), "the units are d (days) and h (hours)"),
        (("add", "--name", "a", "--scope", "read", "--expires", "soon"), "--expires soon: give 90d"),
        (("add", "--name", "a", "--scope", "read", "--expires", "2020-01-01"), "that is over"),
        (("add", "--name", "a", "--scope", "read", "--expires", "2099-01-01T10:00"), "which zone"),
        (("add", "--name", "a", "--scope", "read", "--rate", "0"), "--rate: must be above 0"),
        (("add", "--name", "a", "--scope", "read", "--rate", "1", "--burst", "0"), "--burst: must be 1 or more"),
        (("add", "--name", "a", "--scope", "read", "--burst", "5"), "--burst belongs to --rate"),
        (("revoke", "0123456789ab"), "there is no key with the id 0123456789ab"),
    ],
)
def test_a_mistake_is_told_in_one_line_and_changes_nothing(path: Path, arguments: tuple[str, ...], said: str):
    run(path, "add", "--name", "taken", "--scope", "predict")
    before = path.read_bytes()

    status, out, error = run(path, *arguments)

    assert (status, out) == (2, "")
    assert error.startswith("api keys: ")
    assert said in error
    assert error.count("\n") == 1
    assert path.read_bytes() == before


def test_an_end_is_a_span_a_date_or_a_moment():
    assert read_expiry("12h", NOW).isoformat() == "2026-01-02T00:00:00+00:00"
    assert read_expiry("2026-02-01", NOW).isoformat() == "2026-02-01T00:00:00+00:00"
    assert read_expiry("2026-02-01T01:00:00+02:00", NOW).isoformat() == "2026-02-01T01:00:00+02:00"
    for wrong in ("", "d", "-1d", "90", "1e3d", "2026-13-01"):
        with pytest.raises(SettingsError, match="--expires"):
            read_expiry(wrong, NOW)
