"""dvc.yaml and params.yaml: each stage names all that it needs, or DVC would skip one that has changed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from training.configuration.config import read_config

ROOT = Path(__file__).parents[3]
STAGES: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
PARAMS: dict[str, str] = yaml.safe_load((ROOT / "params.yaml").read_text())


def filled(text: str) -> str:
    for name, value in PARAMS.items():
        text = text.replace(f"${{{name}}}", value)
    assert "${" not in text, f"{text}: not in params.yaml"
    return text


def names(stage: str, field: str) -> list[str]:
    return [filled(one if isinstance(one, str) else next(iter(one))) for one in STAGES[stage].get(field, ())]


def imported() -> Iterator[str]:
    """Folders of this repository that training imports from: a package, or one of the stream's."""
    for file in (ROOT / "training").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module is not None:
                top, *rest = node.module.split(".")
                if (ROOT / top).is_dir():
                    yield f"{top}/{rest[0]}" if top == "stream_app" else top


def test_each_stage_needs_what_is_in_the_repository_or_made_before_it() -> None:
    assert list(STAGES) == ["data", "prepare", "train", "evaluate", "gate", "baseline"]
    made: set[str] = set()
    for stage in STAGES:
        for needed in names(stage, "deps"):
            assert needed in made or (ROOT / needed).exists(), f"{stage}: {needed}"
        for file in names(stage, "params"):
            assert (ROOT / file).is_file(), f"{stage}: {file}"
        made |= {*names(stage, "outs"), *names(stage, "metrics")}


def test_a_stage_of_training_depends_on_all_code_that_training_imports() -> None:
    code = set(imported())
    assert {"contracts", "training", "stream_app/drift", "stream_app/performance"} <= code
    for stage, said in STAGES.items():
        if "python -m training" in said["cmd"]:
            assert code <= set(names(stage, "deps")), stage


def test_a_stage_depends_on_the_files_and_parameters_that_its_command_names() -> None:
    for stage, said in STAGES.items():
        words = filled(said["cmd"]).split()
        depends = {*names(stage, "deps"), *names(stage, "params"), *names(stage, "outs")}
        for option in ("--config", "--rules", "--data"):
            if option in words:
                assert words[words.index(option) + 1] in depends, f"{stage}: {option}"


def test_the_pipelines_parameters_are_those_of_the_example() -> None:
    config = read_config(ROOT / PARAMS["config"])
    assert (PARAMS["model"], PARAMS["data"], PARAMS["rules"]) == (config.model, config.data, "gates.yaml")
