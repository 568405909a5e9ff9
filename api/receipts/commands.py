"""`python -m api receipts new-key | list | sign-with`: the file of receipt keys, from the command line.

A running API reads the file again by itself, within a second.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from api.errors import ApiError, SettingsError
from api.receipts.keys import Keys, change, new_key, read

receipts = typer.Typer(
    help="Make, list and choose the keys of receipts.", no_args_is_help=True, pretty_exceptions_enable=False
)

_File = Annotated[Path, typer.Option("--file", envvar="API_RECEIPT_KEYS_FILE", help="The file of receipt keys.")]


@contextmanager
def _in_one_line() -> Iterator[None]:
    try:
        yield
    except ApiError as error:
        typer.echo(f"api receipts: {error}", err=True)
        raise SystemExit(2) from None


@receipts.command("new-key")
def new_key_(file: _File) -> None:
    """Add a key, behind those that are there: it signs only if it is the first. Prints its id, never the key."""
    made = new_key()
    with _in_one_line():
        change(file, lambda keys: (*keys, made))
        first = read(file)[0] == made
    signs = "it signs" if first else f"it verifies; `python -m api receipts sign-with {made.id.hex()}` lets it sign"
    typer.echo(f"Key {made.id.hex()} is in {file}: {signs}.")


@receipts.command("list")
def list_(file: _File) -> None:
    """List the keys by their ids. There is nothing secret in it."""
    with _in_one_line():
        for number, key in enumerate(read(file)):
            typer.echo(f"{key.id.hex()}  {'signs and verifies' if number == 0 else 'verifies'}")


@receipts.command("sign-with")
def sign_with(file: _File, id_: Annotated[str, typer.Argument(metavar="ID", help="As `list` shows it.")]) -> None:
    """Let a key sign from now on. Every host has to have it before: the others verify what it signs."""
    with _in_one_line():
        change(file, lambda keys: _first(keys, id_))
    typer.echo(f"Key {id_} signs.")


def _first(keys: Keys, id_: str) -> Keys:
    chosen = [key for key in keys if key.id.hex() == id_]
    if not chosen:
        raise SettingsError(f"there is no key with the id {id_}; `python -m api receipts list` shows them")
    return (*chosen, *(key for key in keys if key not in chosen))
