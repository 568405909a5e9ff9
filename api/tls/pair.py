"""Pair: a certificate and its key, read from their two files and found to fit, as a context for handshakes."""

from __future__ import annotations

import re
import ssl
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from api.errors import SettingsError
from api.tls.validity import Validity, validity

CERT, KEY = "API_TLS_CERT_FILE", "API_TLS_KEY_FILE"
_FIRST = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.S)
_ANOTHER_KEY = ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED")
_OF_A_CERTIFICATE = ("EE_", "CA_")
"""How OpenSSL's reasons begin where it refuses a certificate: a key that is too short, a signature by SHA-1."""


class Pair(NamedTuple):
    """context: serves handshakes with it. counts: from when to when the certificate does."""

    context: ssl.SSLContext
    counts: Validity


def read(certificate: Path, key: Path, now: datetime) -> Pair:
    """TLS 1.2 and 1.3, with the ciphers that Python's ssl takes of itself.

    certificate: PEM, the server's own first and then those that lead to its authority. key: PEM, without a password.
    Raises SettingsError: one line that names the setting, the file and the fix; it repeats nothing of the key.
    """
    counts = _counts(certificate, now)
    _check_key(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    locked = False

    def no_password() -> str:  # without it OpenSSL would ask on the terminal
        nonlocal locked
        locked = True
        return ""

    try:
        context.load_cert_chain(certificate, key, no_password)
    except OSError as error:  # SSLError is one
        if locked:
            raise SettingsError(
                f"{KEY}: {key} has a password: take it away with `openssl pkey -in {key} -out FILE` and keep the file "
                "to its owner (mode 0600)"
            ) from error
        raise SettingsError(_why(certificate, key, error)) from error
    return Pair(context, counts)


def _counts(path: Path, now: datetime) -> Validity:
    found = _FIRST.search(_bytes(CERT, path))
    if found is None:
        raise SettingsError(f"{CERT}: {path} has no certificate in PEM (-----BEGIN CERTIFICATE-----)")
    try:
        counts = validity(ssl.PEM_cert_to_DER_cert(found.group().decode("ascii")))
    except ValueError as error:
        raise SettingsError(f"{CERT}: {path}: its first certificate cannot be read: {error}") from error
    if now > counts.ends:
        raise SettingsError(f"{CERT}: {path} has expired on {_day(counts.ends)}: renew it")
    if now < counts.begins:
        raise SettingsError(f"{CERT}: {path} counts from {_day(counts.begins)} only: is this machine's clock right?")
    return counts


def _check_key(path: Path) -> None:
    if b"PRIVATE KEY-----" not in _bytes(KEY, path):
        raise SettingsError(f"{KEY}: {path} has no private key in PEM (-----BEGIN PRIVATE KEY-----)")
    mode = stat.S_IMODE(path.stat().st_mode)
    # a group may read it: Kubernetes and Debian's ssl-cert give keys to one
    if mode & stat.S_IRWXO:
        raise SettingsError(f"{KEY}: {path} is open to everybody on its machine (mode {mode:04o}): chmod 600 {path}")


def _bytes(setting: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise SettingsError(f"{setting}: {path} does not exist") from error
    except OSError as error:
        raise SettingsError(f"{setting}: {path} cannot be read: {error.strerror}") from error


def _why(certificate: Path, key: Path, error: OSError) -> str:
    reason = getattr(error, "reason", None) or error.strerror or type(error).__name__
    words = str(reason).lower().replace("_", " ")
    if reason in _ANOTHER_KEY:
        return f"{KEY}: {key} is not the key of the first certificate in {certificate} ({CERT})"
    if str(reason).startswith(_OF_A_CERTIFICATE):
        return f"{CERT}: {certificate} is refused by OpenSSL: {words}"
    return f"{KEY}, {CERT}: {key} and {certificate} cannot be used together: {words}"


def _day(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
