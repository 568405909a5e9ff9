"""The manifests of docs/blue-green.md fit together: what is selected or mounted is there, settings exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.settings import ApiSettings

PAGE = (Path(__file__).parents[3] / "docs" / "blue-green.md").read_text()
MANIFESTS: list[dict[str, Any]] = [
    manifest for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.S) for manifest in yaml.safe_load_all(block)
]
COLOURS = ("blue", "green")


def the(kind: str, name: str) -> dict[str, Any]:
    found = [one for one in MANIFESTS if (one["kind"], one["metadata"]["name"]) == (kind, name)]
    assert len(found) == 1, (kind, name)
    return found[0]


def pod(colour: str) -> dict[str, Any]:
    spec: dict[str, Any] = the("Deployment", f"tidemark-api-{colour}")["spec"]["template"]["spec"]
    return spec


def test_there_are_two_deployments_and_the_service_selects_exactly_one_of_them() -> None:
    selector = the("Service", "tidemark-api")["spec"]["selector"]
    labels = {
        one["metadata"]["name"]: one["spec"]["template"]["metadata"]["labels"]
        for one in MANIFESTS
        if one["kind"] == "Deployment"
    }
    assert sorted(labels) == ["tidemark-api-blue", "tidemark-api-green"]
    assert [name for name, has in labels.items() if selector.items() <= has.items()] == ["tidemark-api-blue"]


@pytest.mark.parametrize("colour", COLOURS)
def test_a_deployment_selects_its_own_pods(colour: str) -> None:
    spec = the("Deployment", f"tidemark-api-{colour}")["spec"]
    assert spec["selector"]["matchLabels"] == spec["template"]["metadata"]["labels"]
    assert spec["selector"]["matchLabels"]["colour"] == colour


def test_the_commands_switch_the_selector_to_labels_that_green_has() -> None:
    said = re.search(r"kubectl patch service tidemark-api -p '(.*?)'", PAGE)
    assert said
    patch = yaml.safe_load(said.group(1))
    assert patch["spec"]["selector"] == the("Deployment", "tidemark-api-green")["spec"]["selector"]["matchLabels"]


@pytest.mark.parametrize("colour", COLOURS)
def test_the_outbox_lies_on_a_claim_of_the_colours_own_that_two_pods_never_hold(colour: str) -> None:
    spec = the("Deployment", f"tidemark-api-{colour}")["spec"]
    claims = [
        volume["persistentVolumeClaim"]["claimName"]
        for volume in spec["template"]["spec"]["volumes"]
        if "persistentVolumeClaim" in volume
    ]
    assert claims == [f"tidemark-outbox-{colour}"]
    assert the("PersistentVolumeClaim", claims[0])["spec"]["accessModes"] == ["ReadWriteOnce"]
    assert (spec["replicas"], spec["strategy"]["type"]) == (1, "Recreate")


@pytest.mark.parametrize("colour", COLOURS)
def test_what_the_settings_name_is_mounted_and_every_setting_exists(colour: str) -> None:
    container = pod(colour)["containers"][0]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert set(mounts) == {volume["name"] for volume in pod(colour)["volumes"]}
    settings = the("ConfigMap", container["envFrom"][0]["configMapRef"]["name"])["data"]
    names = {*settings, *(given["name"] for given in container["env"])}
    assert names <= {f"API_{field}".upper() for field in ApiSettings.model_fields}
    for setting in ("API_OUTBOX_DIR", "API_MODEL_CACHE"):
        assert settings[setting].startswith(f"{mounts['outbox']}/")
    assert settings["API_RECEIPT_KEYS_FILE"] == f"{mounts['receipts']}/receipt-keys"


@pytest.mark.parametrize("colour", COLOURS)
def test_probes_ask_the_port_that_the_service_sends_to(colour: str) -> None:
    container = pod(colour)["containers"][0]
    assert [port["name"] for port in container["ports"]] == ["http"]
    assert the("Service", "tidemark-api")["spec"]["ports"][0]["targetPort"] == "http"
    probes = {name: container[name]["httpGet"] for name in ("readinessProbe", "livenessProbe")}
    assert probes["readinessProbe"] == {"path": "/health/ready", "port": "http"}
    assert probes["livenessProbe"] == {"path": "/health/live", "port": "http"}


def test_a_colour_does_not_differ_from_the_other_but_in_its_name() -> None:
    blue, green = (yaml.safe_dump(pod(colour)).replace(colour, "COLOUR") for colour in COLOURS)
    assert blue == green
