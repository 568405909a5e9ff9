"""A gate report as files of the user's own."""

from __future__ import annotations

from pathlib import Path

from training.errors import DataError
from training.gate import GateReport, encode_gate_report
from training.reports.gate_words import gate_markdown


def check_out(folder: Path | None) -> None:
    """Before the work. Raises DataError where no folder can be made of it."""
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"--out {folder}: cannot be made a folder: {error.strerror}") from error


def write_out(folder: Path | None, report: GateReport) -> list[str]:
    """The report as JSON and Markdown; a line that says where. Raises DataError."""
    if folder is None:
        return []
    try:
        (folder / "report.json").write_bytes(encode_gate_report(report))
        (folder / "report.md").write_text(gate_markdown(report), encoding="utf-8")
    except OSError as error:
        raise DataError(f"--out {folder}: cannot be written: {error.strerror}") from error
    return [f"written to {folder}: report.json, report.md"]
