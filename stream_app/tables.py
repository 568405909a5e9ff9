"""Tables in plain text. Pure."""

from __future__ import annotations

from collections.abc import Sequence


def aligned(head: Sequence[str], rows: Sequence[Sequence[object]], *, left: bool = False) -> list[str]:
    """Lines with columns of equal width, the first to the left, the others to the right unless they all are `left`.

    >>> aligned(["name", "count"], [["a", 10], ["bcdef", 2]])
    ['name   count', 'a         10', 'bcdef      2']
    """
    cells = [list(head), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    if left:
        return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in cells]
    return ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in cells]
