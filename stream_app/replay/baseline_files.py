"""Baselines given as files: --baseline [MODEL/VERSION=]FILE."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from contracts.baseline import Baseline
from contracts.errors import InvalidBaseline
from stream_app.errors import ReplayError
from stream_app.windowing.typed import Version


def read_baselines(texts: Iterable[str]) -> dict[Version, Baseline]:
    """By the version they are for: that before the "=", else their own. Raises ReplayError.

    A baseline that is to stand for another version takes that one's name, so its reports name the events' version.
    """
    found: dict[Version, Baseline] = {}
    for text in texts:
        name, equals, file = text.rpartition("=")
        path = Path(file)
        if equals and not path.exists() and Path(text).exists():  # a file with "=" in its name
            name, path = "", Path(text)
        baseline = _read(path)
        if name:
            model, slash, version = name.rpartition("/")
            if not (model and slash and version):
                raise ReplayError(f"--baseline {text}: {name!r} is not MODEL/VERSION, such as flights/3=baseline.json")
            baseline = msgspec.structs.replace(baseline, model=model, version=version)
        key = baseline.model, baseline.version
        if key in found:
            raise ReplayError(f"--baseline {text}: {baseline.key} has one already; give one for each version")
        found[key] = baseline
    return found


def _read(path: Path) -> Baseline:
    try:
        return Baseline.from_bytes(path.read_bytes())
    except OSError as error:
        raise ReplayError(f"--baseline {path}: cannot be read: {error.strerror or error}") from error
    except InvalidBaseline as error:
        raise ReplayError(
            f"--baseline {path}: {error}; training writes one beside each model: baseline.json"
        ) from error
