"""Validity: from when to when a certificate counts, read from its DER form. Pure.

Python's ssl tells that of a peer's certificate alone, and this is our own. RFC 5280, section 4.1: Certificate is a
sequence of TBSCertificate, ...; TBSCertificate of [0] version (may be absent), serial number, signature algorithm,
issuer, validity, ...; validity of two times.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

_SEQUENCE, _VERSION, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0xA0, 0x17, 0x18
_FORMATS = {_UTC_TIME: "%y%m%d%H%M%SZ", _GENERALIZED_TIME: "%Y%m%d%H%M%SZ"}


class Validity(NamedTuple):
    """Both moments belong to it."""

    begins: datetime
    ends: datetime


def validity(certificate: bytes) -> Validity:
    """certificate: DER. Raises ValueError for what is none."""
    try:
        parts = _parts(_only(_parts(_only([_element(certificate, 0)[:2]]))[:1]))
        # serial number, signature algorithm, issuer, validity
        begins, ends = _parts(_only(parts[3:][:1] if parts[0][0] != _VERSION else parts[4:][:1]))
        return Validity(_time(*begins), _time(*ends))
    except IndexError as error:
        raise ValueError("it ends too soon") from error


def _only(elements: list[tuple[int, bytes]]) -> bytes:
    """The content of the one element, a sequence."""
    ((tag, content),) = elements
    if tag != _SEQUENCE:
        raise ValueError(f"a sequence is expected, not {tag:#x}")
    return content


def _parts(content: bytes) -> list[tuple[int, bytes]]:
    """Tag and content of each element of a sequence."""
    found, at = [], 0
    while at < len(content):
        tag, part, at = _element(content, at)
        found.append((tag, part))
    return found


def _element(data: bytes, at: int) -> tuple[int, bytes, int]:
    """Tag, content, and where the next element begins."""
    tag, length, at = data[at], data[at + 1], at + 2
    if length >= 0x80:  # the length's own length
        size = length & 0x7F
        length, at = int.from_bytes(data[at : at + size], "big"), at + size
    if at + length > len(data):
        raise ValueError("it ends too soon")
    return tag, data[at : at + length], at + length


def _time(tag: int, content: bytes) -> datetime:
    if tag not in _FORMATS:
        raise ValueError(f"a time is expected, not {tag:#x}")
    text = content.decode("ascii")
    if tag == _UTC_TIME:  # 50 to 99 are of the last century (RFC 5280, section 4.1.2.5.1)
        return datetime.strptime(("19" if text[:2] >= "50" else "20") + text, _FORMATS[_GENERALIZED_TIME]).replace(
            tzinfo=UTC
        )
    return datetime.strptime(text, _FORMATS[tag]).replace(tzinfo=UTC)
