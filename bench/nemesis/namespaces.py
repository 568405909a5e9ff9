"""Network namespaces (Linux, root, iproute2): a worker has a cable of its own to Kafka, and it can be pulled.

Nothing is refused then and nothing closed: packets are lost, as behind a switch that died. Both ends' kernels send
again, after longer and longer pauses: they find out that the cable is back up to as long later as it was gone. A proxy
does not show that. A bridge is the switch; an idle process holds each namespace, and when it ends, the cable is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from bench.nemesis.broker import Listener
from demo.stack.ports import choose_port

_TOOLS = ("ip", "nsenter", "unshare")
_NETWORK = "198.18.{}"
"""198.18.0.0/15 is there for benchmarks (RFC 2544): no machine has it in use."""
_MAC = "02:00:00:00:00:01"
"""Of our bridges. Left alone a bridge has that of a cable, and takes in what comes by it when it is pulled."""
_BRIDGE = re.compile(r"^\d+: (?P<name>tm\d+):(?P<rest>.*)$", re.MULTILINE)
_CABLE = re.compile(r"^\d+: (?P<name>(?P<bridge>tm\d+)w\d+)[:@]", re.MULTILINE)
_STEP_SECONDS = 10.0
_REACH = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=5)"


class NotAllowed(Exception):
    """There can be no namespaces here, and why."""


class Cable(NamedTuple):
    """From a namespace to the bridge. See Way in network.py; name: of its end at the bridge."""

    name: str
    bridge: str
    bootstrap: str
    host: str
    inside: tuple[str, ...]

    def cut(self) -> None:
        """Pull it out of the bridge; both ends still have a link."""
        _ip(f"link set {self.name} nomaster")

    def heal(self) -> None:
        """Put it back."""
        _ip(f"link set {self.name} master {self.bridge}")


class Namespaces:
    """A bridge with Kafka at it, and a cable for each worker."""

    def __init__(self) -> None:
        self.bridge = f"tm{os.getpid()}"
        self._net = _NETWORK.format(os.getpid() % 256)
        self._address = f"{self._net}.1"
        bound = f"{self._address}:{choose_port(random.SystemRandom())}"
        self.listeners = [Listener(bound, advertised=bound)]
        self.ways: list[Cable] = []
        self._holders: list[subprocess.Popen[bytes]] = []

    @classmethod
    async def start(cls, workers: int) -> Namespaces:
        """So many cables, each tried out. Raises NotAllowed."""
        if missing := [tool for tool in _TOOLS if shutil.which(tool) is None]:
            raise NotAllowed(f"no {', '.join(missing)}")
        if os.geteuid() != 0:
            raise NotAllowed("not root")
        made = cls()
        try:
            await asyncio.to_thread(made._build, workers)
        except (OSError, subprocess.SubprocessError) as error:
            with contextlib.suppress(OSError, subprocess.SubprocessError):
                await made.stop()
            raise NotAllowed(_reason(error)) from error
        return made

    def _build(self, workers: int) -> None:
        _remove_links(
            lambda bridge: not Path(f"/proc/{bridge.removeprefix('tm')}").exists()
        )  # of runs that were killed
        _ip(f"link add {self.bridge} address {_MAC} type bridge")
        _ip(f"addr add {self._address}/24 dev {self.bridge}")
        _ip(f"link set {self.bridge} up")
        for number in range(workers):
            self.ways.append(self._cable(number))
        with socket.create_server((self._address, 0)) as server:
            for cable in self.ways:
                where = self._address, str(server.getsockname()[1])
                _run([*cable.inside, sys.executable, "-c", _REACH, *where])

    def _cable(self, number: int) -> Cable:
        holder = subprocess.Popen(  # it ends when its standard input does: when this process does, however that ends
            ["unshare", "--net", "sh", "-c", "echo; exec cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._holders.append(holder)
        assert holder.stdout is not None
        assert holder.stderr is not None
        if not holder.stdout.readline():
            raise OSError(holder.stderr.read().decode(errors="replace").strip())
        host, name = f"{self._net}.{number + 2}", f"{self.bridge}w{number}"
        cable = Cable(
            name,
            self.bridge,
            self.listeners[0].advertised,
            host,
            ("nsenter", f"--net=/proc/{holder.pid}/ns/net", "--"),
        )
        _ip(f"link add {name} type veth peer name eth0 netns {holder.pid}")
        _ip(f"link set {name} master {self.bridge} up")
        for order in (f"addr add {host}/24 dev eth0", "link set eth0 up", "link set lo up"):
            _ip(order, cable.inside)
        return cable

    async def stop(self) -> None:
        """Take it all down; who still runs in a namespace has no network then."""
        await asyncio.to_thread(self._remove)

    def _remove(self) -> None:
        for holder in self._holders:
            holder.communicate()
        _remove_links(lambda bridge: bridge == self.bridge)


def _remove_links(of: Callable[[str], bool]) -> None:
    """Bridges of ours that are chosen by name, and the cables in them."""
    for found in _BRIDGE.finditer(_ip("-o link show type bridge")):
        bridge = found["name"]
        if f"link/ether {_MAC} " in found["rest"] and of(bridge):
            for cable in _CABLE.finditer(_ip("-o link show type veth")):
                if cable["bridge"] == bridge:
                    _ip(f"link del {cable['name']}", may_fail=True)
            _ip(f"link del {bridge}")


def _ip(order: str, inside: Sequence[str] = (), *, may_fail: bool = False) -> str:
    """may_fail: a cable goes with its namespace, at any moment."""
    return _run([*inside, "ip", *order.split()], check=not may_fail)


def _run(command: Sequence[str], *, check: bool = True) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=_STEP_SECONDS, check=check)
    return done.stdout


def _reason(error: OSError | subprocess.SubprocessError) -> str:
    said = error.stderr.strip() if isinstance(error, subprocess.CalledProcessError) else ""
    return said.splitlines()[-1] if said else str(error)
