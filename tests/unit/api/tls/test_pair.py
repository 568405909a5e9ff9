"""A certificate and its key: what is taken, and the one line for each way in which they are wrong."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from api.errors import SettingsError
from api.tls.pair import read
from api.tls.validity import validity
from tests.certificates import HOUR, Authority

DAY = timedelta(days=1)


class Files:
    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        self.certificate, self.key = folder / "server.pem", folder / "server-key.pem"
        self.issued = self.authority.issue(self.certificate, self.key, "127.0.0.1")

    def refused(self) -> str:
        with pytest.raises(SettingsError) as wrong:
            read(self.certificate, self.key, datetime.now(UTC))
        return str(wrong.value)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@pytest.mark.parametrize("with_rsa", [False, True])
def test_a_pair_is_taken_with_its_times_and_no_tls_below_1_2(files: Files, with_rsa: bool):
    issued = files.authority.issue(files.certificate, files.key, "127.0.0.1", with_rsa=with_rsa)

    pair = read(files.certificate, files.key, datetime.now(UTC))

    assert pair.counts == (issued.not_valid_before_utc, issued.not_valid_after_utc)
    assert pair.context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_certificate_and_key_may_stand_in_one_file_with_words_between(files: Files):
    both = files.key.read_bytes() + "# the server's, für alle\n".encode() + files.certificate.read_bytes()
    files.key.write_bytes(both + files.authority.file.read_bytes())

    assert read(files.key, files.key, datetime.now(UTC)).counts.ends == files.issued.not_valid_after_utc


@pytest.mark.parametrize("ends", [DAY, 40 * 365 * DAY, 3000 * 365 * DAY])  # UTCTime, and GeneralizedTime from 2050
def test_times_are_read_as_the_certificate_has_them(files: Files, ends: timedelta):
    issued = files.authority.issue(files.certificate, files.key, "a.example", begins=-50 * 365 * DAY, ends=ends)

    der = issued.public_bytes(serialization.Encoding.DER)

    assert validity(der) == (issued.not_valid_before_utc, issued.not_valid_after_utc)


def test_what_is_cut_off_is_no_certificate(files: Files):
    der = files.issued.public_bytes(serialization.Encoding.DER)
    for size in range(len(der)):
        with pytest.raises(ValueError, match=r"."):
            validity(der[:size])


def test_a_key_for_a_group_is_taken(files: Files):
    files.key.chmod(0o640)

    assert read(files.certificate, files.key, datetime.now(UTC))


def _another_key(files: Files) -> None:
    files.authority.issue(files.certificate.with_name("other"), files.key, "127.0.0.1")


def _another_kind_of_key(files: Files) -> None:
    files.authority.issue(files.certificate.with_name("other"), files.key, "127.0.0.1", with_rsa=True)


def _a_password(files: Files) -> None:
    files.authority.issue(files.certificate, files.key, "127.0.0.1", password=b"sesame")


def _expired(files: Files) -> None:
    files.authority.issue(files.certificate, files.key, "127.0.0.1", begins=-DAY, ends=-HOUR)


def _too_early(files: Files) -> None:
    files.authority.issue(files.certificate, files.key, "127.0.0.1", begins=HOUR, ends=DAY)


def _damaged(file: str) -> Callable[[Files], None]:
    def damage(files: Files) -> None:
        path: Path = getattr(files, file)
        lines = path.read_bytes().splitlines()
        path.write_bytes(b"\n".join([lines[0], lines[1][::-1], *lines[2:]]))

    return damage


@pytest.mark.parametrize(
    ("spoil", "setting", "says"),
    [
        (lambda files: files.certificate.unlink(), "API_TLS_CERT_FILE", "does not exist"),
        (lambda files: files.key.unlink(), "API_TLS_KEY_FILE", "does not exist"),
        (lambda files: os.replace(files.key, files.certificate), "API_TLS_CERT_FILE", "has no certificate in PEM"),
        (lambda files: files.key.write_bytes(b""), "API_TLS_KEY_FILE", "has no private key in PEM"),
        (lambda files: files.key.chmod(0o604), "API_TLS_KEY_FILE", r"open to everybody .*\(mode 0604\): chmod 600 "),
        (_another_key, "API_TLS_KEY_FILE", "is not the key of the first certificate in"),
        (_another_kind_of_key, "API_TLS_KEY_FILE", "is not the key of the first certificate in"),
        (_a_password, "API_TLS_KEY_FILE", "has a password: take it away with `openssl pkey"),
        (_expired, "API_TLS_CERT_FILE", r"has expired on 20\d\d-\d\d-\d\d \d\d:\d\d UTC: renew it"),
        (_too_early, "API_TLS_CERT_FILE", "counts from .* UTC only: is this machine's clock right"),
        (_damaged("certificate"), "API_TLS_CERT_FILE", "its first certificate cannot be read"),
        (_damaged("key"), "API_TLS_KEY_FILE", "cannot be used together"),
    ],
)
def test_whatever_is_wrong_is_one_line_that_names_the_setting_and_the_file(
    files: Files, spoil: Callable[[Files], None], setting: str, says: str
):
    spoil(files)

    said = files.refused()

    assert said.startswith(setting)
    assert re.search(says, said), said
    assert str(files.certificate.parent) in said
    assert "\n" not in said


def test_a_file_that_is_a_folder_is_told(files: Files):
    files.certificate.unlink()
    files.certificate.mkdir()

    assert files.refused().endswith("cannot be read: Is a directory")
