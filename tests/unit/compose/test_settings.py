"""compose.yaml hands every setting of every service on, and .env.example explains each with its true default."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import SecretStr
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from api.settings import ApiSettings
from stream_app.alerting.alertmanager import AlertmanagerSettings
from stream_app.alerting.file import FileSettings
from stream_app.alerting.pagerduty import PagerDutySettings
from stream_app.alerting.settings import SinkSettings
from stream_app.alerting.slack import SlackSettings
from stream_app.alerting.webhook import WebhookSettings
from stream_app.settings import StreamSettings
from training.settings import Settings as TrainingSettings

COMPOSE = Path(__file__).parents[3] / "compose"
FILE = (COMPOSE / "compose.yaml").read_text()
SERVICES = yaml.safe_load(FILE)["services"]
BOTH_FILES = FILE + (COMPOSE / "blue-green.yaml").read_text()
EXAMPLE = (COMPOSE / ".env.example").read_text()
SINK_CLASSES = (SinkSettings, WebhookSettings, SlackSettings, PagerDutySettings, AlertmanagerSettings, FileSettings)
# what the file itself has a default for
OWN = set(re.findall(r"\$\{([A-Z_]+):-", BOTH_FILES))


def variables(settings: type[BaseSettings]) -> dict[str, Any]:
    """Environment variable -> default, of one settings class."""
    prefix = str(settings.model_config["env_prefix"])
    return {
        f"{prefix}{name}".upper(): field.default.get_secret_value()
        if isinstance(field.default, SecretStr)
        else field.default
        for name, field in settings.model_fields.items()
    }


def environment(service: str) -> dict[str, Any]:
    return dict(SERVICES[service]["environment"])


@pytest.mark.parametrize(
    ("service", "settings"),
    [
        ("api", ApiSettings),
        ("worker-1", StreamSettings),
        ("worker-2", StreamSettings),
        *(("sink", settings) for settings in SINK_CLASSES),
        ("performance", StreamSettings),
        *((name, TrainingSettings) for name in ("train", "training", "watch")),
    ],
)
def test_a_service_gets_every_setting_it_has(service: str, settings: type[BaseSettings]) -> None:
    assert set(variables(settings)) <= set(environment(service))


def test_no_service_gets_a_setting_that_does_not_exist() -> None:
    known = set[str]()
    for settings in (ApiSettings, StreamSettings, *SINK_CLASSES, TrainingSettings):
        known |= set(variables(settings))
    for service in SERVICES.keys() - {"kafka", "redis", "example"}:
        given = {name for name in environment(service) if name.startswith(("API_", "STREAM_", "SINK_", "TRAINING_"))}
        assert given <= known, service


def test_every_setting_that_a_user_may_change_is_explained() -> None:
    given = [setting for service in SERVICES for setting in (SERVICES[service].get("environment") or {}).items()]
    open_settings = {name for name, value in given if value is None}
    assert open_settings
    assert open_settings <= set(re.findall(r"^#([A-Z_]+)=", EXAMPLE, re.M))


def test_the_example_explains_only_what_the_file_uses() -> None:
    for name in re.findall(r"^#([A-Z_]+)=", EXAMPLE, re.M):
        assert re.search(rf"\b{name}\b", BOTH_FILES), name


def test_the_example_shows_the_true_defaults() -> None:
    defaults = dict[str, Any]()
    for settings in (ApiSettings, StreamSettings, *SINK_CLASSES, TrainingSettings):
        defaults |= variables(settings)
    for name, shown in re.findall(r"^#([A-Z_]+)=(.*)$", EXAMPLE, re.M):
        if name in OWN:
            continue
        true = "" if defaults[name] in (None, PydanticUndefined) else str(defaults[name])
        assert shown == true, name


def test_the_defaults_of_the_file_itself_are_the_ones_shown() -> None:
    for name in OWN:
        used = set(re.findall(rf"\$\{{{name}:-([^}}]*)\}}", BOTH_FILES))
        shown = re.search(rf"^#{name}=(.*)$", EXAMPLE, re.M)
        assert shown
        assert used == {shown.group(1)}, name


def test_published_ports_are_on_the_loopback_address_alone() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


@pytest.mark.parametrize("name", ["api", "stream", "training"])
def test_an_image_is_not_run_by_root_and_is_built_from_hashed_requirements(name: str) -> None:
    lines = (COMPOSE / f"{name}.Dockerfile").read_text().splitlines()
    assert "USER tidemark" in lines
    assert any(f"requirements/{name}.txt" in line for line in lines)
    assert all("--require-hashes" in line for line in lines if "pip install" in line)


def test_the_api_is_asked_for_its_health_by_what_knows_tls_too() -> None:
    assert SERVICES["api"]["healthcheck"]["test"] == ["CMD", "python", "-m", "api.probe"]


def test_the_colours_behind_the_proxy_speak_http_whatever_is_set() -> None:
    services = yaml.load((COMPOSE / "blue-green.yaml").read_text().replace("!reset", ""), yaml.SafeLoader)["services"]
    for colour in ("blue", "green"):
        given = services[colour]["environment"]
        assert (given["API_TLS_CERT_FILE"], given["API_TLS_KEY_FILE"]) == ("", "")
