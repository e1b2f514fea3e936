"""A service starts with the settings of its pod: the settings class itself reads it, as in the pod."""

from pathlib import Path

import pytest
import yaml

from charts.catalogue import EXAMPLES, SERVICES
from charts.helm import Manifest
from charts.schemas import settings_class
from charts.secrets import MissingSecretError, manifests
from charts.testing import Rendered, named
from shared.kernel.settings import ServiceSettings
from shared.testing.documents import JsonObject

GIVEN = yaml.safe_load((EXAMPLES / "given.yaml").read_text(encoding="utf-8"))
#: What the production examples mount besides what is needed.
MORE: dict[str, JsonObject] = {
    "payments": {"webkassa_api_key": "k", "cash_registers": {}},
    "notifications": {"smtp_password": "p", "dkim_keys": {}},
    "refunds": {
        "services_key": "k",
        "telegram_bots": {},
        "whatsapp_numbers": {},
        "support_mail_keys": {},
        "support_mailboxes": {},
        "oidc_client_secret": "s",
    },
    "operations": {"oidc_client_secret": "s"},
}


def _secrets(given: JsonObject) -> dict[str, dict[str, str]]:
    """All Secrets there are in the namespace: ours, Strimzi's, CloudNativePG's."""
    found = {one["metadata"]["name"]: one["stringData"] for one in manifests(given)}
    for service in SERVICES:
        found[service] = found[f"{service}-owner"] = {"password": f"kafka-{service}", "sasl.jaas.config": "x"}
        found[f"{service}-db-ca"] = {"ca.crt": "PEM"}
    found["esim-cluster-ca-cert"] = {"ca.crt": "PEM", "ca.p12": "x"}
    return found


def _mounted(pod: JsonObject, volume: str, secrets: dict[str, dict[str, str]], folder: Path) -> Path:
    """The files of a projected volume. Raises KeyError where a Secret or a key is not there, as the kubelet would."""
    (found,) = [one for one in pod["volumes"] if one["name"] == volume]
    for source in found["projected"]["sources"]:
        for item in source["secret"]["items"]:
            path = folder / item["path"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(secrets[source["secret"]["name"]][item["key"]], encoding="utf-8")
    return folder


def _started(
    service: str,
    manifests: list[Manifest],
    kind: str,
    secrets: dict[str, dict[str, str]],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> ServiceSettings:
    pod = named(manifests, kind, service if kind == "Deployment" else f"{service}-migrate")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    variables = {one["name"]: one["value"] for one in container.get("env", [])}
    for source in container.get("envFrom", []):
        variables |= named(manifests, "ConfigMap", source["configMapRef"]["name"])["data"]
    for name, value in variables.items():
        assert isinstance(value, str)
        monkeypatch.setenv(name, value)
    mounts = {one["name"]: one["mountPath"] for one in container["volumeMounts"]}
    assert variables["SECRETS_DIR"] == mounts["secrets"]
    authorities = _mounted(pod, "authorities", secrets, folder / "authorities")
    for path in sorted(authorities.rglob("*.crt")):
        assert f"{mounts['authorities']}/{path.relative_to(authorities)}".startswith("/run/authorities/")
    return settings_class(service)(_secrets_dir=_mounted(pod, "secrets", secrets, folder / "secrets"))


@pytest.mark.parametrize("example", ["minimal", "production"])
@pytest.mark.parametrize("service", SERVICES)
def test_a_service_starts_with_the_settings_of_its_pod(
    rendered: Rendered, service: str, example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {name: {**GIVEN.get(name, {}), **MORE.get(name, {})} for name in SERVICES}
    secrets = _secrets(given)
    found = _started(service, rendered(service, example), "Deployment", secrets, tmp_path, monkeypatch)
    assert found.http_port == 8000
    assert (found.kafka_username, found.kafka_tls) == (service, True)
    assert found.kafka_password.get_secret_value() == f"kafka-{service}"
    assert str(found.kafka_ca_file) == "/run/authorities/kafka/ca.crt"
    assert found.database_url == secrets[f"{service}-database"]["database_url"]
    assert found.database_url.startswith(f"postgresql+psycopg://{service}:")
    assert "sslmode=verify-full&sslrootcert=/run/authorities/database/ca.crt" in found.database_url
    assert found.topic_replication == 3
    assert (found.otlp_endpoint is None) == (example == "minimal")


@pytest.mark.parametrize("service", SERVICES)
def test_its_migration_runs_as_the_owner(
    rendered: Rendered, service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = _started(service, rendered(service), "Job", _secrets(GIVEN), tmp_path, monkeypatch)
    assert found.database_url.startswith(f"postgresql+psycopg://{service}_owner:")
    owner = None if service == "operations" else f"{service}-owner"
    assert found.kafka_username == owner


@pytest.mark.parametrize("service", SERVICES)
def test_a_migration_needs_nothing_of_its_release(rendered: Rendered, service: str) -> None:
    """It runs before anything of the release is there: what is no hook it must not refer to."""
    manifests = rendered(service)
    hooks = [one for one in manifests if "helm.sh/hook" in one["metadata"].get("annotations", {})]
    assert {(one["kind"], one["metadata"]["name"]) for one in hooks} == {
        ("NetworkPolicy", f"{service}-migrate"),
        ("Job", f"{service}-migrate"),
    }
    for one in hooks:
        assert one["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    weights = {one["kind"]: int(one["metadata"]["annotations"]["helm.sh/hook-weight"]) for one in hooks}
    assert weights["NetworkPolicy"] < weights["Job"]
    pod = named(manifests, "Job", f"{service}-migrate")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert "envFrom" not in container
    assert "serviceAccountName" not in pod
    assert container["args"] == ["migrate"]
    assert not any("configMap" in volume for volume in pod["volumes"])


def test_large_numbers_stay_numbers(rendered: Rendered) -> None:
    assert (
        named(rendered("payments", "production"), "ConfigMap", "payments")["data"]["PAYMENT_LAPSE_SECONDS"] == "2592000"
    )


def test_what_a_company_gives_cannot_be_invented() -> None:
    with pytest.raises(MissingSecretError, match="provisioning: operators is not given"):
        manifests({"payments": GIVEN["payments"]})
