"""docs/api.md is complete: every route, every word that a problem's type can end with, in its place."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from api.errors import Category
from api.http import problems

ROOT = Path(__file__).parents[2]
THE_FRAMEWORKS = {problems.PARAMETER, problems.why_status(404), problems.why_status(405)}
PAGE = (ROOT / "docs" / "api.md").read_text()


def words_of(section: str) -> dict[str, str]:
    """The words of the tables of a section, with their status."""
    rows = re.findall(r"^\| (`.*?) \| (\d{3}) \|", PAGE.split(f"## {section}\n")[1].split("\n## ")[0], re.MULTILINE)
    return {word: status for words, status in rows for word in re.findall(r"`([a-z0-9-]+)`", words)}


def test_every_word_of_a_problem_is_on_the_page_and_no_other() -> None:
    kinds = {kind.name: str(kind.status) for _, kind in problems._KINDS if kind.name}
    said = words_of("Refusals")
    assert set(said) == {*get_args(Category), *kinds, *THE_FRAMEWORKS, problems.UNEXPECTED}
    assert {name: said[name] for name in kinds} == kinds


def test_every_route_is_on_the_page() -> None:
    declared = set()
    for file in (ROOT / "api" / "http").glob("*.py"):
        declared |= set(re.findall(r'@router\.get\(\s*"([^"]+)"', file.read_text()))
        declared |= set(re.findall(r'^    path = "([^"]+)"', file.read_text(), re.MULTILINE))
    assert {"/predict", "/metrics"} <= declared
    assert set(re.findall(r"`(?:GET|POST) (/[^`]*)`", PAGE.split("## Requests")[0])) == declared
