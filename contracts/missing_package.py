"""What to install where an import failed: the address of a registry decides which driver is needed."""

from __future__ import annotations

import shlex

_PACKAGES = {
    "MySQLdb": "mysqlclient",
    "psycopg": "psycopg[binary]",  # alone it needs a libpq of the system
    "psycopg2": "psycopg2-binary",
    "pymysql": "PyMySQL",
}
"""Of modules that are not named as their package."""


def missing_package(error: ImportError) -> str:
    """In a few words.

    >>> missing_package(ModuleNotFoundError("No module named 'psycopg'", name="psycopg"))
    "the Python package psycopg[binary] is not installed: pip install 'psycopg[binary]'"
    """
    if isinstance(error, ModuleNotFoundError) and error.name:
        package = _PACKAGES.get(module := error.name.partition(".")[0], module)
        return f"the Python package {package} is not installed: pip install {shlex.quote(package)}"
    said = " ".join(str(error).split())
    if "pq wrapper" in said:  # psycopg is there, and nothing that speaks to the server
        return f"{said}: pip install {shlex.quote(_PACKAGES['psycopg'])}"
    return f"a Python package cannot be imported: {said}"
