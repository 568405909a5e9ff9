"""Hints: which name was meant by one that is not known.

difflib compares letters of the name with letters of all known ones: 2 ms for one name of 50 letters among 23 such,
20 ms among 300. A batch may have thousands of unknown names, so the comparing is bounded, for all of its rows together.
"""

from __future__ import annotations

import difflib
from functools import lru_cache

MOST_COMPARED = 150_000
"""Letters of a name times letters of the names that it is compared with: some 5 ms of processor time. It is enough for
the 20 names of a refusal that 23 features of 15 letters were meant by."""
_LONGEST = 100


class Hints:
    """Of one request, or of all rows of one batch: a name that was looked for once costs nothing again."""

    def __init__(self, most: int = MOST_COMPARED) -> None:
        self._left = most
        self._found: dict[tuple[str, tuple[str, ...]], str] = {}

    def meant(self, name: str, known: tuple[str, ...]) -> str:
        """The known name that is most like it; empty where none is, or where no more is looked for.

        >>> hints = Hints()
        >>> hints.meant("cardCountry", ("card_country", "ip_country")), hints.meant("car_contry", ("card_country",))
        ('card_country', 'card_country')
        """
        name = name[:_LONGEST]
        spelt = _spelt(known).get(_plain(name))
        if spelt is not None:
            return spelt
        found = self._found.get((name, known))
        if found is None and self._left > 0:
            found = self._found[name, known] = self._look(name, known)
        return found or ""

    def _look(self, name: str, known: tuple[str, ...]) -> str:
        length = len(name)
        # of two lengths so different the ratio is below .6, which is where difflib draws the line
        near = [other for other in known if 10 * min(length, len(other)) >= 3 * (length + len(other))]
        self._left -= len(known) + length * sum(map(len, near))
        close = difflib.get_close_matches(name, near, 1) if self._left >= 0 else ()
        return close[0] if close else ""


@lru_cache(maxsize=16)
def _spelt(known: tuple[str, ...]) -> dict[str, str]:
    """Each name by its letters and digits: nearly all wrong names are right but for case and what joins the words."""
    return {plain: name for name in reversed(known) if (plain := _plain(name))}


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name)).casefold()
