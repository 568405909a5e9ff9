"""What every member of SINKS keeps, their settings, and the log sink."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from typer.testing import CliRunner

from contracts.alerts import decode_alert, encode_alert
from stream_app.__main__ import cli
from stream_app.alerting.command import sink as commands
from stream_app.alerting.errors import Retry, SinkSettingsError
from stream_app.alerting.log import LogSink
from stream_app.alerting.settings import SinkSettings, load
from stream_app.alerting.sink import SINKS, sink_named
from stream_app.alerting.webhook import WebhookSettings, WebhookSink
from tests.alerting import an_alert

SECRET = "whsec_" + "dG9wc2VjcmV0" * 4
RIGHT = {"SINK_WEBHOOK_URL": "https://alerts.example.com/x", "SINK_WEBHOOK_SECRET": SECRET}
SECRETIVE = "https://user:topsecret@alerts.example.com:8443/topsecret?t=topsecret#topsecret"
KEY = "topsecret" + "0" * 23


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch):
    """Sets SINK_* and STREAM_* to exactly what is given; the environment is the interface under test."""

    def settle(variables: Mapping[str, str]) -> None:
        for name in [name for name in os.environ if name.startswith(("SINK_", "STREAM_"))]:
            monkeypatch.delenv(name)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return settle


def test_every_sink_has_a_name_that_can_be_typed_and_no_other_sink_has() -> None:
    names = [sink.name for sink in SINKS]
    assert len(names) == len(set(names))
    for name in names:
        assert re.fullmatch(r"[a-z][a-z0-9-]*", name)
        assert sink_named(name).name == name


def test_an_unknown_sink_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(SinkSettingsError, match="no sink 'pigeon': choose one of log, file, webhook, slack, "):
        sink_named("pigeon")


def test_the_help_of_the_command_names_every_sink() -> None:
    shown = CliRunner().invoke(commands, ["run", "--help"], env={"COLUMNS": "200"}).stdout
    assert [sink.name for sink in SINKS if sink.name not in re.findall(r"[a-z]+", shown)] == []


def test_the_traceback_of_a_fault_shows_no_variables_which_may_hold_secrets() -> None:
    assert not cli.pretty_exceptions_enable


@pytest.mark.parametrize("sink", SINKS, ids=lambda sink: sink.name)
async def test_every_sink_is_built_from_the_environment_and_hides_its_secrets(
    sink, environment, tmp_path: Path
) -> None:
    environment(
        {
            **RIGHT,
            **{f"SINK_{name}_URL": SECRETIVE for name in ("WEBHOOK", "SLACK", "PAGERDUTY", "ALERTMANAGER")},
            "SINK_PAGERDUTY_ROUTING_KEY": KEY,
            "SINK_FILE_PATH": str(tmp_path / "alerts.jsonl"),
        }
    )
    built = sink.from_environment()
    assert built.destination
    assert "secret" not in built.destination
    assert "topsecret" not in repr(built)
    await built.close()


def test_a_webhooks_destination_is_scheme_host_and_port() -> None:
    settings = WebhookSettings(url="https://user:pw@alerts.example.com:8443/hook/token", secret=SECRET)
    assert WebhookSink(settings).destination == "https://alerts.example.com:8443"


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"SINK_WEBHOOK_URL": "alerts.example.com/topsecret"}, "SINK_WEBHOOK_URL: a URL needs http:// or https://"),
        ({"SINK_WEBHOOK_URL": "ftp://topsecret@alerts.example.com"}, "SINK_WEBHOOK_URL: a URL needs http://"),
        ({"SINK_WEBHOOK_URL": "http://"}, "SINK_WEBHOOK_URL: a URL needs"),
        ({"SINK_WEBHOOK_URL": "http://exa mple"}, "SINK_WEBHOOK_URL: a URL needs"),
        ({"SINK_WEBHOOK_URL": "http://host:99999/topsecret"}, "SINK_WEBHOOK_URL: a URL needs"),
        ({"SINK_WEBHOOK_URL": "http://host:port"}, "SINK_WEBHOOK_URL: not a URL"),
        ({"SINK_WEBHOOK_URL": "http://xn--/topsecret"}, "SINK_WEBHOOK_URL: not a URL"),
        ({"SINK_WEBHOOK_URL": ""}, "SINK_WEBHOOK_URL is not set"),
        ({"SINK_WEBHOOK_SECRET": "topsecret"}, "SINK_WEBHOOK_SECRET: a webhook secret begins with whsec_"),
        ({"SINK_WEBHOOK_SECRET": "whsec_topsecret!"}, "SINK_WEBHOOK_SECRET: what follows whsec_ is not base64"),
        ({"SINK_WEBHOOK_CONNECT_TIMEOUT_SECONDS": "0"}, "SINK_WEBHOOK_CONNECT_TIMEOUT_SECONDS: .*greater than 0"),
        ({"SINK_WEBHOOK_READ_TIMEOUT_SECONDS": "inf"}, "SINK_WEBHOOK_READ_TIMEOUT_SECONDS: .*finite"),
    ],
)
def test_a_wrong_webhook_setting_is_one_line_that_names_it_and_shows_no_value(environment, wrong, line: str) -> None:
    environment({**RIGHT, **wrong})
    with pytest.raises(SinkSettingsError, match=line) as caught:
        load(WebhookSettings)
    assert "\n" not in str(caught.value)
    assert "topsecret" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "settings", "line"),
    [
        ("slack", {}, "SINK_SLACK_URL is not set"),
        ("slack", {"SINK_SLACK_URL": "hooks.slack.com/topsecret"}, "SINK_SLACK_URL: a URL needs http:// or https://"),
        ("pagerduty", {}, "SINK_PAGERDUTY_ROUTING_KEY is not set"),
        ("pagerduty", {"SINK_PAGERDUTY_ROUTING_KEY": "topsecret"}, "SINK_PAGERDUTY_ROUTING_KEY: .* 32 letters and dig"),
        ("pagerduty", {"SINK_PAGERDUTY_ROUTING_KEY": KEY, "SINK_PAGERDUTY_URL": "events"}, "SINK_PAGERDUTY_URL: "),
        ("alertmanager", {}, "SINK_ALERTMANAGER_URL is not set"),
        ("alertmanager", {"SINK_ALERTMANAGER_URL": "alertmanager:9093"}, "SINK_ALERTMANAGER_URL: a URL needs http://"),
        (
            "alertmanager",
            {"SINK_ALERTMANAGER_URL": "http://a", "SINK_ALERTMANAGER_HOLD_SECONDS": "0"},
            "SINK_ALERTMANAGER_HOLD_SECONDS: .*greater than 0",
        ),
        ("file", {}, "SINK_FILE_PATH is not set"),
        ("file", {"SINK_FILE_PATH": "/no/such/folder/alerts"}, "SINK_FILE_PATH=/no/such/folder/alerts: .*No such file"),
        ("file", {"SINK_FILE_PATH": "/"}, "SINK_FILE_PATH=/: cannot be opened for appending: Is a directory; name a"),
    ],
)
def test_a_wrong_setting_of_a_sink_is_one_line_that_names_it_and_shows_no_secret(
    environment, name: str, settings: dict[str, str], line: str
) -> None:
    environment(settings)
    with pytest.raises(SinkSettingsError, match=line) as caught:
        sink_named(name).from_environment()
    assert "\n" not in str(caught.value)
    assert "topsecret" not in str(caught.value)


def test_everything_that_is_missing_is_named_at_once(environment) -> None:
    environment({})
    with pytest.raises(SinkSettingsError, match=r"SINK_WEBHOOK_URL is not set: .*; SINK_WEBHOOK_SECRET is not set: "):
        load(WebhookSettings)


@pytest.mark.parametrize(
    ("sink", "needed"),
    [
        ("file", ["SINK_FILE_PATH"]),
        ("webhook", ["SINK_WEBHOOK_URL", "SINK_WEBHOOK_SECRET"]),
        ("slack", ["SINK_SLACK_URL"]),
        ("pagerduty", ["SINK_PAGERDUTY_ROUTING_KEY"]),
        ("alertmanager", ["SINK_ALERTMANAGER_URL"]),
    ],
)
def test_what_is_missing_is_told_with_an_example_of_it(environment, sink: str, needed: list[str]) -> None:
    environment({})
    with pytest.raises(SinkSettingsError) as caught:
        sink_named(sink).from_environment()
    told = str(caught.value).split("; ")
    assert [line.split(" is not set: for example ")[0] for line in told] == needed
    assert all(re.search(rf"{name}=\S", line) for name, line in zip(needed, told, strict=True))


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ({}, "SINK_BOOTSTRAP is not set: for example SINK_BOOTSTRAP=127.0.0.1:9092"),
        ({"SINK_BOOTSTRAP": "localhost"}, "SINK_BOOTSTRAP: 'localhost' is not host:port"),
        ({"SINK_BOOTSTRAP": "a:1,b:99999"}, "SINK_BOOTSTRAP: 'b:99999' has no port between 1 and 65535"),
        ({"SINK_BOOTSTRAP": "a..b:1"}, "SINK_BOOTSTRAP: 'a..b' is no name of a host"),
        ({"SINK_BOOTSTRAP": "a:1", "SINK_TOPIC_PREFIX": "a b"}, "SINK_TOPIC_PREFIX: "),
        ({"SINK_BOOTSTRAP": "a:1", "SINK_START": "now"}, "SINK_START: .*'earliest' or 'latest'"),
        ({"SINK_BOOTSTRAP": "a:1", "SINK_ATTEMPTS": "0"}, "SINK_ATTEMPTS: "),
        ({"SINK_BOOTSTRAP": "a:1", "SINK_METRICS_PORT": "70000"}, "SINK_METRICS_PORT: "),
    ],
)
def test_a_wrong_setting_of_every_sink_is_one_line_that_names_it(environment, variables, line: str) -> None:
    environment(variables)
    with pytest.raises(SinkSettingsError, match=line) as caught:
        load(SinkSettings)
    assert "\n" not in str(caught.value)


def test_a_sink_next_to_a_worker_takes_kafka_and_prefix_from_the_workers_settings(environment) -> None:
    environment({"STREAM_BOOTSTRAP": "kafka:9092", "STREAM_TOPIC_PREFIX": "blue."})
    assert (load(SinkSettings).bootstrap, load(SinkSettings).topic_prefix) == ("kafka:9092", "blue.")
    environment({"STREAM_BOOTSTRAP": "kafka:9092", "SINK_BOOTSTRAP": "other:9092"})
    assert load(SinkSettings).bootstrap == "other:9092"


async def test_the_log_sink_writes_one_json_line_per_alert() -> None:
    out = io.StringIO()
    sink = LogSink(out)
    for number in (1, 2):
        alert = an_alert(number, summary="two\nlines")
        await sink.deliver(alert, b"{\n" + encode_alert(alert)[1:])
    lines = out.getvalue().splitlines()
    assert [decode_alert(line.encode()) for line in lines] == [an_alert(n, summary="two\nlines") for n in (1, 2)]


async def test_a_log_that_cannot_be_written_is_worth_another_attempt() -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    with pytest.raises(Retry, match="No space left on device"):
        await LogSink(Full()).deliver(an_alert(), b"")
