"""The local copies of several processes that share a folder: each has one that stays, whoever comes first."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.errors import ModelRefused
from api.models.fetched import locked
from api.models.registry import Registry
from api.models.store import ModelStore
from contracts.model_files import BASELINE_FILE, COMPILED_FILE
from tests.builders import a_baseline
from tests.waiting import eventually

REGISTRY = "sqlite:///nowhere.db"
ROOT = Path(__file__).parents[4]
WORKER = """
import sys
from pathlib import Path
from api.models.registry import Registry
from api.models.store import ModelStore
from contracts.model_files import BASELINE_FILE, COMPILED_FILE

class Copied(Registry):
    def download(self, version, folder):
        (folder / BASELINE_FILE).write_bytes(Path(sys.argv[2]).read_bytes())
        (folder / COMPILED_FILE).write_bytes(b"")
        return folder

store = ModelStore("sqlite:///nowhere.db", "flights", "champion", Path(sys.argv[1]))
store._registry = Copied("sqlite:///nowhere.db", "flights", "champion")
for line in sys.stdin:
    what, version = line.split()
    if what == "load":
        model = store.load(version)
        print("loaded", flush=True)
    else:
        print(store.keep(model), flush=True)
"""


class Worker:
    """A process with a ModelStore, whose registry copies a file."""

    def __init__(self, cache: Path, baseline: Path) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-c", WORKER, str(cache), str(baseline)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self.pid = self._child.pid

    def tell(self, what: str) -> None:
        assert self._child.stdin is not None
        self._child.stdin.write(f"{what} 1\n")
        self._child.stdin.flush()

    def said(self) -> str:
        assert self._child.stdout is not None
        return self._child.stdout.readline().strip()

    def waits(self) -> bool:
        """Whether it waits for a lock on a file."""
        locks = Path("/proc/locks").read_text().splitlines()
        return any("->" in lock and f" {self.pid} " in lock for lock in locks)

    def end(self) -> None:
        self._child.communicate(timeout=60)


def folders(cache: Path) -> list[str]:
    return [str(entry) for entry in (cache / "flights").iterdir() if entry.is_dir()]


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    (tmp_path / "cache" / "flights").mkdir(parents=True)
    return tmp_path / "cache"


@pytest.fixture
def workers(tmp_path: Path, cache: Path) -> Iterator[list[Worker]]:
    file = tmp_path / BASELINE_FILE
    file.write_bytes(a_baseline().to_bytes())
    made = [Worker(cache, file) for _ in range(2)]
    yield made
    for worker in made:
        worker.end()


async def test_two_processes_that_take_a_version_at_once_have_one_copy_which_stays(
    cache: Path, workers: list[Worker]
) -> None:
    """Both have fetched it, and both are at keep() before either is through."""
    for worker in workers:
        worker.tell("load")
    assert [worker.said() for worker in workers] == ["loaded", "loaded"]

    with locked(cache / "flights"):
        for worker in workers:
            worker.tell("keep")
        await eventually(lambda: all(worker.waits() for worker in workers), 60, "two that wait for the folder")
    one, other = [worker.said() for worker in workers]

    assert one == other
    assert folders(cache) == [one]
    assert list((cache / "flights").glob(f"*/{BASELINE_FILE}")) == [Path(one, BASELINE_FILE)]


async def test_what_one_begins_to_fetch_is_not_swept_away_by_another_before_it_is_held(
    cache: Path, workers: list[Worker]
) -> None:
    with locked(cache / "flights"):
        for worker in workers:
            worker.tell("load")
        await eventually(lambda: all(worker.waits() for worker in workers), 60, "two that wait for the folder")
        assert folders(cache) == []

    assert [worker.said() for worker in workers] == ["loaded", "loaded"]
    assert len(folders(cache)) == 2


class OneFile(Registry):
    """Whatever is fetched is a baseline and an empty compiled form."""

    def download(self, version: str, folder: Path) -> Path:
        (folder / BASELINE_FILE).write_bytes(a_baseline(version=version).to_bytes())
        (folder / COMPILED_FILE).write_bytes(b"")
        return folder


def a_store(cache: Path, alias: str) -> ModelStore:
    store = ModelStore(REGISTRY, "flights", alias, cache)
    store._registry = OneFile(REGISTRY, "flights", alias)
    return store


def test_an_alias_never_gets_the_local_copy_of_another(cache: Path) -> None:
    champion = a_store(cache, "champion")
    champion.keep(champion.load("1"))

    with pytest.raises(ModelRefused, match=r"no nope\.json"):
        a_store(cache, "nope").load_cached()

    challenger = a_store(cache, "challenger")
    challenger.keep(challenger.load("2"))

    assert a_store(cache, "champion").load_cached().version == "1"
    assert a_store(cache, "challenger").load_cached().version == "2"


def test_an_alias_keeps_its_copy_inside_of_the_folder_whatever_it_is_called(cache: Path) -> None:
    odd = a_store(cache, "../../odd")
    odd.keep(odd.load("1"))

    assert [file.name for file in (cache / "flights").glob("*.json")] == ["..%2F..%2Fodd.json"]
    assert a_store(cache, "../../odd").load_cached().version == "1"
