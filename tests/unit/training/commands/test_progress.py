"""Progress: plain lines where there is no terminal, one that changes where there is."""

from __future__ import annotations

import io

from rich.console import Console

from training.commands.progress import following
from training.fitting.stopwatch import Stopwatch


def follow(*, terminal: bool) -> str:
    out = io.StringIO()
    with following(Console(file=out, force_terminal=terminal, width=100)) as audience:
        watch = Stopwatch(audience)
        watch.begin("search")
        watch.audience.says("round 1 of 2: 9 candidates on 400 rows [of many]")
        watch.lap("search")
    return out.getvalue()


def test_without_a_terminal_every_step_is_a_line_of_its_own() -> None:
    first, second = follow(terminal=False).splitlines()
    assert first.strip() == "round 1 of 2: 9 candidates on 400 rows [of many]"
    assert second.startswith("done        search")
    assert second.endswith(" s")


def test_a_terminal_shows_what_goes_on_and_keeps_what_is_done() -> None:
    shown = follow(terminal=True)
    assert "search: round 1 of 2" in shown
    assert "done" in shown
