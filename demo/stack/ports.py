"""Free ports of 127.0.0.1, chosen so that nobody takes them while a server is down.

The obvious way, binding port 0, gives an *ephemeral* port, and the kernel also hands those to outgoing connections:
while a broker is down between a crash and its restart, a client that tries to reconnect can be given that very port
as its own, and the broker can never bind it again. So ports are tried at random below the ephemeral range (Linux
32768-60999, macOS 49152-65535).
"""

import random
import socket

from demo.stack.errors import StackError

_FIRST, _LAST = 20_000, 32_000
_TRIES = 200
_given: set[int] = set()
"""To this process: who was given a port may not listen on it yet, or not now."""


def is_free(port: int) -> bool:
    """Whether a server could listen on the port now; an ended server's connections in TIME_WAIT do not count."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            return False
    return True


def choose_port(rng: random.Random) -> int:
    """A port that is free now and was not given before. Another process can still take it first: the server's start
    reports that."""
    for _ in range(_TRIES):
        port = rng.randint(_FIRST, _LAST)
        if port not in _given and is_free(port):
            _given.add(port)
            return port
    raise StackError(f"no free port found between {_FIRST} and {_LAST} of 127.0.0.1: end some servers, or give a port")
