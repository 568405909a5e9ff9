"""Certificates: what answers handshakes on the port: a pair of files, which may be read again while connections live.

The server keeps one context for as long as it listens. What is read later is a context of its own, put in at each
handshake: loaded into the old one, a certificate with a key of another kind would stand beside the old certificate, and
a broken pair would leave half of it there.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from api.errors import SettingsError
from api.secret_file import Look, seen
from api.settings import ApiSettings
from api.tls.pair import CERT, KEY, Pair, read

Looks = tuple[Look, Look]


class Certificates:
    """context: for listening sockets, for good; processes that are forked share its session tickets. taken: what the
    files looked like when the pair in force was read, or refused.

    now: the wall clock. Raises SettingsError, as `read` of api.tls.pair does.
    """

    def __init__(self, certificate: Path, key: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._files = certificate, key
        self._now = now
        self.taken = self.look()
        self._pair = read(certificate, key, now())
        self.context = self._pair.context
        self.context.sni_callback = self._choose

    @property
    def pair(self) -> Pair:
        """The one in force."""
        return self._pair

    def look(self) -> Looks:
        """Times and sizes of both files now."""
        certificate, key = self._files
        return seen(certificate), seen(key)

    def read_again(self) -> None:
        """From the next handshake on. Raises SettingsError, and the pair from before stays in force."""
        self.taken = self.look()  # before the read: what is written meanwhile makes another look
        self._pair = read(*self._files, self._now())

    def _choose(self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        """Called in each handshake, whether the client names a server or not."""
        connection.context = self._pair.context


def open_certificates(settings: ApiSettings) -> Certificates | None:
    """None: the port speaks plain HTTP. Raises SettingsError."""
    certificate, key = settings.tls_cert_file, settings.tls_key_file
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        there, missing = (KEY, CERT) if certificate is None else (CERT, KEY)
        raise SettingsError(f"{missing} is not set, and {there} is: set both for TLS, or neither")
    return Certificates(certificate, key)
