"""A real Alertmanager as a child process: the one that is installed, else Debian's `prometheus-alertmanager`, unpacked.

Debian's build has the folder of its templates compiled in. In the unpacked copy that path is made a relative one of the
same length, and Alertmanager is started where it leads to the unpacked templates.
"""

import random
import shutil
import time
from pathlib import Path

import httpx

from demo.stack.errors import StackError
from demo.stack.ports import choose_port
from demo.stack.processes import ServiceProcess
from tests.servers.from_apt import unpacked
from tests.servers.verbs import NoServers

_START_SECONDS = 30.0
_FOLDER, _RELATIVE = b"/usr/share/prometheus/alertmanager", b"usr//share/prometheus/alertmanager"
_CONFIG = """
route:
  receiver: tests
  group_by: [model, version]
  group_wait: 100ms
  group_interval: 300ms
  repeat_interval: 24h
receivers:
  - name: tests
    webhook_configs:
      - url: {notified}
        send_resolved: true
"""


class Alertmanager:
    """One, with all its files in a directory. notified: the URL that it tells of its alerts.

    start() and stop() keep port and directory; alerts live in its memory, so a restart forgets them.
    """

    def __init__(self, directory: Path, notified: str) -> None:
        self._directory = directory
        self.port = choose_port(random.SystemRandom())
        self.url = f"http://127.0.0.1:{self.port}"
        config = directory / "alertmanager.yml"
        config.write_text(_CONFIG.format(notified=notified))
        binary, root = _binary(directory)
        command = [
            str(binary),
            f"--config.file={config}",
            f"--storage.path={directory}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--cluster.listen-address=",
        ]
        self._process = ServiceProcess("alertmanager", command, directory / "alertmanager.log", cwd=root)

    def start(self) -> None:
        """Returns when it answers. Raises NoServers."""
        try:
            self._process.start()
        except StackError as error:
            raise NoServers(f"Alertmanager cannot be run: {error}") from error
        deadline = time.monotonic() + _START_SECONDS
        while not self._ready():
            if not self._process.alive() or time.monotonic() > deadline:
                raise NoServers(f"Alertmanager does not answer: {' '.join(self._process.tail(5))}")
            time.sleep(0.05)

    def stop(self) -> None:
        """SIGTERM."""
        self._process.terminate()

    def _ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/-/ready", trust_env=False, verify=False, timeout=1).is_success
        except httpx.TransportError:
            return False


def _binary(directory: Path) -> tuple[Path, Path]:
    """The program, and the folder to start it in. Raises NoServers."""
    for name in ("prometheus-alertmanager", "alertmanager"):
        if found := shutil.which(name):
            return Path(found), directory
    root = unpacked("prometheus-alertmanager")
    binary = directory / "prometheus-alertmanager"
    binary.write_bytes((root / "usr/bin/prometheus-alertmanager").read_bytes().replace(_FOLDER, _RELATIVE))
    binary.chmod(0o700)
    return binary, root
