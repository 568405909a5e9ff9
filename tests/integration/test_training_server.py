"""Training and the API with an MLflow server that asks for a password, as it stands behind a reverse proxy."""

from __future__ import annotations

import base64
import http.client
import os
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from api.models.store import ModelStore
from demo.datasets.payments import DESCRIPTION, payments
from tests.waiting import eventually_sync
from training.data.description import FILE_NAME

_REPOSITORY = Path(__file__).parents[2]
_GIVEN = f"Basic {base64.b64encode(b'ml:op/en sesame').decode()}"
USER = "ml:op%2Fen%20sesame"


@contextmanager
def mlflow_server(folder: Path) -> Iterator[int]:
    """A real one with a SQLite file in the folder; its port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = int(taken.getsockname()[1])
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    stores = ["--backend-store-uri", f"sqlite:///{folder}/srv.db", "--artifacts-destination", str(folder / "artifacts")]
    with (
        (folder / "server.log").open("w") as log,
        subprocess.Popen([*command, *stores], cwd=folder, stdout=log, stderr=log, start_new_session=True) as server,
    ):
        try:
            yield port
        finally:
            os.killpg(server.pid, 15)


@contextmanager
def a_proxy(port: int) -> Iterator[int]:
    """In front of it; whoever does not give the name and the password gets 401. Its port."""

    class Asks(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            if self.headers["Authorization"] != _GIVEN:
                self._answer(401, "text/plain", b"who is it?")
                return
            behind = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            kind = {"Content-Type": self.headers["Content-Type"] or "application/octet-stream"}
            behind.request(self.command, self.path, body, kind)
            answer = behind.getresponse()
            self._answer(answer.status, answer.headers["Content-Type"] or "text/plain", answer.read())
            behind.close()

        do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Asks) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its host:port, where it answers."""
    folder = tmp_path_factory.mktemp("server")
    with mlflow_server(folder) as port, a_proxy(port) as asks:
        eventually_sync(lambda: answers(port), 60, "the MLflow server")
        yield f"127.0.0.1:{asks}"


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False


def trained(uri: str, folder: Path) -> subprocess.CompletedProcess[str]:
    payments(1_500, 3).to_parquet(folder / DESCRIPTION.file, index=False)
    (folder / FILE_NAME).write_text(DESCRIPTION.to_toml())
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("TRAINING_", "MLFLOW_"))}
    return subprocess.run(
        [sys.executable, "-m", "training", "train", "--data", ".", "--model", "guarded", "--estimator", "logistic"],
        cwd=folder,
        env=environment | {"TRAINING_TRACKING_URI": uri, "PYTHONPATH": str(_REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_a_model_is_trained_and_served_from_there_and_nobody_prints_the_password(place: str, tmp_path: Path) -> None:
    done = trained(f"http://{USER}@{place}", tmp_path)

    assert done.returncode == 0, done.stderr
    assert f"registered  guarded/1 in http://...@{place}, alias champion" in done.stdout
    assert "sesame" not in done.stdout + done.stderr
    models = ModelStore(f"http://{USER}@{place}", "guarded", "champion", tmp_path / "cache")
    assert models.pointers().champion == "1"
    assert models.load("1").baseline.key == "guarded/1"


def test_a_wrong_password_is_told_in_one_line_without_it(place: str, tmp_path: Path) -> None:
    done = trained(f"http://ml:barley@{place}", tmp_path)

    assert done.returncode == 2
    assert done.stderr.startswith(f"error: MLflow at http://...@{place} cannot be opened: ")
    assert "401" in done.stderr
    assert done.stderr.count("\n") == 1
    assert "barley" not in done.stderr
