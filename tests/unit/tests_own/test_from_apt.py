"""Where Debian's packages cannot be had, a test that needs one fails and says what to do."""

from pathlib import Path

import pytest

from tests.servers.from_apt import unpacked
from tests.servers.verbs import NoServers


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def tool(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o700)


def test_a_machine_without_apt_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoServers, match=r"some-server is not installed, and without apt-get and dpkg-deb .*install it"):
        unpacked("some-server")


def test_what_apt_says_is_passed_on_and_nothing_half_done_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool(tmp_path / "bin", "apt-get", 'echo "W: old" >&2; echo "E: no network" >&2; exit 100')
    tool(tmp_path / "bin", "dpkg-deb", "exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin:/usr/bin")
    with pytest.raises(NoServers, match="apt-get update fails, for Debian's package some-server: E: no network"):
        unpacked("some-server")
    assert [file.name for file in (tmp_path / "cache" / "tidemark" / "debian").iterdir()] == [".claim"]


def test_a_package_is_unpacked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool(tmp_path / "bin", "apt-get", f"echo x >> {tmp_path}/downloads; touch some-server.deb")
    tool(tmp_path / "bin", "dpkg-deb", 'mkdir -p "$3/usr/bin"; echo server > "$3/usr/bin/some-server"')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin:/usr/bin")
    for _ in range(2):
        assert (unpacked("some-server") / "usr/bin/some-server").read_text() == "server\n"
    assert (tmp_path / "downloads").read_text() == "x\n"
