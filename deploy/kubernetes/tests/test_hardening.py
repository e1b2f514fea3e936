"""Every pod runs with the least there is, starts and stops in order, and holds no secret in plain sight."""

import pytest

from charts.catalogue import EXAMPLES as FOLDER
from charts.catalogue import SERVICES
from charts.secrets import Given
from charts.secrets import manifests as secret_manifests
from charts.testing import EXAMPLES, Rendered, named, of_kind, pods

BOTH = [(service, example) for service in SERVICES for example in ("minimal", "production")]


@pytest.mark.parametrize(("chart", "example"), EXAMPLES)
def test_every_container_is_hardened(rendered: Rendered, chart: str, example: str) -> None:
    for name, pod in pods(rendered(chart, example)):
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["enableServiceLinks"] is False, name
        security = pod["securityContext"]
        assert security["runAsNonRoot"] is True, name
        assert (security["runAsUser"], security["runAsGroup"]) == (10001, 10001), name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod), name
        assert all("hostPath" not in volume for volume in pod["volumes"]), name
        for container in pod["containers"]:
            own = container["securityContext"]
            assert own["readOnlyRootFilesystem"] is True, name
            assert own["allowPrivilegeEscalation"] is False, name
            assert own["privileged"] is False, name
            assert own["capabilities"] == {"drop": ["ALL"]}, name
            assert set(container["resources"]["requests"]) == {"cpu", "memory"}, name
            assert "memory" in container["resources"]["limits"], name
            writable = [mount["name"] for mount in container["volumeMounts"] if not mount.get("readOnly")]
            assert writable == ["tmp"], name


@pytest.mark.parametrize(("service", "example"), BOTH)
def test_every_service_starts_and_stops_in_order(rendered: Rendered, service: str, example: str) -> None:
    deployment = named(rendered(service, example), "Deployment", service)
    rolling = deployment["spec"]["strategy"]["rollingUpdate"]
    assert rolling == {"maxSurge": 1, "maxUnavailable": 0}
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    for probe, path in (("startup", "live"), ("liveness", "live"), ("readiness", "ready")):
        assert container[f"{probe}Probe"]["httpGet"] == {"path": f"/health/{path}", "port": "http"}
    slept = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    # Requests 5 s (kernel/http.py), work in hand 10 s (tasks/worker.py), half a start of a consumer 10 s, and some.
    assert pod["terminationGracePeriodSeconds"] - slept > 35
    spread = {each["topologyKey"] for each in pod["topologySpreadConstraints"]}
    assert spread == {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}


@pytest.mark.parametrize(("service", "example"), BOTH)
def test_every_service_survives_a_drained_node(rendered: Rendered, service: str, example: str) -> None:
    manifests = rendered(service, example)
    labels = named(manifests, "Deployment", service)["spec"]["template"]["metadata"]["labels"]
    for one in (named(manifests, "PodDisruptionBudget", service), named(manifests, "NetworkPolicy", service)):
        spec = one["spec"]
        selector = spec.get("selector", spec.get("podSelector"))["matchLabels"]
        assert selector.items() <= labels.items()
    assert named(manifests, "PodDisruptionBudget", service)["spec"]["maxUnavailable"] == 1
    assert named(manifests, "Service", service)["spec"]["selector"].items() <= labels.items()


@pytest.mark.parametrize("service", SERVICES)
def test_the_replicas_are_the_autoscalers_where_there_is_one(rendered: Rendered, service: str) -> None:
    assert named(rendered(service), "Deployment", service)["spec"]["replicas"] == 2
    manifests = rendered(service, "production")
    assert "replicas" not in named(manifests, "Deployment", service)["spec"]
    (scaler,) = of_kind(manifests, "ScaledObject", "HorizontalPodAutoscaler")
    assert scaler["spec"]["scaleTargetRef"]["name"] == service


@pytest.mark.parametrize("service", SERVICES)
def test_the_lag_is_read_as_the_service_itself(rendered: Rendered, service: str) -> None:
    manifests = rendered(service, "production")
    for scaled in of_kind(manifests, "ScaledObject"):
        (trigger,) = scaled["spec"]["triggers"]
        plain = named(manifests, "ConfigMap", service)["data"]
        assert trigger["type"] == "kafka"
        assert trigger["metadata"]["consumerGroup"] == service
        assert trigger["metadata"]["bootstrapServers"] == plain["KAFKA_BOOTSTRAP_SERVERS"]
        assert (trigger["metadata"]["sasl"], trigger["metadata"]["tls"]) == ("scram_sha512", "enable")
        login = named(manifests, "TriggerAuthentication", trigger["authenticationRef"]["name"])["spec"]
        assert {one["parameter"] for one in login["secretTargetRef"]} == {"password", "ca"}
        (username,) = login["env"]
        (container,) = named(manifests, "Deployment", service)["spec"]["template"]["spec"]["containers"]
        assert (username["name"], username["containerName"]) == ("KAFKA_USERNAME", container["name"])


@pytest.mark.parametrize(("chart", "example"), EXAMPLES)
def test_no_secret_is_in_a_manifest(rendered: Rendered, chart: str, example: str) -> None:
    manifests = rendered(chart, example)
    assert not of_kind(manifests, "Secret")
    for _, pod in pods(manifests):
        for container in pod["containers"]:
            for variable in container.get("env", []):
                assert "valueFrom" not in variable
                assert not any(word in variable["name"] for word in ("PASSWORD", "SECRET_", "PRIVATE", "DATABASE_URL"))
                assert not variable["name"].endswith(("_KEY", "_KEYS"))


def test_no_invented_secret_is_in_the_repository() -> None:
    """Two runs of the tool have no value in common: nothing in it is fixed but what was given."""
    given: Given = {"payments": {"epay_client_secret": "given"}, "provisioning": {"operators": []}}
    runs = [
        {
            (one["metadata"]["name"], key): value
            for one in secret_manifests(given)
            for key, value in one["stringData"].items()
        }
        for _ in range(2)
    ]
    same = {key for (name, key), value in runs[0].items() if runs[1][name, key] == value}
    assert same == {"username", "epay_client_secret", "operators"}
    assert (FOLDER / "given.yaml").exists()
