"""`python -m api keys add | list | revoke`: the file of API keys, from the command line.

A running API reads the file again by itself, within a second.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, get_args

import msgspec
import typer

from api.errors import ApiError, SettingsError
from api.guard.expiry import read_expiry
from api.guard.key_file import Entries, change, read
from api.guard.keys import ID_BYTES, SECRET_BYTES, KeyEntry, Scope, hash_of, mint

keys = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True, pretty_exceptions_enable=False)

_File = Annotated[Path, typer.Option("--file", envvar="API_KEYS_FILE", help="The file of keys.")]


_ALLOWED = {
    "scopes": f"--scope: the scopes are {', '.join(get_args(Scope))}; give the option once for each",
    "name": "--name: 1 to 64 letters, digits and . _ -, of which the first is a letter or a digit",
    "rate": "--rate: must be above 0",
    "burst": "--burst: must be 1 or more",
}


@contextmanager
def _in_one_line() -> Iterator[None]:
    try:
        yield
    except ApiError as error:
        typer.echo(f"api keys: {error}", err=True)
        raise SystemExit(2) from None


@keys.command()
def add(
    file: _File,
    name: Annotated[str, typer.Option(help="Of the client, as logs show it: letters, digits, . _ -")],
    scope: Annotated[
        list[str], typer.Option(help="predict, label, read or admin (which opens nothing yet); may be repeated.")
    ],
    expires: Annotated[str | None, typer.Option(help="90d, 12h, a date or a time with zone. Default: never.")] = None,
    rate: Annotated[
        float | None, typer.Option(help="Rows a second, for each worker process: times API_WORKERS.")
    ] = None,
    burst: Annotated[int | None, typer.Option(help="Rows at once. Default: twice the rate.")] = None,
) -> None:
    """Make a key and print it, once: only its hash is kept."""
    with _in_one_line():
        made = mint(secrets.token_bytes(ID_BYTES + SECRET_BYTES))
        if rate is None and burst is not None:
            raise SettingsError("--burst belongs to --rate: give both, or neither")
        entry = {
            "id": made.id,
            "name": name,
            "hash": hash_of(made.text.encode()),
            "scopes": list(dict.fromkeys(scope)),
            "expires": None if expires is None else read_expiry(expires, datetime.now(UTC)),
            "rate": rate,
            "burst": max(1, round(2 * rate)) if burst is None and rate is not None else burst,
        }
        try:
            new = msgspec.convert(entry, KeyEntry)
        except msgspec.ValidationError as error:
            raise SettingsError(_in_words(str(error))) from error
        change(file, lambda entries: _with(entries, new))
    typer.echo(made.text)
    typer.echo(f"Key {made.id} of {name} is in {file}. It is shown only now.", err=True)
    if new.rate is not None:
        bound = f"{new.rate:g} rows/s and {new.burst:,} at once are for each worker process"
        typer.echo(f"{bound}: a server with API_WORKERS=4 lets in 4 times as many.", err=True)


@keys.command("list")
def list_(file: _File) -> None:
    """List the keys: id, name, scopes, expiry, rate. There is nothing secret in it."""
    with _in_one_line():
        for entry in read(file):
            expires = "never expires" if entry.expires is None else f"expires {entry.expires.isoformat()}"
            if entry.expires is not None and entry.expires <= datetime.now(UTC):
                expires = f"EXPIRED {entry.expires.isoformat()}"
            rate = "no rate" if entry.rate is None else f"{entry.rate:g} rows/s, {entry.burst} at once"
            typer.echo(f"{entry.id}  {entry.name}  {'+'.join(entry.scopes)}  {expires}  {rate}")


@keys.command()
def revoke(file: _File, id_: Annotated[str, typer.Argument(metavar="ID", help="As `list` shows it.")]) -> None:
    """Take a key out of the file: within a second it opens nothing."""
    with _in_one_line():
        change(file, lambda entries: _without(entries, id_))
    typer.echo(f"Key {id_} is revoked.", err=True)


def _in_words(error: str) -> str:
    """What is wrong with an option. error: msgspec's text, which ends with where it is: `$.name`."""
    where = error.rpartition("`$.")[2].partition("`")[0].partition("[")[0]
    return _ALLOWED.get(where, error)


def _with(entries: Entries, new: KeyEntry) -> Entries:
    if any(entry.name == new.name for entry in entries):
        raise SettingsError(f"--name {new.name}: there is a key of this name; call the new one {new.name}-2, say")
    return (*entries, new)


def _without(entries: Entries, id_: str) -> Entries:
    left = tuple(entry for entry in entries if entry.id != id_)
    if left == entries:
        raise SettingsError(f"there is no key with the id {id_}; `python -m api keys list` shows them")
    return left
