"""One installation of compose/compose.yaml under a project name of its own."""

import json
import os
import random
import secrets
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from demo.stack.ports import choose_port

COMPOSE = Path(__file__).parents[2] / "compose"
# building all images from nothing takes some four minutes on two cores
_LIMIT_SECONDS = 1200


class Containers:
    """`settings` go into an env file, as a user would write them into compose/.env. files: of compose/, in order."""

    files: tuple[str, ...] = ("compose.yaml",)

    def __init__(self, directory: Path, settings: Mapping[str, str]) -> None:
        ports = random.SystemRandom()
        self.project = f"tidemark-test-{secrets.token_hex(3)}"
        self.api_port, self.kafka_port = choose_port(ports), choose_port(ports)
        own = {"TIDEMARK_API_PORT": str(self.api_port), "TIDEMARK_KAFKA_PORT": str(self.kafka_port)}
        self._env_file = directory / "settings.env"
        self._env_file.write_text("".join(f"{name}={value}\n" for name, value in {**own, **settings}.items()))

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.api_port}"

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.kafka_port}"

    def __call__(self, *arguments: str) -> str:
        """`docker compose ARGUMENTS`; returns what it printed. Raises AssertionError with its output when it fails."""
        status, output = self.attempt(*arguments)
        assert status == 0, f"docker compose {' '.join(arguments)} ended with status {status}:\n{output}"
        return output

    def attempt(self, *arguments: str, stdin: str = "") -> tuple[int, str]:
        """The same; returns the exit status and all output instead of raising. `stdin` is what it can read."""
        files = [word for name in self.files for word in ("-f", str(COMPOSE / name))]
        return self._run(["docker", "compose", *files, "--ansi", "never", "--progress", "plain", *arguments], stdin)

    def blue_green(self, *arguments: str) -> tuple[int, str]:
        """`compose/blue-green ARGUMENTS`; returns the exit status and all output."""
        return self._run([str(COMPOSE / "blue-green"), *arguments], TIDEMARK_WAIT_SECONDS="300")

    def _run(self, command: Sequence[str], stdin: str = "", **settings: str) -> tuple[int, str]:
        # only the env file decides: a setting in the shell would win over it
        shell = {name: value for name, value in os.environ.items() if not name.startswith(_SETTINGS)}
        done = subprocess.run(
            command,
            env=shell | {"COMPOSE_PROJECT_NAME": self.project, "COMPOSE_ENV_FILES": str(self._env_file)} | settings,
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_LIMIT_SECONDS,
        )
        return done.returncode, done.stdout

    def state(self) -> dict[str, dict[str, str]]:
        """Service -> what `docker compose ps` says of it (State, Health, ExitCode ...)."""
        lines = self("ps", "--all", "--format", "json").splitlines()
        return {entry["Service"]: entry for entry in map(json.loads, lines)}


_SETTINGS = ("API_", "STREAM_", "SINK_", "TRAINING_", "TIDEMARK_", "COMPOSE_")


def image_bytes(name: str) -> int:
    """The size of an image that is here, as Docker counts it."""
    command = ["docker", "image", "inspect", "--format", "{{.Size}}", name]
    return int(subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout)


def gateway() -> str:
    """This machine's address as containers see it under the name host.docker.internal."""
    command = ["docker", "network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}"]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout.strip()
