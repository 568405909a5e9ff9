"""The services of one installation as child processes of the demo: their commands, settings, logs and readiness."""

from __future__ import annotations

import asyncio
import base64
import secrets
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import aiohttp

from demo.errors import ServiceFailed
from demo.loop_files import LoopFiles
from demo.scenario import Plan
from demo.stack.processes import ServiceProcess

ROOT = Path(__file__).parents[1]
_LABEL_DELAY_WINDOWS = 3
MODEL_ALIAS = "champion"


def new_secret() -> str:
    """A fresh secret in the form of Standard Webhooks."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()


@dataclass(frozen=True)
class Installation:
    """Where everything is. lateness, idle, session: seconds, as the stream's settings of these names."""

    directory: Path
    model: str
    bootstrap: str
    redis_url: str
    api_port: int
    receiver_port: int
    plan: Plan
    lateness: float
    idle: float = 4.0
    session: float = 20.0
    max_age: float = 30 * 86_400.0
    secret: str = field(default_factory=new_secret, repr=False)

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.api_port}"

    @property
    def receiver_url(self) -> str:
        return f"http://127.0.0.1:{self.receiver_port}/"

    @property
    def alerts_file(self) -> Path:
        return self.directory / "alerts.jsonl"

    @property
    def registry(self) -> str:
        return f"sqlite:///{self.directory / 'mlflow' / 'mlflow.db'}"

    def environment(self) -> dict[str, str]:
        """Settings of every service."""
        return {
            "PYTHONUNBUFFERED": "1",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "OMP_NUM_THREADS": "1",
            "API_HOST": "127.0.0.1",
            "API_PORT": str(self.api_port),
            "API_BOOTSTRAP": self.bootstrap,
            "API_REDIS_URL": self.redis_url,
            "API_TRACKING_URI": self.registry,
            "API_MODEL": self.model,
            "API_MODEL_CACHE": str(self.directory / "api" / "models"),
            "API_OUTBOX_DIR": str(self.directory / "api" / "outbox"),
            "API_TLS_CERT_FILE": "",  # what runs here asks it by http
            "API_TLS_KEY_FILE": "",
            "API_LOG_FORMAT": "text",  # people read the tails of these logs
            "STREAM_BOOTSTRAP": self.bootstrap,
            "STREAM_WINDOW_SECONDS": str(round(self.plan.window.total_seconds())),
            "STREAM_LATENESS_SECONDS": str(self.lateness),
            "STREAM_IDLE_SECONDS": str(self.idle),
            "STREAM_MAX_AGE_SECONDS": str(self.max_age),
            "STREAM_SESSION_TIMEOUT_SECONDS": str(self.session),
            # The bug of the flights' story moves the mean score by .001: by default nobody is woken for that.
            "STREAM_PAGE_HARMLESS": "true",
            "STREAM_LABEL_DELAY_SECONDS": str(_LABEL_DELAY_WINDOWS * round(self.plan.window.total_seconds())),
            "STREAM_PERFORMANCE_SECONDS": "1",
            "SINK_BOOTSTRAP": self.bootstrap,
            "SINK_WEBHOOK_URL": self.receiver_url,
            "SINK_WEBHOOK_SECRET": self.secret,
            "SINK_WEBHOOK_ALLOW_PRIVATE_ADDRESSES": "true",  # the receiver is on this machine
            "TRAINING_BOOTSTRAP": self.bootstrap,
            "TRAINING_TRACKING_URI": self.registry,
            "TRAINING_ARTIFACTS": str(self.directory / "mlflow" / "artifacts"),
            "TRAINING_BROKER_WAIT_SECONDS": "120",
            "TRAINING_WORK": str(self.directory / "retraining"),
        }

    def stream_settings(self) -> dict[str, str]:
        """What the workers are told: `status`, `audit` and `replay` must be told the same."""
        return {name: value for name, value in self.environment().items() if name.startswith("STREAM_")}

    def service(self, name: str, *arguments: str, **settings: str) -> ServiceProcess:
        """`python -m ARGUMENTS` as a child that dies with this process; its log is NAME.log."""
        return ServiceProcess(
            name,
            [sys.executable, "-m", *arguments],
            self.directory / "logs" / f"{name}.log",
            env={**self.environment(), **settings},
            cwd=ROOT,
        )

    def worker(self, number: int) -> ServiceProcess:
        """A stream worker that keeps its name over restarts, so that a quick restart moves no partition."""
        name = f"worker-{number}"
        return self.service(name, "stream_app", "worker", STREAM_WORKER_ID=name)

    def performance(self) -> ServiceProcess:
        return self.service("performance", "stream_app", "performance", STREAM_WORKER_ID="performance-1")

    def mute(self, feature: str, since: datetime, reason: str) -> ServiceProcess:
        """From that event time on, for all of the demo."""
        span = (f"--since={since.isoformat()}", "--for=7d", f"--reason={reason}")
        return self.service(f"mute-{feature}", "stream_app", "mute", self.model, f"--feature={feature}", *span)

    def watch(self, files: LoopFiles) -> ServiceProcess:
        """Follows the topics, and ends with its first retraining."""
        options = [f"--config={files.config}", f"--loop={files.loop}", f"--gates={files.gates}"]
        options += [] if files.base is None else [f"--base={files.base}"]
        return self.service("watch", "training", "watch", "--once", "--model", self.model, *options)

    def later(self, rows: Path, label: str, versions: Sequence[str]) -> ServiceProcess:
        """AUC of versions on the same rows; its last line is JSON."""
        return self.service("later", "demo.later", str(rows), label, self.model, *versions)

    def api(self) -> ServiceProcess:
        return self.service("api", "api")

    def sink(self) -> ServiceProcess:
        return self.service("sink", "stream_app", "sink", "webhook")

    def receiver(self) -> ServiceProcess:
        arguments = ("--port", str(self.receiver_port), "--file", str(self.alerts_file))
        return self.service("receiver", "demo", "receiver", *arguments, DEMO_RECEIVER_SECRET=self.secret)

    def topics(self) -> ServiceProcess:
        return self.service("topics", "stream_app", "topics")

    def train(self, data: Path, seed: int, natural: bool = False) -> ServiceProcess:
        """natural: learn how much windows of the reference differ by nature."""
        arguments = ["--data", str(data), "--model", self.model, "--seed", str(seed)]
        arguments += [f"--window={round(self.plan.window.total_seconds() / 3600)}h"] if natural else []
        return self.service("training", "training", "train", *arguments)


