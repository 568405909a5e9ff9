"""An import that failed is told with the package that mends it."""

from __future__ import annotations

import importlib

import pytest

from contracts.missing_package import missing_package


@pytest.mark.parametrize(
    ("module", "package", "install"),
    [
        ("psycopg", "psycopg[binary]", "'psycopg[binary]'"),
        ("psycopg2.extras", "psycopg2-binary", "psycopg2-binary"),
        ("MySQLdb", "mysqlclient", "mysqlclient"),
        ("nosuch.part", "nosuch", "nosuch"),
    ],
)
def test_a_module_that_is_not_there_is_told_by_its_package(module: str, package: str, install: str) -> None:
    error = ModuleNotFoundError(f"No module named {module!r}", name=module)
    assert missing_package(error) == f"the Python package {package} is not installed: pip install {install}"


def test_what_python_itself_raises_names_the_module() -> None:
    with pytest.raises(ImportError) as caught:
        importlib.import_module("nosuch")
    assert missing_package(caught.value).endswith("pip install nosuch")


def test_a_package_that_is_there_and_cannot_be_imported_says_why_in_one_line() -> None:
    assert missing_package(ImportError("no pq wrapper available.\nAttempts made:\n- libpq not found")) == (
        "no pq wrapper available. Attempts made: - libpq not found: pip install 'psycopg[binary]'"
    )
    said = missing_package(ImportError("libx.so: cannot open\nshared object"))
    assert said == "a Python package cannot be imported: libx.so: cannot open shared object"
