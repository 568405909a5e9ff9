"""A renewed certificate: when it is taken up, and what stays when it cannot be. Handshakes are made in memory."""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from prometheus_client import CollectorRegistry

from api.errors import SettingsError
from api.telemetry import Telemetry
from api.tls.certificates import Certificates, open_certificates
from api.tls.following import CertificateFollower
from tests.certificates import HOUR, Authority, trusting
from tests.serving import settings_for
from tests.waiting import eventually


class Renewed:
    """A pair of files, what follows them, and what a client is shown."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        self.files = folder / "server.pem", folder / "server-key.pem"
        self.first = self.issue()
        self.certificates = Certificates(*self.files)
        self.telemetry = Telemetry(CollectorRegistry())
        self.follower = CertificateFollower(self.certificates, self.telemetry)

    def issue(self, *, with_rsa: bool = False) -> x509.Certificate:
        """Renewed as tools do it: new files in the place of the old ones."""
        made = tuple(file.with_suffix(".new") for file in self.files)
        issued = self.authority.issue(*made, "127.0.0.1", with_rsa=with_rsa)
        for new, file in zip(made, self.files, strict=True):
            os.replace(new, file)
        return issued

    def shown(self, name: str | None = "127.0.0.1", *, only_rsa: bool = False) -> bytes:
        """The certificate (DER) that a client gets in a handshake. name: None for a client that names no server."""
        context = trusting(self.authority.file)
        context.check_hostname = name is not None
        if only_rsa:
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            context.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")
        to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = context.wrap_bio(to_client, to_server, server_hostname=name)
        server = self.certificates.context.wrap_bio(to_server, to_client, server_side=True)
        left = [client, server]
        while left:
            for side in tuple(left):
                try:
                    side.do_handshake()
                    left.remove(side)
                except ssl.SSLWantReadError:
                    continue
        der = client.getpeercert(binary_form=True)
        assert der is not None
        return der

    def current(self) -> float | None:
        return self.telemetry.registry.get_sample_value("tidemark_api_certificate_current")

    def ends(self) -> float | None:
        return self.telemetry.registry.get_sample_value("tidemark_api_certificate_ends_timestamp_seconds")


@pytest.fixture
def renewed(tmp_path: Path) -> Renewed:
    return Renewed(tmp_path)


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


@pytest.mark.parametrize("name", ["127.0.0.1", None])
def test_a_renewed_certificate_is_shown_once_its_files_have_come_to_rest(renewed: Renewed, name: str | None):
    renewed.follower.start()
    assert renewed.ends() == renewed.first.not_valid_after_utc.timestamp()
    second = renewed.issue()

    renewed.follower.poll()
    assert renewed.shown(name) == der(renewed.first)
    renewed.follower.poll()

    assert renewed.shown(name) == der(second)
    assert (renewed.current(), renewed.ends()) == (1, second.not_valid_after_utc.timestamp())


def test_a_certificate_of_another_kind_of_key_leaves_nothing_of_the_old_one(renewed: Renewed):
    first = renewed.issue(with_rsa=True)
    renewed.certificates.read_again()
    assert renewed.shown(only_rsa=True) == der(first)

    second = renewed.issue()
    renewed.certificates.read_again()

    assert renewed.shown() == der(second)
    with pytest.raises(ssl.SSLError):
        renewed.shown(only_rsa=True)


def test_a_broken_pair_is_told_once_and_the_former_one_stays(
    renewed: Renewed, caplog: pytest.LogCaptureFixture, tmp_path: Path
):
    renewed.follower.start()
    renewed.authority.issue(renewed.files[0], tmp_path / "another-key.pem", "127.0.0.1")

    with caplog.at_level(logging.INFO):
        for _ in range(5):
            renewed.follower.poll()

    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith(f"certificate: the former one stays in force: API_TLS_KEY_FILE: {renewed.files[1]} is not")
    assert renewed.shown() == der(renewed.first)
    assert (renewed.current(), renewed.ends()) == (0, renewed.first.not_valid_after_utc.timestamp())

    os.replace(tmp_path / "another-key.pem", renewed.files[1])
    renewed.follower.poll()
    renewed.follower.poll()

    assert renewed.shown() != der(renewed.first)
    assert renewed.current() == 1


def test_files_that_are_away_for_a_moment_change_nothing(renewed: Renewed, caplog: pytest.LogCaptureFixture):
    renewed.files[1].rename(renewed.files[1].with_suffix(".old"))
    renewed.follower.poll()
    renewed.files[1].with_suffix(".old").rename(renewed.files[1])
    renewed.follower.poll()
    renewed.follower.poll()

    assert not [record for record in caplog.records if record.levelno > logging.INFO]
    assert renewed.shown() == der(renewed.first)


def test_an_expired_one_is_not_taken_up(renewed: Renewed):
    renewed.authority.issue(*renewed.files, "127.0.0.1", begins=-2 * HOUR, ends=-HOUR)
    renewed.follower.poll()
    renewed.follower.poll()

    assert renewed.current() == 0
    assert renewed.shown() == der(renewed.first)


def test_what_begins_later_than_the_files_were_renewed_takes_them_at_once(renewed: Renewed):
    """A worker that is started again: it was forked from a process that read the files long ago."""
    second = renewed.issue()

    renewed.follower.start()

    assert renewed.shown() == der(second)


async def test_it_goes_on_polling_after_what_nobody_expected(renewed: Renewed, caplog: pytest.LogCaptureFixture):
    fails = [True]
    look = renewed.certificates.look

    def once_broken() -> object:
        if fails:
            fails.clear()
            raise RuntimeError("nobody expected this")
        return look()

    renewed.certificates.look = once_broken  # type: ignore[assignment, method-assign]
    following = asyncio.create_task(renewed.follower.run(0.01))
    second = renewed.issue()

    await eventually(lambda: renewed.shown() == der(second), 20, "the new certificate")

    following.cancel()
    assert "the former one stays in force" in caplog.text


def test_without_settings_there_is_no_tls_and_half_of_them_is_refused(tmp_path: Path):
    assert open_certificates(settings_for(tmp_path)) is None
    for one, other in (("cert", "key"), ("key", "cert")):
        with pytest.raises(SettingsError) as wrong:
            open_certificates(settings_for(tmp_path, **{f"tls_{one}_file": tmp_path / "x.pem"}))
        assert str(wrong.value) == (
            f"API_TLS_{other.upper()}_FILE is not set, and API_TLS_{one.upper()}_FILE is: set both for TLS, or neither"
        )
