"""The docs are true: their links lead somewhere, their commands exist, the glossary has the words of the code."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from contracts.alerts import Severity, Transition
from contracts.events import Role
from contracts.reports import Finding
from contracts.topics import TOPICS
from stream_app.drift.metrics import METRICS

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)[^)]*\)")
COMMAND = re.compile(r"python -m (demo|api|stream_app|training|bench)((?: [a-z]+)?)")
WORDS = (
    (
        "baseline reference current window|tumbling window|event time|watermark|allowed lateness|idle partition|"
        "partial aggregate|late event|dead letter|outbox|sink|mirror|champion|challenger|shadow|canary|gate|promote|"
        "roll back|PSI|KS|severity|incident|page|alarm|horizon|heartbeat|atom|sentinel|tombstone|zombie|gap|repeat"
    )
    .replace("baseline reference ", "baseline|reference|")
    .split("|")
)


def glossary() -> str:
    return (ROOT / "docs" / "glossary.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_inside_the_repository_lead_somewhere(page: Path) -> None:
    targets = [target for target in LINK.findall(page.read_text()) if "://" not in target]
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert not missing


def test_files_named_in_the_docs_exist() -> None:
    named = re.findall(r"`((?:api|stream_app|training|contracts|demo|bench)/[\w/]+\.py)", read_all())
    assert named
    assert not [name for name in named if not (ROOT / name).exists()]


def lines_of(file: str, name: str) -> int:
    """Length of a function, a class or a method `Class.method`."""
    body: list[ast.stmt] = ast.parse((ROOT / file).read_text()).body
    node: ast.stmt | None = None
    for part in name.split("."):
        node = next(n for n in body if getattr(n, "name", None) == part)
        body = getattr(node, "body", [])
    assert node is not None
    assert node.end_lineno is not None
    return node.end_lineno - node.lineno + 1


def test_one_event_can_be_followed_from_http_to_alert_in_under_a_thousand_lines() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    path = re.findall(r"`([\w/]+\.py): ([\w.]+)`", page)
    assert len(path) > 20
    assert sum(lines_of(file, name) for file, name in path) < 1000


def read_all() -> str:
    return "\n".join(page.read_text() for page in PAGES)


def test_every_command_of_the_docs_exists() -> None:
    wanted = {(package, command.strip()) for package, command in COMMAND.findall(read_all()) if command.strip()}
    assert wanted
    unknown = []
    for package in sorted({package for package, _ in wanted}):
        shown = subprocess.run(
            [sys.executable, "-m", package, "--help"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
        unknown += [
            (package, command)
            for asked, command in wanted
            if asked == package and not re.search(rf"\b{command}\b", shown)
        ]
    assert not unknown


def test_every_make_target_of_the_docs_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z-]+)", read_all()))
    assert named
    assert named <= targets


@pytest.mark.parametrize("term", WORDS)
def test_the_glossary_has_the_terms_of_the_field_that_the_code_uses(term: str) -> None:
    assert re.search(rf"^\|[^|]*\b{re.escape(term)}\b[^|]*\|", glossary(), re.MULTILINE)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_the_glossary_has_every_metric(metric: object) -> None:
    assert re.search(rf"^\| {re.escape(metric.name)} \|", glossary(), re.MULTILINE)  # type: ignore[attr-defined]


def test_the_glossary_has_every_word_of_the_contracts() -> None:
    text = glossary()
    words = [*get_args(Finding), *get_args(Transition), *get_args(Severity), *get_args(Role)]
    assert not [word for word in words if f"`{word}`" not in text]


def test_the_contracts_page_has_every_topic() -> None:
    page = (ROOT / "docs" / "contracts.md").read_text()
    assert not [topic.name for topic in TOPICS if f"`{topic.name}`" not in page]
