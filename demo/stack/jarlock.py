"""PURE: the lock file of the Kafka jars, one line for each: Maven coordinate and SHA-256.

>>> parse("org.lz4:lz4-java:1.8.0 sha256:" + 64 * "a")[0].path
'org/lz4/lz4-java/1.8.0/lz4-java-1.8.0.jar'
"""

import re
from collections.abc import Iterable

import msgspec

from demo.stack.errors import LockFileInvalid

_LINE = re.compile(r"([\w.-]+):([\w.-]+):([\w.-]+) sha256:([0-9a-f]{64})")
_HEADER = """\
# The jars of the Apache Kafka broker of the local stack: Maven coordinate and SHA-256, checked at every start.
# Written by: python -m demo.stack.relock
"""


class Jar(msgspec.Struct, frozen=True):
    group: str
    name: str
    version: str
    sha256: str

    @property
    def coordinate(self) -> str:
        return f"{self.group}:{self.name}:{self.version}"

    @property
    def filename(self) -> str:
        return f"{self.name}-{self.version}.jar"

    @property
    def path(self) -> str:
        """Where every Maven repository keeps it, relative to the repository's root."""
        return f"{self.group.replace('.', '/')}/{self.name}/{self.version}/{self.filename}"


def parse(text: str) -> tuple[Jar, ...]:
    """Raises LockFileInvalid with the line's number."""
    jars = []
    lines = text.splitlines()
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise LockFileInvalid(number, "expected GROUP:NAME:VERSION sha256:DIGEST")
        jars.append(Jar(*match.groups()))
    if not jars:
        raise LockFileInvalid(len(lines), "it lists no jars")
    return tuple(jars)


def render(jars: Iterable[Jar]) -> str:
    return _HEADER + "".join(
        f"{jar.coordinate} sha256:{jar.sha256}\n" for jar in sorted(jars, key=lambda jar: jar.coordinate)
    )
