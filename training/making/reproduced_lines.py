"""What `reproduce` tells the person who asked."""

from __future__ import annotations

from training.making.reproduce import Reproduced

_SHOWN = 8


def reproduced_lines(found: Reproduced) -> list[str]:
    """A line for each thing that differs, and the end of it."""
    whose = f"{found.model}/{found.version}"
    lines = [f"differs     {one.what}: {one.recorded} then, {one.now} now" for one in found.results[:_SHOWN]]
    if len(found.results) > _SHOWN:
        lines.append(f"            and {len(found.results) - _SHOWN} more (--json has all)")
    lines += [f"around      {one.what}: {one.recorded} then, {one.now} now" for one in found.around]
    if not found.trained:
        return [*lines, f"{whose}: not trained again: {found.data} is not the data that it was made from"]
    if found.same:
        return [*lines, f"{whose}: reproduced from {found.data}: every metric and every score is the same"]
    apart = "" if found.apart is None else f"; scores of the test rows are at most {found.apart:.2g} apart"
    why = "" if found.around else ", though code and libraries are those of then"
    return [*lines, f"{whose}: NOT reproduced from {found.data}{why}{apart}"]
