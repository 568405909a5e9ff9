#!/usr/bin/env python3
"""Which of two colours is live, and what state they are in: run inside the proxy's container by `compose/blue-green`.

The standard library alone: it is copied into the image as it is. Asks each colour over HTTP, and HAProxy over its
socket. Status 0; 1 with one line on stderr where a colour is not what it should be.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

COLOURS = ("blue", "green")
MAP = Path("/var/lib/tidemark/proxy/live.map")
SOCKET = "/tmp/haproxy.sock"
PENDING = ("tidemark_api_outbox_pending_bytes", "tidemark_api_label_outbox_pending_bytes")
_ASK_SECONDS = 5.0
_PAUSE_SECONDS = 0.1


class NotSo(Exception):
    """A colour is not in the state that was asked for; the message is one line for a person."""


class Colours:
    """map_file, control: HAProxy's map and socket. address: colour -> host and port. key: an API key with the scope
    read, where keys are asked for. model: the one that both serve."""

    def __init__(
        self,
        map_file: Path,
        control: str,
        address: Callable[[str], tuple[str, int]],
        key: str = "",
        model: str = "",
    ) -> None:
        self._map, self._control, self._address, self._key, self._model = map_file, control, address, key, model

    def begin(self) -> None:
        """Before HAProxy starts: the map must be there; the first time blue is live."""
        if not self._map.exists():
            self._write(COLOURS[0])

    def live(self) -> str:
        """The colour that gets the requests, as HAProxy has it now."""
        said = self._tell(f"show map {self._map}")
        words = said.split()
        if len(words) != 3 or words[1] != "live" or words[2] not in COLOURS:
            raise NotSo(f"HAProxy's map says {said.strip()!r}: it should say `live blue` or `live green`")
        return words[2]

    def version(self, colour: str) -> str:
        """The version with which it answers."""
        try:
            return str(self._model_of(colour)["version"])
        except (OSError, ValueError, KeyError) as error:
            raise NotSo(f"{colour} does not say its version: {_why(error)}") from error

    def wait(self, colour: str, version: str | None, seconds: float) -> str:
        """Until it is ready, has this version, and HAProxy would send it requests. Returns the version.

        version None: the one that the live colour has; where that one does not answer, any.
        """
        wanted = version if version is not None else self._version_of_live(colour)
        return _until(lambda: self._as_wished(colour, wanted), seconds)

    def move(self, colour: str) -> None:
        """All requests that come from now on go to it."""
        self._as_wished(colour, None)
        said = self._tell(f"set map {self._map} live {colour}")
        if self.live() != colour:
            raise NotSo(f"HAProxy did not take the colour {colour}: {said.strip()}")
        try:
            self._write(colour)
        except OSError as error:
            raise NotSo(f"{colour} is live, but a restarted proxy would not know: {self._map}: {error}") from error

    def drained(self, colour: str, seconds: float) -> None:
        """Until it answers nothing any more and Kafka has all of its events and labels."""
        _until(lambda: self._empty(colour), seconds)

    def status(self) -> list[str]:
        """A line for each colour."""
        live = self.live()
        return [f"{colour:5}  {'live' if colour == live else 'idle'}  {self._line(colour)}" for colour in COLOURS]

    def _line(self, colour: str) -> str:
        try:
            model = self._model_of(colour)
            return f"{model['name']}/{model['version']} (alias {model['alias']}), {self._health(colour)}"
        except (OSError, ValueError, KeyError) as error:
            return f"does not answer: {_why(error)}"

    def _version_of_live(self, colour: str) -> str | None:
        live = self.live()
        if live == colour:
            return None
        try:
            return self.version(live)
        except NotSo as error:
            print(f"{error}: {colour} may have any version", file=sys.stderr)
            return None

    def _as_wished(self, colour: str, version: str | None) -> str:
        """Raises NotSo and says what is missing."""
        try:
            health, model = self._health(colour), self._model_of(colour)
        except (OSError, ValueError) as error:
            raise NotSo(f"{colour} is not ready: {_why(error)}") from error
        has = str(model.get("version"))
        if version is not None and has != version:
            raise NotSo(
                f"{colour} answers with version {has} (alias {model.get('alias')}), not with {version}; "
                f"a version of its own needs TIDEMARK_{colour.upper()}_ALIAS={colour}, see docs/blue-green.md"
            )
        if self._model and model.get("name") != self._model:
            raise NotSo(f"{colour} serves {model.get('name')}, not {self._model}: see API_MODEL")
        if (seen := self._field(colour, "status")) != "UP":
            raise NotSo(f"{colour} is {health}, but HAProxy sees it as {seen}")
        # a container that was made anew has another address, of which HAProxy hears a moment later
        host, port = self._address(colour)
        if (known := self._field(colour, "addr")) != (now := f"{socket.gethostbyname(host)}:{port}"):
            raise NotSo(f"{colour} is at {now}, but HAProxy still asks {known}")
        return has

    def _empty(self, colour: str) -> str:
        under_way = int(self._field(colour, "scur")) + int(self._field(colour, "qcur"))
        if under_way:
            raise NotSo(f"{colour} still answers {under_way} requests")
        try:
            page = self._get(colour, "/metrics").decode()
        except OSError as error:
            raise NotSo(f"{colour} does not say whether its outbox is empty: {_why(error)}") from error
        left = sum(float(value) for name in PENDING for value in re.findall(rf"^{name}(?:{{.*}})? (\S+)$", page, re.M))
        if left:
            raise NotSo(f"{colour} has {left:,.0f} bytes in its outbox that Kafka has not acknowledged: let it run")
        return colour

    def _health(self, colour: str) -> str:
        return str(json.loads(self._get(colour, "/health/ready"))["status"])

    def _model_of(self, colour: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._get(colour, "/model"))
        return found

    def _get(self, colour: str, path: str) -> bytes:
        headers = {"x-api-key": self._key} if self._key else {}
        host, port = self._address(colour)
        request = urllib.request.Request(f"http://{host}:{port}{path}", headers=headers)
        with urllib.request.urlopen(request, timeout=_ASK_SECONDS) as answer:
            body: bytes = answer.read()
        return body

    def _field(self, colour: str, field: str) -> str:
        """Of HAProxy's statistics (CSV): of the server, which is called as its backend."""
        lines = self._tell("show stat").lstrip("# ").splitlines()
        names = lines[0].split(",")
        for line in lines[1:]:
            row = dict(zip(names, line.split(","), strict=False))
            if (row.get("pxname"), row.get("svname")) == (colour, colour):
                return row[field]
        raise NotSo(f"HAProxy knows no server {colour}")

    def _tell(self, command: str) -> str:
        try:
            with socket.socket(socket.AF_UNIX) as link:
                link.settimeout(_ASK_SECONDS)
                link.connect(self._control)
                link.sendall(f"{command}\n".encode())
                said = b"".join(iter(lambda: link.recv(65536), b""))
        except OSError as error:
            raise NotSo(f"HAProxy does not answer on {self._control}: {error}") from error
        return said.decode()

    def _write(self, colour: str) -> None:
        new = self._map.with_suffix(".new")
        new.write_text(f"live {colour}\n")
        new.replace(self._map)


