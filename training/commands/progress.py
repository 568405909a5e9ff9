"""Progress: a training as it goes on: one line that changes on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.status import Status

from training.fitting.stopwatch import Audience

_WIDTH = 44


class PlainLines:
    """A line when a step starts to say something, and one when it ends. print_line: takes each."""

    def __init__(self, print_line: Callable[[str], None]) -> None:
        self._print = print_line

    def begins(self, step: str) -> None:
        """Nothing: its end says all."""

    def says(self, detail: str) -> None:
        self._print(f"            {detail}")

    def ends(self, step: str, seconds: float) -> None:
        self._print(f"done        {step:{_WIDTH}} {seconds:6.1f} s")


class Terminal:
    """The running step with what it says, and above it the steps that are done."""

    def __init__(self, console: Console, status: Status) -> None:
        self._console, self._status, self._step = console, status, ""

    def begins(self, step: str) -> None:
        self._step = step
        self._status.update(step)

    def says(self, detail: str) -> None:
        self._status.update(f"{self._step}: {detail}")

    def ends(self, step: str, seconds: float) -> None:
        self._console.print(f"[green]done[/]        {step:{_WIDTH}} {seconds:6.1f} s", highlight=False)


@contextmanager
def following(console: Console) -> Iterator[Audience]:
    """An audience for one training: the console's terminal, or plain lines where it is none."""
    if not console.is_terminal:
        yield PlainLines(lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True))
        return
    with console.status("starting", spinner="dots") as status:
        yield Terminal(console, status)
