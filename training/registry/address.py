"""Is there a registry at this address? Asked before MLflow, which would make an empty registry of a mistyped file name,
and asks a server that is not there three times, with pauses, before it says so.
"""

from __future__ import annotations

import base64
import ssl
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit
from urllib.request import Request, urlopen

from contracts.registry_address import shown
from training.errors import RegistryError

_SQLITE = "sqlite:///"
CONNECT_SECONDS = 5.0


def sqlite_file(uri: str) -> Path | None:
    """The file of a local store; None of a server, or of a store in memory."""
    name = uri.removeprefix(_SQLITE).partition("?")[0]
    return None if name == uri.partition("?")[0] or name in ("", ":memory:") else Path(name)


def check_there(uri: str, *, may_create: bool) -> None:
    """Raises RegistryError where no server can be connected to within CONNECT_SECONDS, or the local file is not there;
    may_create: its folder is made then, and MLflow makes the file.
    """
    file = sqlite_file(uri)
    if uri.startswith(("http://", "https://")):
        _connect(uri)
    elif file is not None and not file.is_file():
        if not may_create:
            raise RegistryError(
                f"MLflow at {shown(uri)}: there is no file {file.resolve()}: correct TRAINING_TRACKING_URI, or make it "
                "with `python -m training train`"
            )
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RegistryError(
                f"MLflow at {shown(uri)} cannot be opened: {error.strerror}: {file.parent} (TRAINING_TRACKING_URI)"
            ) from error


def _connect(uri: str) -> None:
    """By HTTP and not by a socket alone: there may be a proxy. Whatever answers is MLflow's to judge."""
    try:
        with urlopen(_health(uri), timeout=CONNECT_SECONDS):
            return
    except HTTPError:
        return  # an answer
    except URLError as error:
        if isinstance(error.reason, ssl.SSLError) or not isinstance(error.reason, OSError):
            return  # MLflow has authorities of its own, and says more
        why = (
            f"no answer within {CONNECT_SECONDS:g} s"
            if isinstance(error.reason, TimeoutError)
            else error.reason.strerror
        )
    except (OSError, HTTPException, ValueError):
        return  # slow, or no HTTP: MLflow is patient, or names it
    raise RegistryError(
        f"MLflow at {shown(uri)} cannot be opened: {why or 'it cannot be reached'}: start it, or correct "
        "TRAINING_TRACKING_URI"
    )


def _health(uri: str) -> Request:
    """As MLflow will ask: urllib would take a name and a password for the host. Raises ValueError where it is none."""
    parts = urlsplit(uri)
    user, _, place = parts.netloc.rpartition("@")
    request = Request(f"{parts._replace(netloc=place).geturl().rstrip('/')}/health")
    name, both, password = user.partition(":")
    if both:
        given = base64.b64encode(f"{unquote(name)}:{unquote(password)}".encode("latin-1")).decode()
        request.add_unredirected_header("Authorization", f"Basic {given}")  # not to be sent on to another server
    return request
