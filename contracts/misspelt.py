"""Variables of the environment that are nearly a setting. Every service tells of them: a slip does nothing, unseen."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator

_NEAR = 0.75
"""Likeness (difflib's ratio, without the prefix) from which a name is taken for a slip."""
_OF_A_SERVICE = re.compile(r"(.+?)_(?:SERVICE_HOST|PORT_\d+_(?:TCP|UDP|SCTP))")


def misspelt(names: Iterable[str], prefix: str, fields: Iterable[str]) -> Iterator[str]:
    """A line for each variable that begins as settings do, is none, and is nearly one; in their order.

    names: of the variables, in any case. prefix: of the settings, such as API_. fields: the settings without it. What
    Kubernetes sets for a Service whose name begins likewise (API_SERVICE_HOST, API_PORT_8000_TCP) is nobody's slip.

    >>> list(misspelt(["API_WORKER", "API_WORKERS", "API_GATEWAY", "PATH"], "API_", ["host", "workers"]))
    ['API_WORKER is no setting; did you mean API_WORKERS?']
    """
    given = sorted(name for name in names if name.upper().startswith(prefix))
    known = [field.upper() for field in fields]
    services = {found[1] for name in given if (found := _OF_A_SERVICE.match(name))}
    for name in given:
        own = name.upper().removeprefix(prefix)
        if own in known or any(_is_of(name, service) for service in services):
            continue
        if near := difflib.get_close_matches(own, known, 1, _NEAR):
            yield f"{name} is no setting; did you mean {prefix}{near[0]}?"


def _is_of(name: str, service: str) -> bool:
    """Whether Kubernetes sets this variable for the Service."""
    return re.fullmatch(rf"{re.escape(service)}_(SERVICE_(HOST|PORT)(_.*)?|PORT(_\d+_.*)?)", name) is not None
