"""One source: alarms and dashboards in the cluster are compose's files, and are fed with the same labels."""

import json

import pytest
import yaml

from charts.catalogue import SERVICES
from charts.testing import Rendered, named, of_kind
from local_stack.paths import WORK_TREE

COMPOSE = WORK_TREE / "deploy" / "compose"


def test_the_alarms_are_those_of_compose(rendered: Rendered) -> None:
    (rule,) = of_kind(rendered("monitoring"), "PrometheusRule")
    assert rule["spec"] == yaml.safe_load((COMPOSE / "prometheus" / "rules.yml").read_text(encoding="utf-8"))
    assert rule["spec"]["groups"]


def test_the_dashboards_are_those_of_compose(rendered: Rendered) -> None:
    files = {path.name: path for path in (COMPOSE / "grafana" / "dashboards").glob("*.json")}
    found = of_kind(rendered("monitoring"), "ConfigMap")
    assert {name for one in found for name in one["data"]} == set(files)
    assert files
    for one in found:
        assert one["metadata"]["labels"]["grafana_dashboard"] == "1"
        for name, content in one["data"].items():
            assert json.loads(content) == json.loads(files[name].read_text(encoding="utf-8"))


@pytest.mark.parametrize("service", SERVICES)
def test_metrics_have_the_labels_that_the_alarms_use(rendered: Rendered, service: str) -> None:
    scrape = yaml.safe_load((COMPOSE / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))["scrape_configs"]
    manifests = rendered(service, "production")
    monitor = named(manifests, "ServiceMonitor", service)
    (endpoint,) = monitor["spec"]["endpoints"]
    labels = {one["targetLabel"]: one["replacement"] for one in endpoint["relabelings"]}
    assert labels == {"job": "services", "service": service}
    assert labels["job"] in {one["job_name"] for one in scrape}
    assert (endpoint["port"], endpoint["path"]) == ("http", "/metrics")
    served = named(manifests, "Service", service)
    assert monitor["spec"]["selector"]["matchLabels"].items() <= served["metadata"]["labels"].items()
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    assert not of_kind(rendered(service), "ServiceMonitor")
