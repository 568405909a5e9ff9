"""How the API is guarded, and what the log says of it once, when it starts."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable
from pathlib import Path

from api.guard.following import KeyFollower
from api.guard.guard import Guard
from api.telemetry import Telemetry

log = logging.getLogger(__name__)


def open_guard(
    path: Path | None,
    telemetry: Telemetry,
    *,
    waiting: Callable[[], int],
    waiting_keyed: Callable[[], int] = lambda: 0,
    max_waiting: int,
) -> tuple[Guard, KeyFollower | None]:
    """path: the file of keys; None lets everybody in. waiting, waiting_keyed, max_waiting: see Guard.

    Raises SettingsError: the file cannot be read.
    """
    guard = Guard(waiting=waiting, waiting_keyed=waiting_keyed, max_waiting=max_waiting)
    if path is None:
        return guard, None
    follower = KeyFollower(path, guard, telemetry)
    follower.start()
    return guard, follower


def say_who_is_let_in(guard: Guard, host: str) -> None:
    """One line. host: the address that is listened on."""
    if guard.ring is not None and len(guard.ring):
        log.info("keys: %d in force", len(guard.ring))
    elif guard.ring is not None:
        log.warning("keys: the file has none, so nobody is let in: make one with `python -m api keys add`")
    elif is_loopback(host):
        log.info("keys: none are configured (API_KEYS_FILE): every process on this machine is let in")
    else:
        log.warning(
            "keys: none are configured, and %s is no loopback address: everybody who reaches this port can predict and "
            "look up predictions. Set API_KEYS_FILE, or keep the port behind something that checks",
            host,
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it. A name other than localhost counts as reachable.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("0.0.0.0"), is_loopback("api.internal")
    (True, True, False, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
