"""The processes that explain and those that ask a model, found as an operator would find them."""

from __future__ import annotations

from pathlib import Path


def explainers_of(pid: int) -> list[int]:
    """Process ids of the explaining processes that a process has now, zombies left out."""
    return _running(pid, b"api.explaining.worker")


def provers_of(pid: int) -> list[int]:
    """Likewise of the processes that ask a model whether its compiled form is right."""
    return _running(pid, b"api.models.proving")


def _running(pid: int, module: bytes) -> list[int]:
    children = [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in _children(task)]
    return sorted(child for child in children if module in _command(child))


def _children(task: Path) -> list[str]:
    try:
        return (task / "children").read_text().split()
    except FileNotFoundError:  # a thread that has ended since; its children are another one's now, and looked for again
        return []


def _command(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def environment_of(pid: int) -> bytes:
    """What the process was given."""
    return Path(f"/proc/{pid}/environ").read_bytes()
