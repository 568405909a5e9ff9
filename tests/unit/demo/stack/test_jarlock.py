import doctest
from pathlib import Path

import pytest

from demo.stack import jarlock
from demo.stack.errors import LockFileInvalid
from demo.stack.jarlock import Jar, parse, render
from demo.stack.jars import LOCK_FILE, locked_jars

A_JAR = Jar("org.lz4", "lz4-java", "1.8.0", "ab" * 32)


def test_what_is_written_is_what_is_read() -> None:
    other = Jar("com.github.luben", "zstd-jni", "1.5.6-10", "cd" * 32)
    assert parse(render([A_JAR, other])) == (other, A_JAR)  # sorted, so that a new lock differs only where the jars do


@pytest.mark.parametrize(
    "line",
    [
        "org.lz4:lz4-java sha256:" + "ab" * 32,
        "org.lz4:lz4-java:1.8.0 sha256:" + "ab" * 31,
        "org.lz4:lz4-java:1.8.0 sha1:" + "ab" * 32,
        "org.lz4:lz4-java:1.8.0",
        "../../etc:lz4-java/..:1.8.0 sha256:" + "ab" * 32,
        "<<<<<<< HEAD",
    ],
)
def test_a_damaged_line_is_named(line: str) -> None:
    with pytest.raises(LockFileInvalid, match=r"kafka-jars\.lock, line 3"):
        parse(f"# a comment\n\n{line}\n")


def test_a_lock_without_jars_is_refused() -> None:
    with pytest.raises(LockFileInvalid, match="lists no jars"):
        parse("# nothing but a comment\n")


def test_the_lock_of_the_repository_has_the_broker_its_log_backend_and_no_address() -> None:
    names = {jar.coordinate for jar in locked_jars()}
    assert "org.apache.kafka:kafka_2.13:4.1.0" in names
    assert any(":log4j-slf4j-impl:" in name for name in names)
    assert len(names) == len(locked_jars())
    assert "://" not in LOCK_FILE.read_text()
    assert LOCK_FILE.read_text() == render(locked_jars())


def test_the_example_in_the_documentation_holds() -> None:
    result = doctest.testmod(jarlock)
    assert result.attempted == 1
    assert result.failed == 0


def test_a_jar_lies_where_maven_repositories_keep_it() -> None:
    assert Path(A_JAR.path) == Path("org/lz4/lz4-java/1.8.0/lz4-java-1.8.0.jar")
