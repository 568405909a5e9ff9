"""Files of the gates: their thresholds, and a version's report in the registry and in a folder of the user's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from training.errors import DataError, SettingsError
from training.gate import GateReport, Override, decode_gate_report, encode_gate_report
from training.gates.rules import Rules, read_rules
from training.registry.records import Version
from training.registry.registered import Registered
from training.reports.gate_words import gate_markdown

FOLDER = "gate"
JSON_FILE, MARKDOWN_FILE = f"{FOLDER}/report.json", f"{FOLDER}/report.md"
GATE_TAG = "tidemark.gate"
"""Of a version: passed, failed or overridden, as its newest report says."""
OVERRIDE_TAG = "tidemark.override"
"""Begin of the tags that record overrides; one for each, named by gate and moment, so none replaces another."""


def keep_report(registered: Registered, version: Version, report: GateReport, made: Sequence[Override]) -> None:
    """Overrides first: whatever fails later, they are on record. made: those that are new. Raises RegistryError."""
    record_overrides(registered, version, made)
    files = {"report.json": encode_gate_report(report), "report.md": gate_markdown(report).encode()}
    registered.attach(version, FOLDER, files)
    registered.set_tags(version, {GATE_TAG: report.status})


def record_overrides(registered: Registered, version: Version, made: Sequence[Override]) -> None:
    """As tags of the version. Raises RegistryError."""
    tags = {f"{OVERRIDE_TAG}.{one.gate}.{one.at:%Y%m%dT%H%M%S%f}": f"{one.by}: {one.reason}" for one in made}
    registered.set_tags(version, tags)


def kept_report(registered: Registered, version: Version) -> GateReport | None:
    """The newest report of a version, None where it has none. Raises RegistryError and InvalidMessage."""
    data = registered.fetch(version, JSON_FILE)
    return None if data is None else decode_gate_report(data)


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


def rules_from(asked: Path | None, usual: Path) -> Rules:
    """Of the file that was asked for, else of the usual one, else the built-in ones. Raises SettingsError."""
    file = asked or usual
    if asked is None and not file.is_file():
        return Rules()
    try:
        return read_rules(file.read_bytes(), str(file))
    except OSError as error:
        raise SettingsError(f"--rules {file}: cannot be read: {error.strerror}") from error