def _until(asked: Callable[[], str], seconds: float) -> str:
    deadline = time.monotonic() + seconds
    while True:
        try:
            return asked()
        except NotSo as error:
            if time.monotonic() >= deadline:
                raise NotSo(f"{error} (after {seconds:g} s)") from error
        time.sleep(_PAUSE_SECONDS)


def _why(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        scope = ": set TIDEMARK_API_KEY to a key with the scope read" if error.code in (401, 403) else ""
        return f"status {error.code}{scope}"
    return str(getattr(error, "reason", None) or error)


def main(arguments: list[str], colours: Colours) -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(prog="colours", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("begin", "live", "status"):
        commands.add_parser(name)
    for name in ("version", "move", "wait", "drained"):
        one = commands.add_parser(name)
        one.add_argument("colour", choices=COLOURS)
        if name in ("wait", "drained"):
            one.add_argument("--seconds", type=float, default=120.0)
        if name == "wait":
            one.add_argument("--version", dest="wanted")
    given = parser.parse_args(arguments)
    try:
        for line in _run(given, colours):
            print(line)
    except NotSo as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _run(given: argparse.Namespace, colours: Colours) -> list[str]:
    match given.command:
        case "begin":
            colours.begin()
        case "live":
            return [colours.live()]
        case "status":
            return colours.status()
        case "version":
            return [colours.version(given.colour)]
        case "move":
            colours.move(given.colour)
        case "wait":
            return [colours.wait(given.colour, given.wanted, given.seconds)]
        case "drained":
            colours.drained(given.colour, given.seconds)
    return []


if __name__ == "__main__":
    here = Colours(
        MAP,
        SOCKET,
        lambda colour: (colour, 8000),
        os.environ.get("TIDEMARK_API_KEY", ""),
        os.environ.get("API_MODEL", ""),
    )
    sys.exit(main(sys.argv[1:], here))
