"""Each import rule of pyproject.toml catches what it is there to catch: it is broken here, in a copy, on purpose."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("api", "bench", "contracts", "demo", "stream_app", "training")
BREAKS = {
    "independence": ("api/settings.py", "import training"),
    "contracts": ("contracts/topics.py", "import pandas"),
    "pure": ("stream_app/windowing/tumbling.py", "import time"),
    "faust": ("stream_app/settings.py", "import faust"),
    "mlflow": ("api/settings.py", "import mlflow"),
    "stream-layers": ("stream_app/settings.py", "import stream_app.app"),
    "api-layers": ("api/settings.py", "import api.main"),
    "training-layers": ("training/settings.py", "import training.loop"),
    "outermost": ("training/settings.py", "import demo"),
    "cycles": ("contracts/errors.py", "import contracts.alerts"),
}
CORE = (
    "contracts",
    "stream_app/windowing",
    "stream_app/labelling",
    "stream_app/drift",
    "stream_app/alerting/policy.py",
)
CLOCKS = {"now", "utcnow", "today", "time", "monotonic", "perf_counter"}


def rules() -> list[str]:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return [contract["id"] for contract in config["tool"]["importlinter"]["contracts"]]


def lint(tree: Path, rule: str) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).parent / "lint-imports", "--no-cache", "--contract", rule]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(tree)})


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("tree")
    shutil.copy(ROOT / "pyproject.toml", copy)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def test_every_rule_is_broken_here_once() -> None:
    assert sorted(rules()) == sorted(BREAKS)


@pytest.mark.parametrize("rule", BREAKS)
def test_a_rule_holds_and_catches_what_breaks_it(rule: str, tree: Path) -> None:
    held = lint(tree, rule)
    assert held.returncode == 0, held.stdout + held.stderr
    file, statement = BREAKS[rule]
    victim = tree / file
    whole = victim.read_text()
    victim.write_text(f"{whole}\n{statement}\n")
    try:
        broken = lint(tree, rule)
    finally:
        victim.write_text(whole)
    assert broken.returncode == 1
    assert "BROKEN" in broken.stdout


def test_the_core_asks_no_clock_in_ways_that_imports_do_not_show() -> None:
    files = [file for part in CORE for file in ([ROOT / part] if part.endswith(".py") else (ROOT / part).rglob("*.py"))]
    assert len(files) > 20
    asked = [
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CLOCKS
    ]
    assert not asked
