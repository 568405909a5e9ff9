"""The registry's address in what is said of it: without a name, a password or parameters, whoever quotes it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import quote, unquote

_LOCAL = "sqlite:///"
_SCHEME = re.compile(r"[A-Za-z][\w+.-]*://")
_SECRET = re.compile(r"pass|pwd|secret|token|key|odbc", re.IGNORECASE)
"""In the name of a parameter whose value is hidden wherever it stands; of others only `name=value` is."""


class _Parts(NamedTuple):
    """scheme: with its ://, or empty. user: all before the @, None without one. mark: what parameters begin with."""

    scheme: str
    user: str | None
    place: str
    mark: str = ""
    parameters: str = ""


def shown(address: str) -> str:
    """An address of MLflow for people: without a name and a password, and without parameters, which may hold one.

    Where ? # or ; stands before an @ nobody can tell which of them is in a password: only the scheme is left then.

    >>> shown("postgresql://ml:sesame@db:5432/mlflow?password=sesame")
    'postgresql://...@db:5432/mlflow?...'
    >>> shown("ml:sesame@db:5432/mlflow"), shown("postgresql:ml:sesame@db/x"), shown("http://ml:ses?ame@db")
    ('...@db:5432/mlflow', '...@db/x', 'http://...')
    >>> shown("sqlite:///var/mlflow/mlflow.db")
    'sqlite:///var/mlflow/mlflow.db'
    """
    parts = _parts(address)
    user = "" if parts.user is None else "...@" if parts.place else "..."
    return f"{parts.scheme}{user}{parts.place}{parts.mark}{'...' if parts.parameters else ''}"


def without_secrets(text: str, address: str) -> str:
    """What somebody else said of the address, which may quote all of it or a part, as it is or percent-encoded.

    >>> without_secrets("Invalid url: http://ml:sesame@db/api?x=1: sesame", "http://ml:sesame@db/")
    'Invalid url: http://...@db/api?x=1: ...'
    """
    text = text.replace(address, shown(address))
    parts = _parts(address)
    if parts.user:
        text = _replaced(text, parts.user + "@", "...@")
    if parts.parameters:
        text = _replaced(text, parts.parameters, "...")
    for pair in _pairs(parts):
        text = _replaced(text, pair, f"{pair.partition('=')[0]}=...")
    for secret in sorted(_secrets(parts), key=len, reverse=True):
        for form in _forms(secret):
            text = re.sub(rf"(?<!\w){re.escape(form)}(?!\w)", "...", text)
    return text


def _parts(address: str) -> _Parts:
    found = _SCHEME.match(address)
    scheme = found[0] if found else ""
    rest = address.removeprefix(scheme)
    if address.startswith(_LOCAL):  # the name of a file may hold the other marks, and an @
        return _Parts(scheme, None, *rest.partition("?"))
    before, mark, parameters = _cut(rest)
    if "@" in parameters:
        return _Parts(scheme, rest, "")
    user, at, place = before.rpartition("@")
    return _Parts(scheme, user if at else None, place, mark, parameters)


def _cut(rest: str) -> tuple[str, str, str]:
    """At the first sign that may begin parameters."""
    found = re.search(r"[?#;]", rest)
    return (rest[: found.start()], found[0], rest[found.end() :]) if found else (rest, "", "")


def _pairs(parts: _Parts) -> Iterator[str]:
    """Parameters that have a value."""
    for pair in re.split(r"[?&;#]", parts.parameters):
        if pair.partition("=")[2]:
            yield pair


def _secrets(parts: _Parts) -> Iterator[str]:
    """What is hidden where it stands alone, too: a name is not, MLflow's own is a common one."""
    password = (parts.user or "").partition(":")[2]
    # whoever takes / ? # for the end of the host quotes the half of it
    yield from filter(None, {password, *re.split(r"[/?#;@:]", password)})
    for name, _, value in (pair.partition("=") for pair in _pairs(parts)):
        if _SECRET.search(name):
            yield value


def _forms(secret: str) -> list[str]:
    """Each way in which it may be written, the longest first."""
    plain = unquote(secret)
    return sorted({secret, plain, quote(plain), quote(plain, safe="")} - {""}, key=len, reverse=True)


def _replaced(text: str, part: str, by: str) -> str:
    for form in _forms(part):
        text = text.replace(form, by)
    return text
