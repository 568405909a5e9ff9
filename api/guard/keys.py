"""An API key: what a client holds (`tm_<id>_<secret>`), and the entry that the server keeps of it, without the secret.

The entry holds SHA-256 of the whole key. A slow hash such as bcrypt or Argon2 protects what people choose, which can be
guessed; the secret here is 192 random bits, which cannot be guessed at any speed, and a slow hash would only let
strangers burn the server's processor by sending wrong keys. `tm_` makes a leaked key easy to find in logs and code:
`tm_[0-9a-f]{12}_[0-9a-f]{48}`.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Annotated, Literal, NamedTuple

import msgspec

Scope = Literal["predict", "label", "read", "admin"]
"""predict: POST /predict, /predict/batch, /explain. label: POST /labels. read: look-ups, the model and /metrics.
admin: no route yet.

None includes another: a key that may do two things has two scopes.
"""

ID_BYTES, SECRET_BYTES = 6, 24
LONGEST = 256
"""Longer than any key: what is longer is not hashed, so that a huge header costs nothing."""

Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")]
_Hash = Annotated[str, msgspec.Meta(pattern=r"^sha256:[0-9a-f]{64}\Z")]
_Id = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{12}\Z")]
_Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class KeyEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is kept of one key. name: of the client, as logs show it; no two keys have the same.

    rate: rows a second, burst: rows at once; both or neither. expires: None is never.
    """

    id: _Id
    name: Name
    hash: _Hash
    scopes: Annotated[tuple[Scope, ...], msgspec.Meta(min_length=1)]
    expires: _Moment | None = None
    rate: Annotated[float, msgspec.Meta(gt=0)] | None = None
    burst: Annotated[int, msgspec.Meta(ge=1)] | None = None


class MintedKey(NamedTuple):
    """id: of its entry. text: the whole key, shown once and kept nowhere."""

    id: str
    text: str


def mint(random: bytes) -> MintedKey:
    """random: ID_BYTES + SECRET_BYTES of them, from `secrets`.

    >>> mint(bytes(30)).text
    'tm_000000000000_000000000000000000000000000000000000000000000000'
    """
    id_, secret = random[:ID_BYTES].hex(), random[ID_BYTES:].hex()
    return MintedKey(id_, f"tm_{id_}_{secret}")


def hash_of(key: bytes) -> str:
    """As an entry keeps it."""
    return "sha256:" + hashlib.sha256(key).hexdigest()


def id_in(key: bytes) -> str:
    """The id that a key names; text that fits no entry where it is no key of ours.

    >>> id_in(b"tm_00c0ffee0000_1234"), id_in(b"xx"), id_in(bytes([255]))
    ('00c0ffee0000', '', '')
    """
    parts = key.split(b"_", 2)
    return parts[1].decode("latin-1") if len(parts) == 3 and parts[0] == b"tm" else ""
