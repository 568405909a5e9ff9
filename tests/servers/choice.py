"""Which servers the tests get, and the line that says so.

``TIDEMARK_TEST_SERVERS`` is `auto` (default: containers where a Docker engine answers and has the images or can pull
them, else the local stack), `docker` or `local`. Where the chosen one cannot be had the tests fail; they never skip.
"""

import functools
import os
import re
from dataclasses import dataclass

from tests.servers.verbs import NoServers, Source

VARIABLE = "TIDEMARK_TEST_SERVERS"


@dataclass(frozen=True)
class Engine:
    """What is known of the Docker engine. `problem` is empty when it can be used."""

    version: str = ""
    problem: str = ""
    reaper: bool = False


@dataclass(frozen=True)
class Choice:
    source: Source | None
    line: str

    def require(self) -> Source:
        if self.source is None:
            raise NoServers(self.line)
        return self.source


@functools.cache
def engine() -> Engine:
    """Asks the engine once: its version, and the images that the tests need (pulled when they are missing)."""
    import docker
    from docker.errors import DockerException
    from testcontainers.core.config import testcontainers_config

    from tests.servers.from_docker import KAFKA_IMAGE, REDIS_IMAGE

    try:
        client = docker.from_env(timeout=10)
        version = client.version()["Version"]
    except DockerException:
        return Engine(problem="no Docker engine answers")
    short = ".".join(re.findall(r"\d+", version)[:2])
    missing = [image for image in (KAFKA_IMAGE, REDIS_IMAGE) if not _have(client, image)]
    if missing:
        return Engine(short, f"Docker {short} answers, but has not and cannot pull {' and '.join(missing)}")
    return Engine(short, reaper=_have(client, testcontainers_config.ryuk_image))


def _have(client, image: str) -> bool:
    from docker.errors import DockerException, ImageNotFound

    try:
        client.images.get(image)
    except ImageNotFound:
        try:
            client.images.pull(*image.rsplit(":", 1))
        except DockerException:
            return False
    return True


@functools.cache
def chosen() -> Choice:
    return choose(os.environ.get(VARIABLE, "auto"), engine)


def choose(wish: str, ask_engine) -> Choice:
    """Decide. The engine is asked only where the answer matters."""
    from tests.servers.from_docker import DockerSource
    from tests.servers.from_stack import StackSource

    if wish == "local":
        return Choice(StackSource(), f"local stack ({VARIABLE}=local)")
    if wish not in ("auto", "docker"):
        return Choice(None, f"none: {VARIABLE}={wish!r} is not one of auto, docker, local")
    found = ask_engine()
    if not found.problem:
        return Choice(DockerSource(found.reaper), f"testcontainers (Docker {found.version})")
    if wish == "docker":
        return Choice(None, f"none: {VARIABLE}=docker, but {found.problem}; start one, or set it to local")
    return Choice(StackSource(), f"local stack ({found.problem})")


def why_no_containers() -> str:
    """Why tests that need a Docker engine cannot run here; empty when they can, or must fail."""
    wish = os.environ.get(VARIABLE, "auto")
    if wish == "local":
        return f"{VARIABLE}=local"
    return "" if wish == "docker" else engine().problem
