"""Java's classes kept from one start to the next, with the real Java and the broker's own jars."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from demo.stack.class_archive import ClassArchive
from demo.stack.kafka import java, prefetch

PROGRAM = ("kafka.tools.StorageTool", "random-uuid")


@pytest.fixture
def archive(tmp_path: Path) -> ClassArchive:
    return of(tmp_path / "cache", os.pathsep.join(map(str, prefetch())))


def of(cache: Path, classpath: str) -> ClassArchive:
    return ClassArchive(java(), ("-XX:+UseSerialGC",), classpath, cache)


def run(archive: ClassArchive, *options: str) -> str:
    """What the program printed, which is one line unless Java is asked for more."""
    command = [str(archive.java), *archive.flags, *options, "-cp", archive.classpath, *PROGRAM]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def left_by_a_start(archive: ClassArchive, folder: Path) -> list[str]:
    file = folder / "classes.jsa"
    assert len(run(archive, *archive.writing(file)).splitlines()) == 1
    archive.keep(file)
    return archive.options()


def test_a_start_loads_the_classes_that_an_orderly_end_left(archive: ClassArchive, tmp_path: Path) -> None:
    assert archive.options() == []
    options = left_by_a_start(archive, tmp_path)
    assert archive.writing(tmp_path / "another") == options
    assert len(run(archive, *options).splitlines()) == 1
    loaded = run(archive, *options, "-Xlog:class+load").splitlines()
    ours = [line for line in loaded if " kafka.tools.StorageTool source:" in line]
    assert ours
    assert ours[0].endswith("shared objects file (top)")


def test_an_archive_that_is_damaged_or_of_other_jars_changes_nothing(archive: ClassArchive, tmp_path: Path) -> None:
    options = left_by_a_start(archive, tmp_path)
    assert of(archive.cache, archive.classpath + os.pathsep + "other.jar").options() == []
    (top,) = archive.cache.glob("*/top.jsa")
    top.unlink()
    top.write_bytes(b"\0" * 10_000)
    assert len(run(archive, *options).splitlines()) == 1


def test_where_nothing_can_be_kept_java_starts_without(archive: ClassArchive, tmp_path: Path) -> None:
    archive.cache.write_text("a file where the folder should be")
    assert archive.writing(tmp_path / "classes.jsa") == []


def test_an_end_that_wrote_nothing_leaves_no_archive(archive: ClassArchive, tmp_path: Path) -> None:
    archive.keep(tmp_path / "classes.jsa")
    assert archive.options() == []


def test_those_of_the_last_three_are_kept(tmp_path: Path) -> None:
    for number in range(5):
        one = of(tmp_path / "cache", f"{number}.jar")
        written = tmp_path / "classes.jsa"
        one.writing(written)
        written.write_bytes(b"classes")
        one.keep(written)
    assert [bool(of(tmp_path / "cache", f"{number}.jar").options()) for number in range(5)] == [False] * 2 + [True] * 3
