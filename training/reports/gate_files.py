"""A version's gate report as the registry keeps it: files among the version's, and tags to search by."""

from __future__ import annotations

from collections.abc import Sequence

from training.gate import GateReport, Override, decode_gate_report, encode_gate_report
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
