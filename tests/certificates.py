"""A certificate authority of the test's own, and certificates of servers that are signed by it."""

from __future__ import annotations

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

HOUR = timedelta(hours=1)
_ISSUER = "the test's authority"
_Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class Certificates(NamedTuple):
    """authority: PEM file of the authority that clients may trust. server: for a listening socket."""

    authority: Path
    server: ssl.SSLContext


class Authority:
    """file: PEM, for clients that trust it."""

    def __init__(self, directory: Path, name: str = "authority") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.file = directory / f"{name}.pem"
        now = datetime.now(UTC)
        own = _signed(self._key, _ISSUER, self._key, (), now - HOUR, now + HOUR)
        self.file.write_bytes(own.public_bytes(serialization.Encoding.PEM))

    def issue(
        self,
        certificate: Path,
        key: Path,
        *names: str,
        begins: timedelta = -HOUR,
        ends: timedelta = HOUR,
        with_rsa: bool = False,
        password: bytes = b"",
    ) -> x509.Certificate:
        """Write a server's certificate and its key, mode 0600. names: hosts and addresses that it is good for. begins,
        ends: from now.
        """
        own: _Key = rsa.generate_private_key(65537, 2048) if with_rsa else ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(UTC)
        made = _signed(own, "the test's server", self._key, names, now + begins, now + ends)
        locked = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
        key.touch(0o600)
        key.write_bytes(own.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked))
        certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        return made


def certificates(directory: Path, *names: str) -> Certificates:
    """names: the host names and addresses that the server's certificate is good for."""
    authority = Authority(directory)
    files = directory / "server.pem", directory / "server-key.pem"
    authority.issue(*files, *names)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*files)
    return Certificates(authority.file, context)


def trusting(authority: Path) -> ssl.SSLContext:
    """A client that trusts this authority alone."""
    return ssl.create_default_context(cafile=str(authority))


def _signed(
    key: _Key, subject: str, issuer_key: _Key, names: tuple[str, ...], begins: datetime, ends: datetime
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(_ISSUER))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.BasicConstraints(ca=not names, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([_alternative(name) for name in names]), False)
    return builder.sign(issuer_key, hashes.SHA256())


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
