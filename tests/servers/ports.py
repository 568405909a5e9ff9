"""A free loopback port that stays ours while its server is down.

The port lies below the kernel's range for outgoing connections. A port from within that range (what bind(0) returns)
can be lost while the server is down: an outgoing connection may be given it, and a client that tries to reconnect to it
can even connect to itself, after which the server cannot come back.
"""

import random
import socket

_LOWEST, _HIGHEST = 15_000, 32_000


def free_port() -> int:
    """Raises RuntimeError when no port could be had."""
    for _ in range(200):
        port = random.SystemRandom().randint(_LOWEST, _HIGHEST)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError(f"no free port between {_LOWEST} and {_HIGHEST} on 127.0.0.1: stop something, or run again")
