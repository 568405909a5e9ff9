"""Formats: a record of a later format is told from one that cannot be read at all.

The rule is docs/decisions/0007-formats-across-versions.md: a field may be added where older readers lose nothing by
passing it over; what changes a meaning raises `v`, and an older reader stops rather than misread.
"""

from __future__ import annotations

import msgspec

from contracts.errors import NewerFormat


class _Format(msgspec.Struct):
    v: int


_decoder = msgspec.msgpack.Decoder(_Format)


def refuse_newer(data: bytes, what: str, known: int = 1) -> None:
    """Raises NewerFormat when MessagePack `data` says that it is of a later format than `known`.

    To be called where `data` could not be decoded; what: it, in words.
    """
    try:
        found = _decoder.decode(data).v
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return
    if found > known:
        raise NewerFormat(
            f"{what} is of format {found} and this version reads {known}: run the version that wrote it, or a later one"
        )
