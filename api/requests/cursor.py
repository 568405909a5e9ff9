"""The cursor of a page of recent predictions: a place, written so that nobody is tempted to count with it.

It names a place, not a query: it stays good for as long as predictions are kept, with the same filters or with others.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode

CURSOR = "^A[AB][A-Za-z0-9_-]{8}[AEIMQUYcgkosw048]$"
"""What every cursor looks like: 53 bits in base 64."""

_BYTES = 8
_LETTERS = 11
_GREATEST = 1 << 53  # places are scores of Redis, which are doubles


def write_cursor(place: int) -> str:
    """The cursor of a place.

    >>> write_cursor(1700000000000000)
    'AAYKJBgeQAA'
    """
    return urlsafe_b64encode(place.to_bytes(_BYTES)).rstrip(b"=").decode()


def read_cursor(text: str) -> int:
    """The place of a cursor. Raises ValueError.

    >>> read_cursor("AAYKJBgeQAA")
    1700000000000000
    """
    try:
        place = int.from_bytes(urlsafe_b64decode(text + "=")) if len(text) == _LETTERS else -1
    except ValueError:
        place = -1
    if not 0 <= place < _GREATEST or write_cursor(place) != text:
        raise ValueError("Take next_cursor from the page before, as it is; leave it out for the first page")
    return place
