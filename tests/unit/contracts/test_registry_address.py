"""The registry's address for people: no password is left of it, whoever quotes the address."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.registry_address import shown, without_secrets

PASSWORDS = st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"]), min_size=3).map("sesame".__add__)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://ml:sesame@mlflow:5000", "http://...@mlflow:5000"),
        ("postgresql://ml:ses/ame@db/x", "postgresql://...@db/x"),
        ("http://ml:ses@me@h:1", "http://...@h:1"),
        ("ml:sesame@db:5432/mlflow", "...@db:5432/mlflow"),
        ("postgresql:ml:sesame@db/x", "...@db/x"),
        ("db.example.com:5432/mlflow?password=sesame", "db.example.com:5432/mlflow?..."),
        ("http://h/?token=sesame", "http://h/?..."),
        ("http://h/#token=sesame", "http://h/#..."),
        ("jdbc:postgresql://h/x;password=sesame", "jdbc:postgresql://h/x;..."),
        ("postgresql://db/x?password=ses@me", "postgresql://..."),
        ("http://ml:ses?ame@h", "http://..."),
        ("sqlite:////home/ml@work/a;b#c.db?key=sesame", "sqlite:////home/ml@work/a;b#c.db?..."),
        ("./mlruns", "./mlruns"),
    ],
)
def test_an_address_is_shown_without_name_password_and_parameters(address: str, said: str) -> None:
    assert shown(address) == said


@given(PASSWORDS, st.sampled_from(["http://ml:{}@h/x", "ml:{}@h/x", "pg:ml:{}@h/x", "pg://ml:{}@h/x?sslmode=off"]))
def test_no_password_is_shown_whatever_signs_it_has(password: str, form: str) -> None:
    address = form.format(password)
    assert "sesame" not in shown(address)
    for quoted in (address, f"Invalid url: {address}/api", f"user ml:{password}@h", f"password: {password!s}"):
        assert "sesame" not in without_secrets(quoted, address), quoted


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("unsupported URI 'pg://ml:op%2Fen@db/x?password=sesame&sslmode=on'", "unsupported URI 'pg://...@db/x?...'"),
        ("Invalid url: pg://ml:op%2Fen@db/x/api", "Invalid url: pg://...@db/x/api"),
        ("no such host: ml:op/en@db", "no such host: ...@db"),
        ("with url: /x/api?sslmode=on&password=sesame", "with url: /x/api?sslmode=...&password=..."),
        ("password 'sesame' is too short, 'op/en' too", "password '...' is too short, '...' too"),
        ("run `mlflow db upgrade`; user ml has no access", "run `mlflow db upgrade`; user ml has no access"),
        ("sslmode on is unknown; opened, sesames", "sslmode on is unknown; opened, sesames"),
    ],
)
def test_what_others_say_of_it_loses_the_secrets_and_no_other_word(said: str, left: str) -> None:
    assert without_secrets(said, "pg://ml:op%2Fen@db/x?password=sesame&sslmode=on") == left


def test_a_password_that_a_library_wrote_with_percent_signs_is_hidden() -> None:
    assert without_secrets(f"at {quote('se same', safe='')}", "http://ml:se same@h") == "at ..."


def test_an_address_without_secrets_changes_nothing() -> None:
    assert without_secrets("sqlite:///x.db is locked", "sqlite:///x.db") == "sqlite:///x.db is locked"
    assert without_secrets("a text", "") == "a text"
