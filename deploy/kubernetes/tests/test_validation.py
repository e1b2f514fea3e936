"""The validation refuses what Kubernetes would drop silently or refuse late."""

import copy
from collections.abc import Callable

import pytest

from charts.testing import Rendered, of_kind
from charts.validation import problems
from shared.testing.documents import Json, JsonObject

Break = Callable[[JsonObject], object]


def _spec(path: str, value: object) -> Break:
    """Set a field by its dotted path; numbers are places in lists."""

    def change(manifest: JsonObject) -> None:
        *way, last = path.split(".")
        part: Json = manifest
        for step in way:
            part = part[int(step)] if step.isdigit() else part[step]
        part[int(last) if last.isdigit() else last] = value

    return change


CASES = [
    ("ordering", "Deployment", _spec("spec.template.spec.containers.0.imagePullPolice", "Always")),
    ("ordering", "Deployment", _spec("spec.replicas", "two")),
    ("ordering", "NetworkPolicy", _spec("spec.egress.0.port", 53)),
    ("ordering", "PodDisruptionBudget", _spec("apiVersion", "policy/v1beta1")),
    ("ordering", "ScaledObject", _spec("spec.maxReplicas", 3)),
    ("ordering", "ScaledObject", _spec("spec.maxReplicaCount", "3")),
    ("ordering", "TriggerAuthentication", _spec("spec.secretTargetRef.0.secret", "x")),
    ("ordering", "ServiceMonitor", _spec("spec.endpoints.0.targetport", 8000)),
    ("ordering", "ServiceMonitor", _spec("apiVersion", "monitoring.coreos.com/v2")),
    ("monitoring", "PrometheusRule", _spec("spec.groups.0.rules.0.expression", "up")),
    ("infrastructure", "Kafka", _spec("spec.kafka.replicas", 3)),
    ("infrastructure", "Kafka", _spec("spec.kafka.listeners.0.port", 80)),
    ("infrastructure", "Kafka", _spec("spec.kafka.listeners.0.authentication.type", "scram-sha-256")),
    ("infrastructure", "Kafka", _spec("spec.kafka.listeners.0.networkPolicyPeers.0.podSelectors", {})),
    ("infrastructure", "KafkaNodePool", _spec("spec.roles.0", "zookeeper")),
    ("infrastructure", "KafkaNodePool", _spec("spec.storage.volumes.0.type", "disk")),
    ("infrastructure", "KafkaTopic", _spec("spec.partition", 6)),
    ("infrastructure", "KafkaTopic", _spec("apiVersion", "kafka.strimzi.io/v1beta1")),
    ("infrastructure", "KafkaUser", _spec("spec.authorization.acls.0.operations.0", "Peek")),
    ("infrastructure", "KafkaUser", _spec("spec.authorization.acls.0.resource.patternType", "prefixed")),
    ("infrastructure", "KafkaUser", _spec("spec.authorization.acls.0.operation", "Read")),
    ("infrastructure", "Cluster", _spec("spec.bootstrap.initdb.owners", "x")),
    ("infrastructure", "Cluster", _spec("spec.instances", "three")),
    ("infrastructure", "Cluster", _spec("spec.managed.roles.0.ensure", "here")),
    ("infrastructure", "ScheduledBackup", _spec("spec.cluster", "ordering-db")),
    ("infrastructure", "PodMonitor", _spec("spec.podMetricsEndpoints.0.ports", "metrics")),
    ("infrastructure", "KafkaTopic", _spec("metadata.uid", "x")),
]


@pytest.mark.parametrize(("chart", "kind", "broken"), CASES)
def test_a_broken_manifest_is_noticed(rendered: Rendered, chart: str, kind: str, broken: Break) -> None:
    manifest = copy.deepcopy(of_kind(rendered(chart, "production"), kind)[0])
    assert problems(manifest) == []
    broken(manifest)
    assert problems(manifest)


def test_an_unknown_resource_is_a_problem() -> None:
    manifest = {"apiVersion": "example.org/v1", "kind": "Thing", "metadata": {"name": "x"}}
    assert problems(manifest) == ["Thing x: no such resource: example.org/v1"]
