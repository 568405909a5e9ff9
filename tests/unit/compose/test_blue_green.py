"""Blue-green: a colour gets the traffic only when it is ready, has the version that was asked for, and can be reached.

Two APIs and a HAProxy are played here by small servers; tests/e2e has the real ones.
"""

from __future__ import annotations

import importlib.util
import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

import pytest
import yaml

COMPOSE = Path(__file__).parents[3] / "compose"


def _program() -> ModuleType:
    spec = importlib.util.spec_from_file_location("colours", COMPOSE / "proxy" / "colours.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


colours = _program()


class Api:
    """A colour as far as it is asked here."""

    def __init__(self, version: str) -> None:
        self.ready, self.version, self.pending, self.key = True, version, 0, ""

    def answer(self, path: str, key: str) -> tuple[int, str]:
        if path == "/health/ready":
            return (200, '{"status": "ready"}') if self.ready else (503, '{"status": "unavailable"}')
        if key != self.key:
            return 401, "{}"
        if path == "/model":
            return 200, json.dumps({"name": "payments", "version": self.version, "alias": "champion"})
        return (
            200,
            f"tidemark_api_outbox_pending_bytes {self.pending}\ntidemark_api_label_outbox_pending_bytes 0.0\n",
        )


class Proxy:
    """HAProxy's socket: one line in, an answer out."""

    def __init__(self, addresses: dict[str, tuple[str, int]], map_file: Path) -> None:
        self.live, self.map_file = "blue", map_file
        self.rows = {
            name: {"status": "UP", "scur": "0", "addr": f"{host}:{port}"} for name, (host, port) in addresses.items()
        }

    def answer(self, line: str) -> str:
        if line == f"show map {self.map_file}":
            return f"0x1 live {self.live}\n\n"
        if line.startswith(f"set map {self.map_file} live "):
            self.live = line.split()[-1]
            return "\n"
        assert line == "show stat"
        lines = [f"{name},{name},0,{row['scur']},{row['status']},{row['addr']}," for name, row in self.rows.items()]
        return "\n".join(["# pxname,svname,qcur,scur,status,addr,", "all,FRONTEND,,9,OPEN,,", *lines, "", ""])


@contextmanager
def serving(api: Api) -> Iterator[tuple[str, int]]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = api.answer(self.path, self.headers.get("x-api-key", ""))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: pytest shows the test's own words."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield "127.0.0.1", server.server_port
        server.shutdown()
        thread.join()


@contextmanager
def controlled(proxy: Proxy, path: Path) -> Iterator[None]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            while True:
                link, _ = listener.accept()
                with link:
                    line = link.recv(4096).decode().strip()
                    if line == "end":
                        return
                    link.sendall(proxy.answer(line).encode())

        thread = threading.Thread(target=serve)
        thread.start()
        yield
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(str(path))
            link.sendall(b"end\n")
        thread.join()


class Stage:
    """Both colours, the proxy, and the program that is tested."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.blue, self.green, self.folder, self.key = Api("1"), Api("1"), folder, ""
        self.addresses = {
            name: stack.enter_context(serving(api)) for name, api in (("blue", self.blue), ("green", self.green))
        }
        self.map_file = folder / "live.map"
        self.proxy = Proxy(self.addresses, self.map_file)
        stack.enter_context(controlled(self.proxy, folder / "socket"))
        self.run("begin")

    def run(self, *arguments: str) -> int:
        made = colours.Colours(
            self.map_file, str(self.folder / "socket"), self.addresses.__getitem__, self.key, "payments"
        )
        status: int = colours.main(list(arguments), made)
        return status


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with ExitStack() as stack:
        yield Stage(tmp_path, stack)


def test_the_first_start_begins_with_blue_and_a_later_one_keeps_what_was_live(stage: Stage) -> None:
    assert stage.map_file.read_text() == "live blue\n"
    assert stage.run("move", "green") == 0
    assert stage.run("begin") == 0
    assert stage.map_file.read_text() == "live green\n"


def test_the_traffic_moves_in_the_running_proxy_and_in_the_file_that_a_restart_reads(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    assert stage.run("wait", "green", "--seconds", "0") == 0
    assert stage.run("move", "green") == 0
    assert (stage.proxy.live, stage.map_file.read_text()) == ("green", "live green\n")
    assert stage.run("live") == 0
    assert capsys.readouterr().out.splitlines() == ["1", "green"]


@pytest.mark.parametrize("command", ["wait", "move"])
def test_a_colour_that_is_not_ready_gets_no_traffic(
    stage: Stage, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    stage.green.ready = False
    assert stage.run(command, "green", *(("--seconds", "0") if command == "wait" else ())) == 1
    assert "green is not ready: status 503" in capsys.readouterr().err
    assert stage.proxy.live == "blue"


def test_a_colour_is_waited_for_until_it_is_ready(stage: Stage) -> None:
    stage.green.ready = False
    threading.Timer(0.2, lambda: setattr(stage.green, "ready", True)).start()
    assert stage.run("wait", "green", "--seconds", "10") == 0


def test_a_version_that_was_not_asked_for_is_refused_and_the_way_to_one_of_its_own_is_named(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    assert stage.run("wait", "green", "--version", "2", "--seconds", "0") == 1
    said = capsys.readouterr().err
    assert "green answers with version 1 (alias champion), not with 2" in said
    assert "TIDEMARK_GREEN_ALIAS=green" in said


def test_without_a_version_the_one_that_is_live_is_expected(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    stage.blue.version = "2"
    assert stage.run("wait", "green", "--seconds", "0") == 1
    assert "green answers with version 1 (alias champion), not with 2" in capsys.readouterr().err


def test_beside_a_live_colour_that_is_dead_any_version_will_do(stage: Stage) -> None:
    stage.blue.key = "not ours"
    assert stage.run("wait", "green", "--seconds", "0") == 0


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"status": "DOWN"}, "HAProxy sees it as DOWN"),
        ({"addr": "10.0.0.9:8000"}, "but HAProxy still asks 10.0.0.9:8000"),
    ],
)
def test_a_colour_that_the_proxy_cannot_reach_gets_no_traffic(
    stage: Stage, capsys: pytest.CaptureFixture[str], row: dict[str, str], says: str
) -> None:
    stage.proxy.rows["green"] |= row
    assert stage.run("move", "green") == 1
    assert says in capsys.readouterr().err
    assert stage.proxy.live == "blue"


def test_a_colour_is_drained_when_it_answers_nothing_and_kafka_has_its_events(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    assert stage.run("drained", "blue", "--seconds", "0") == 0
    stage.proxy.rows["blue"]["scur"] = "3"
    assert stage.run("drained", "blue", "--seconds", "0") == 1
    assert "blue still answers 3 requests" in capsys.readouterr().err
    stage.proxy.rows["blue"]["scur"] = "0"
    stage.blue.pending = 4096
    assert stage.run("drained", "blue", "--seconds", "0") == 1
    assert "blue has 4,096 bytes in its outbox that Kafka has not acknowledged" in capsys.readouterr().err


def test_where_keys_are_asked_for_one_is_needed_and_said(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    stage.blue.key = stage.green.key = "tm_key"
    assert stage.run("move", "green") == 1
    assert "status 401: set TIDEMARK_API_KEY to a key with the scope read" in capsys.readouterr().err
    stage.key = "tm_key"
    assert stage.run("move", "green") == 0


def test_the_state_of_both_is_shown(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    stage.green.version = "2"
    assert stage.run("status") == 0
    assert capsys.readouterr().out.splitlines() == [
        "blue   live  payments/1 (alias champion), ready",
        "green  idle  payments/2 (alias champion), ready",
    ]


def test_both_colours_share_the_outbox_volume_and_not_the_copy_of_their_version() -> None:
    services = _services()
    api = yaml.safe_load((COMPOSE / "compose.yaml").read_text())["services"]["api"]
    assert "outbox:/var/lib/tidemark/outbox" in api["volumes"]
    caches = {services[colour]["environment"]["API_MODEL_CACHE"] for colour in ("blue", "green")}
    assert len(caches) == 2
    assert {services[colour]["image"] for colour in ("blue", "green")} == {"tidemark/api:blue", "tidemark/api:green"}


def test_only_the_proxy_publishes_a_port_and_only_on_the_loopback_address() -> None:
    services = _services()
    assert [name for name, service in services.items() if service and service.get("ports")] == ["proxy"]
    assert services["proxy"]["ports"] == ["127.0.0.1:${TIDEMARK_API_PORT:-8000}:8000"]


def test_a_switch_that_nobody_knows_is_answered_with_how_to_use_it() -> None:
    done = subprocess.run([COMPOSE / "blue-green", "sideways"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "./blue-green switch --version N" in done.stderr


class _Loader(yaml.SafeLoader):
    """Knows Compose's word for leaving something out."""


_Loader.add_constructor("!reset", lambda loader, node: None)


def _services() -> dict[str, dict[str, object]]:
    services: dict[str, dict[str, object]] = yaml.load((COMPOSE / "blue-green.yaml").read_text(), _Loader)["services"]
    return services