async def finished(process: ServiceProcess, within: float = 180.0) -> None:
    """Run a command to its end. Raises ServiceFailed when it takes too long or ends with another status than 0."""
    await asyncio.to_thread(process.start)
    await until(lambda: process.returncode is not None, process, within)
    if process.returncode != 0:
        raise ServiceFailed(process.name, f"ended with status {process.returncode}", process.log, process.tail(12))


async def answers(url: str, process: ServiceProcess, within: float = 60.0) -> None:
    """Wait until a GET of `url` answers 200. Raises ServiceFailed."""

    async def asked() -> bool:
        try:
            async with aiohttp.ClientSession() as session, session.get(url) as response:
                return response.status == 200
        except aiohttp.ClientError:
            return False

    await until(asked, process, within)


async def until(condition: Callable[[], bool | Awaitable[bool]], process: ServiceProcess, within: float) -> None:
    """Wait for a condition while a process lives. Raises ServiceFailed when it ends first, or after `within` s."""
    deadline = asyncio.get_running_loop().time() + within
    while True:
        value = condition()
        if await value if isinstance(value, Awaitable) else value:
            return
        if process.returncode is not None:
            raise ServiceFailed(process.name, f"ended with status {process.returncode}", process.log, process.tail(12))
        if asyncio.get_running_loop().time() > deadline:
            raise ServiceFailed(process.name, f"was not ready after {within:g} s", process.log, process.tail(12))
        await asyncio.sleep(0.05)
