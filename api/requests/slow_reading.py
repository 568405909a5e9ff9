"""The JSON of a body that was refused, read a second time, so that what is wrong can be told of its fields."""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any

from api.errors import Unreadable

BYTE_ORDER_MARK = "\ufeff"
MARKED = "The body begins with a byte order mark: leave it out."
_LONGEST_INTEGER = 400  # digits; more is infinite as a float, and slow to read as an integer


class NonFinite:
    """Stands for NaN, Infinity and -Infinity, which are not JSON."""


class Repeating(dict[str, Any]):
    """An object with names that are there again, which JSON leaves open. The last value of each is in it, although the
    decoder may have refused an earlier one. again: those names.
    """

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.again = [name for name, times in Counter(name for name, _ in pairs).items() if times > 1]


def read_slowly(body: bytes) -> Any:
    """The JSON of a body that was refused; NonFinite for what is no number, Repeating for an object with a name twice.
    Raises Unreadable.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Unreadable("not-utf-8", f"The body is not UTF-8: byte {error.start} is wrong. Send UTF-8.") from error
    if text.startswith(BYTE_ORDER_MARK):
        raise Unreadable("not-json", MARKED)
    try:
        return json.loads(text, parse_constant=lambda _: NonFinite(), parse_int=_integer, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        raise Unreadable("not-json", f"The body is not JSON: {error.msg} at character {error.pos}.") from error
    except RecursionError as error:
        raise Unreadable("not-json", "The body is nested too deeply. A request has two levels.") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else Repeating(pairs)


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _LONGEST_INTEGER else math.inf
