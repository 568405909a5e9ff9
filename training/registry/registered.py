"""What is registered of a model: its aliases, its tags, and the files and tags of its versions.

Training makes versions (training.registry.store); gates, promotion and rollouts read and mark those that there are.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from contracts.baseline import Baseline
from contracts.errors import InvalidMessage
from contracts.model_files import BASELINE_FILE
from contracts.registry_address import shown
from contracts.rollout import ROLLOUT_TAG, Rollout, decode_rollout
from training.errors import RegistryError
from training.registry.records import Version
from training.registry.store import Registry

CHAMPION, CHALLENGER = "champion", "challenger"


class Marks(msgspec.Struct, frozen=True):
    """aliases: name -> version. tags: of the model, such as its rollout."""

    aliases: dict[str, str]
    tags: dict[str, str]

    @property
    def champion(self) -> str | None:
        """The version that answers, None where there is none."""
        return self.aliases.get(CHAMPION)

    @property
    def rollout(self) -> Rollout | None:
        """What is on its way, None for nothing. Raises InvalidMessage."""
        try:
            return decode_rollout(self.tags.get(ROLLOUT_TAG))
        except InvalidMessage as error:
            mend = "`python -m training rollout VERSION --end --reason TEXT` takes it away"
            raise InvalidMessage(f"{error}; {mend}") from error


class Registered:
    """One registered model, in an opened registry. Every method raises RegistryError."""

    def __init__(self, registry: Registry, model: str) -> None:
        self.registry, self.model = registry, model

    @property
    def where(self) -> str:
        """The registry's address, for people."""
        return shown(self.registry.tracking_uri)

    def marks(self) -> Marks:
        """Aliases and tags, as they are now."""
        with self.registry.errors(f"cannot be asked for the aliases of {self.model}"):
            found = self.registry.or_none(lambda: self.registry.client.get_registered_model(self.model))
        if found is None:
            raise RegistryError(
                f"MLflow at {self.where} has no model {self.model!r}: give --model its name, or train it"
            )
        return _marks(found)

    def champion(self) -> str | None:
        """The version that answers; None where there is none, or no model of this name yet."""
        with self.registry.errors(f"cannot be asked for the champion of {self.model}"):
            found = self.registry.or_none(lambda: self.registry.client.get_registered_model(self.model))
        return None if found is None else _marks(found).champion

    def has(self, version: str) -> bool:
        """Whether this version is there and not deleted."""
        with self.registry.errors(f"cannot look up {self.model}/{version}"):
            ask = self.registry.client.get_model_version
            return self.registry.or_none(lambda: ask(self.model, version)) is not None

    def versions(self) -> list[str]:
        """Those that are there, rising."""
        with self.registry.errors(f"cannot list the versions of {self.model}"):
            found = self.registry.client.search_model_versions(f"name='{self.model}'")
            return sorted((str(one.version) for one in found), key=int)

    def tagged(self, name: str, value: str) -> list[Version]:
        """Versions with this tag, the newest first."""
        with self.registry.errors(f"cannot list the versions of {self.model}"):
            wanted = f"name='{self.model}' and tags.{name}='{value}'"
            numbers = [str(one.version) for one in self.registry.client.search_model_versions(wanted)]
        return [self.registry.find(self.model, number) for number in sorted(numbers, key=int, reverse=True)]

    def find(self, name: str) -> Version:
        """The version of this number, or that an alias of this name points to."""
        aliases = self.marks().aliases
        version = aliases.get(name, name)
        if not self.has(version):
            points = f"the alias {name!r} of {self.model} points to version {version}, which is gone"
            lacks = f"{self.model} has no version {name!r}"
            raise RegistryError(
                f"MLflow at {self.where}: {points if name in aliases else lacks}: there are "
                f"{', '.join([*self.versions(), *sorted(aliases)]) or 'none'}"
            )
        return self.registry.find(self.model, version)

    def tags(self, version: Version) -> dict[str, str]:
        """The tags of a version."""
        with self.registry.errors(f"cannot be asked for the tags of {version.model}/{version.version}"):
            found = self.registry.client.get_model_version(version.model, version.version)
            return {str(name): str(value) for name, value in dict(found.tags).items()}

    def version_tags(self) -> dict[str, dict[str, str]]:
        """Number -> tags, of all versions."""
        with self.registry.errors(f"cannot list the versions of {self.model}"):
            found = self.registry.client.search_model_versions(f"name='{self.model}'")
            return {str(one.version): {str(k): str(v) for k, v in dict(one.tags).items()} for one in found}

    def set_tags(self, version: Version, tags: Mapping[str, str]) -> None:
        """Set tags of a version, in order."""
        with self.registry.errors(f"refused a tag of {version.model}/{version.version}"):
            for name, value in tags.items():
                self.registry.client.set_model_version_tag(version.model, version.version, name, value)

    def set_model_tag(self, name: str, value: str) -> None:
        """Set a tag of the model itself; "" stands for none."""
        with self.registry.errors(f"refused the tag {name!r} of {self.model}"):
            self.registry.client.set_registered_model_tag(self.model, name, value)

    def drop_alias(self, alias: str) -> None:
        """Take an alias away, where there is one."""
        with self.registry.errors(f"refused to drop the alias {alias!r}"):
            self.registry.client.delete_registered_model_alias(self.model, alias)

    def attach(self, version: Version, folder: str, files: Mapping[str, bytes]) -> None:
        """Put files into a folder among the version's; those of the same name are replaced."""
        with (
            self.registry.errors(f"refused {', '.join(files)} of {version.model}/{version.version}"),
            tempfile.TemporaryDirectory() as made,
        ):
            for name, content in files.items():
                file = Path(made, folder, name)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
            self.registry.client.log_model_artifacts(version.model_id, made)

    def fetch(self, version: Version, path: str) -> bytes | None:
        """A file among the version's, None where it has none of this name."""
        with self.registry.errors(f"cannot fetch {path} of {version.model}/{version.version}"):
            folder = str(Path(path).parent) if "/" in path else None
            listed = self.registry.client.list_logged_model_artifacts(version.model_id, folder)
            if all(file.path != path for file in listed):
                return None
            return self.registry.download(version, path)

    def baseline(self, version: Version) -> Baseline:
        """The version's baseline. Raises RegistryError where it has none, and InvalidBaseline."""
        data = self.fetch(version, BASELINE_FILE)
        if data is None:
            raise RegistryError(
                f"{version.model}/{version.version} has no {BASELINE_FILE}: `python -m training baseline --attach`"
            )
        return Baseline.from_bytes(data)


def _marks(found: Any) -> Marks:
    """Of what MLflow's client gives."""
    aliases = {str(alias): str(version) for alias, version in dict(found.aliases).items()}
    return Marks(aliases, {str(name): str(value) for name, value in dict(found.tags).items()})


def only_model(registry: Registry) -> str:
    """The registered model, where there is one alone. Raises RegistryError that lists them."""
    with registry.errors("cannot list its models"):
        names = sorted(str(one.name) for one in registry.client.search_registered_models())
    if len(names) != 1:
        there = f"has the models {', '.join(names)}: give --model one of them" if names else "has no model: train one"
        raise RegistryError(f"MLflow at {shown(registry.tracking_uri)} {there}")
    return names[0]
