"""A registry, its files and two topics in memory, which note what is done, and are away at a step of your choice."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from contracts.baseline import Baseline
from contracts.compiled import Compiled
from contracts.model_events import ModelEvent
from contracts.model_files import BASELINE_FILE
from training.errors import PublishError, RegistryError
from training.registry.records import Run, Version

_TOPICS = ("check", "publish", "event")
_TAGGED = re.compile(r"name='[^']*' and tags\.(\w+)='([^']*)'")


class Notebook:
    """What training has of MLflow and of Kafka. away: the step that is refused, "" for none. runs: of each version, in
    order. files: of the versions, (model id, path) -> bytes.
    """

    def __init__(self, away: str = "") -> None:
        self.away, self.done = away, list[str]()
        self.bootstrap = self.topic = self.tracking_uri = "here"
        self.topic_prefix = ""
        self.aliases: dict[str, str] = {}
        self.runs: list[Run] = []
        self.files: dict[tuple[str, str], bytes] = {}
        self.events: list[ModelEvent] = []

    def open(self, *, to_register: bool = False) -> None:
        self._do("open")

    def check(self) -> None:
        self._do("check")

    def log_version(self, model: str, run: Run) -> Version:
        self._do("log_version")
        self.runs.append(run)
        return self.find(model, str(len(self.runs)))

    def attach_baseline(self, version: Version, baseline: Baseline) -> None:
        self._do("attach_baseline")
        self.files[version.model_id, BASELINE_FILE] = baseline.to_bytes()

    def attach_compiled(self, version: Version, compiled: Compiled) -> None:
        self._do("attach_compiled")

    def publish(self, baseline: Baseline) -> None:
        self._do("publish")

    def write(self, event: ModelEvent) -> None:
        self._do("event")
        self.events.append(event)

    def set_alias(self, version: Version, alias: str) -> None:
        self._do(f"alias {alias}")
        self.aliases[alias] = version.version

    def find(self, model: str, version: str) -> Version:
        return Version(model, version, f"m-{version}")

    def download(self, version: Version, path: str) -> bytes:
        return self.files[version.model_id, path]

    # as training.registry.registered asks it
    @property
    def client(self) -> Notebook:
        return self

    def errors(self, said: str) -> AbstractContextManager[None]:
        return nullcontext()

    def or_none(self, ask: Callable[[], Any]) -> Any:
        return ask()

    def get_registered_model(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(aliases=self.aliases, tags={})

    def get_model_version(self, model: str, version: str) -> SimpleNamespace:
        return SimpleNamespace(version=version, tags=self.runs[int(version) - 1].tags)

    def search_model_versions(self, wanted: str) -> list[SimpleNamespace]:
        found = _TAGGED.fullmatch(wanted)
        assert found is not None, wanted
        every = [self.get_model_version("", str(number + 1)) for number in range(len(self.runs))]
        return [one for one in every if one.tags.get(found[1]) == found[2]]

    def log_model_artifacts(self, model_id: str, folder: str) -> None:
        files = {str(file.relative_to(folder)): file for file in sorted(Path(folder).rglob("*")) if file.is_file()}
        self._do(f"attach {', '.join(files)}")
        self.files |= {(model_id, name): file.read_bytes() for name, file in files.items()}

    def list_logged_model_artifacts(self, model_id: str, folder: str | None) -> list[SimpleNamespace]:
        return [SimpleNamespace(path=path) for owner, path in self.files if owner == model_id]

    def _do(self, step: str) -> None:
        if step == self.away:
            raise PublishError(step) if step in _TOPICS else RegistryError(step)
        self.done.append(step)
