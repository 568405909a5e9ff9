"""The jar cache without a network: downloads go to a Maven repository on the loopback, a mirror in jgo's settings."""

import hashlib
import http.server
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from demo.stack.errors import ChecksumMismatch, DirectoryUnusable, DownloadFailed
from demo.stack.jarlock import Jar
from demo.stack.jars import cache_directory, fetch, repositories, sha256

CONTENT = b"pretend this is bytecode"
DIGEST = hashlib.sha256(CONTENT).hexdigest()
JARS = tuple(Jar("org.example", f"part-{n}", "1.0", DIGEST) for n in range(12))


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Call it with a port: the user's jgo settings then name a mirror there."""

    def write(port: int) -> None:
        file = tmp_path / "jgo.conf"
        file.write_text(f"[repositories]\ncentral = http://127.0.0.1:{port}\n")
        monkeypatch.setenv("JGO_CONFIG_FILE", str(file))
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    return write


@pytest.fixture
def mirror(tmp_path: Path, settings: Callable[[int], None]) -> Iterator[Path]:
    root = tmp_path / "mirror"
    for jar in JARS:
        (root / jar.path).parent.mkdir(parents=True)
        (root / jar.path).write_bytes(CONTENT)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(root))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        settings(server.server_port)
        yield root
        server.shutdown()
        thread.join()


def test_missing_jars_are_fetched_and_come_in_the_order_asked_for(mirror: Path, tmp_path: Path) -> None:
    files = fetch(JARS, tmp_path / "cache", retry_seconds=0.01)
    assert [file.name for file in files] == [jar.filename for jar in JARS]
    assert {sha256(file) for file in files} == {DIGEST}
    assert not (tmp_path / "cache" / ".incoming").exists()


def test_a_damaged_file_in_the_cache_is_fetched_again_and_the_others_are_left_alone(
    mirror: Path, tmp_path: Path
) -> None:
    files = fetch(JARS, tmp_path / "cache", retry_seconds=0.01)
    written = files[1].stat().st_mtime_ns
    files[0].write_bytes(CONTENT[:5])
    assert sha256(fetch(JARS, tmp_path / "cache", retry_seconds=0.01)[0]) == DIGEST
    assert files[1].stat().st_mtime_ns == written


def test_a_jar_with_another_content_is_refused_by_name_and_not_kept(mirror: Path, tmp_path: Path) -> None:
    (mirror / JARS[3].path).write_bytes(b"something else")
    with pytest.raises(ChecksumMismatch, match=r"org\.example:part-3:1\.0"):
        fetch(JARS, tmp_path / "cache", retry_seconds=0.01)
    assert not (tmp_path / "cache" / JARS[3].path).exists()


def test_a_jar_that_the_repository_does_not_have_is_named(mirror: Path, tmp_path: Path) -> None:
    (mirror / JARS[5].path).unlink()
    with pytest.raises(DownloadFailed, match=r"org\.example:part-5:1\.0.*HTTPS_PROXY"):
        fetch(JARS, tmp_path / "cache", retry_seconds=0.01)


def test_without_a_network_the_error_says_what_to_check(
    tmp_path: Path, settings: Callable[[int], None], unused_tcp_port: int
) -> None:
    settings(unused_tcp_port)
    with pytest.raises(DownloadFailed, match=r"refused.*check the network"):
        fetch(JARS[:1], tmp_path / "cache", retry_seconds=0.01)


def test_a_certificate_file_that_does_not_exist_is_a_failed_download_and_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "jgo.conf").write_text("[repositories]\ncentral = https://127.0.0.1:1\n")
    monkeypatch.setenv("JGO_CONFIG_FILE", str(tmp_path / "jgo.conf"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "gone.pem"))
    with pytest.raises(DownloadFailed, match=r"gone\.pem.*REQUESTS_CA_BUNDLE"):
        fetch(JARS[:1], tmp_path / "cache", retry_seconds=0.01)


def test_a_full_cache_needs_no_network(mirror: Path, tmp_path: Path, settings: Callable[[int], None]) -> None:
    fetch(JARS, tmp_path / "cache", retry_seconds=0.01)
    settings(1)
    assert len(fetch(JARS, tmp_path / "cache", retry_seconds=0.01)) == len(JARS)


def test_a_cache_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(DirectoryUnusable, match="file/cache"):
        fetch(JARS, tmp_path / "file" / "cache")


def test_the_cache_is_the_users_and_can_be_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_directory() == tmp_path / "tidemark" / "jars"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_directory() == tmp_path / "home" / ".cache" / "tidemark" / "jars"


def test_a_mirror_of_the_user_comes_first_and_may_replace_the_central_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "jgo.conf"
    monkeypatch.setenv("JGO_CONFIG_FILE", str(file))
    file.write_text("[repositories]\nhouse = http://127.0.0.1:1\n")
    assert list(repositories()) == ["house", "central"]
    file.write_text("[repositories]\ncentral = http://127.0.0.1:1\n")
    assert repositories() == {"central": "http://127.0.0.1:1"}
