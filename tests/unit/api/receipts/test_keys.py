"""The file of receipt keys: made once, read whole, changed while the API runs."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.errors import ReceiptRefused, SettingsError
from api.receipts.commands import receipts as cli
from api.receipts.following import ReceiptKeeper
from api.receipts.keys import change, new_key, parse, read, read_or_make
from api.receipts.receipt import Key, fact_of
from tests.builders import an_event

ONE, OTHER = Key(b"1" * 32), Key(b"2" * 32)


def test_a_file_is_made_for_its_owner_alone_and_read_the_same_ever_after(tmp_path: Path):
    file = tmp_path / "outbox" / "receipt-keys"

    made = read_or_make(file)

    assert (len(made), len(made[0].secret)) == (1, 32)
    assert read_or_make(file) == read(file) == made
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert os.listdir(file.parent) == [file.name]


def test_workers_that_start_at_the_same_time_have_one_key(tmp_path: Path):
    code = (
        "import sys; from pathlib import Path; from api.receipts.keys import read_or_make; sys.stdin.read(1);"
        "print(read_or_make(Path(sys.argv[1]))[0].id.hex())"
    )
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / "new" / "keys")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(6)
    ]
    said = set()
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("x")
        worker.stdin.flush()
    for worker in workers:
        out, _ = worker.communicate(timeout=60)
        assert worker.returncode == 0
        said.add(out.strip())

    assert len(said) == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "has no key"),
        ("# nothing\n\n", "has no key"),
        (f"{'0' * 64}\n{'0' * 63}", "line 2 is no key"),
        ("z" * 64, "line 1 is no key"),
        (f"{'0' * 64}\n# the same\n{'0' * 64}", "line 3: key 444fbab8 is there twice"),
    ],
)
def test_a_file_that_is_wrong_is_told_by_its_line_and_never_by_its_keys(tmp_path: Path, text: str, told: str):
    file = tmp_path / "keys"
    file.write_text(text)

    with pytest.raises(SettingsError, match=told) as wrong:
        read(file)

    assert str(wrong.value).startswith(f"API_RECEIPT_KEYS_FILE: {file}")
    assert "000000" not in str(wrong.value)


def test_a_file_that_was_named_and_is_not_there_is_told_with_the_command_that_makes_it(tmp_path: Path):
    with pytest.raises(SettingsError, match="python -m api receipts new-key"):
        read(tmp_path / "none")
    with pytest.raises(SettingsError, match="cannot be read"):
        read(tmp_path)


def test_a_change_that_raises_leaves_the_file_as_it_was(tmp_path: Path):
    file = tmp_path / "keys"
    change(file, lambda keys: (*keys, ONE))

    def refuse(_: object) -> tuple[Key, ...]:
        raise SettingsError("no")

    with pytest.raises(SettingsError):
        change(file, refuse)

    assert read(file) == (ONE,)
    assert parse(file.read_text()) == (ONE,)


def a_keeper(file: Path, *keys: Key) -> ReceiptKeeper:
    change(file, lambda _: keys)
    return ReceiptKeeper(file, made=False)


def test_a_key_that_another_worker_signs_with_already_is_found_when_a_label_comes(tmp_path: Path):
    event = an_event()
    keeper = a_keeper(tmp_path / "keys", ONE)
    quicker = a_keeper(tmp_path / "keys", OTHER, ONE)

    assert keeper.read(quicker.sign(event), event.id) == fact_of(event)
    assert keeper.sign(event) == quicker.sign(event)


def test_a_broken_file_changes_nothing_until_a_good_one_is_there(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    event, file = an_event(), tmp_path / "keys"
    keeper = a_keeper(file, ONE)
    receipt = keeper.sign(event)

    file.write_text("half a k")
    assert not keeper.poll()
    assert not keeper.poll()
    assert keeper.read(receipt, event.id) == fact_of(event)
    assert caplog.text.count("former keys stay in force") == 1

    change_to = f"{OTHER.secret.hex()}\n"
    file.write_text(change_to)
    assert keeper.poll()
    with pytest.raises(ReceiptRefused):
        keeper.read(receipt, event.id)


def test_a_file_that_others_may_read_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    file = tmp_path / "keys"
    change(file, lambda _: (ONE,))
    ReceiptKeeper(file, made=False)
    assert "chmod" not in caplog.text

    file.chmod(0o644)
    ReceiptKeeper(file, made=False)
    assert "chmod 600" in caplog.text


def test_keys_are_rotated_from_the_command_line(tmp_path: Path):
    file = tmp_path / "keys"
    run = CliRunner().invoke

    assert "it signs" in run(cli, ["new-key", "--file", str(file)]).output
    assert "it verifies" in run(cli, ["new-key", "--file", str(file)]).output
    first, second = (key.id.hex() for key in read(file))
    assert run(cli, ["list", "--file", str(file)]).output.splitlines() == [
        f"{first}  signs and verifies",
        f"{second}  verifies",
    ]
    assert run(cli, ["sign-with", "--file", str(file), second]).exit_code == 0
    assert [key.id.hex() for key in read(file)] == [second, first]
    refused = run(cli, ["sign-with", "--file", str(file), "00000000"])
    assert (refused.exit_code, refused.output.startswith("api receipts: there is no key")) == (2, True)
    assert new_key() != new_key()
