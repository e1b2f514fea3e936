"""Every chart renders, with every example, to what Kubernetes and the operators accept; bad values are refused."""

import os
import re
from pathlib import Path

import pytest

from charts.catalogue import ALL, CHARTS, INSTALLABLE, SERVICES, values_files
from charts.helm import Charts, HelmError
from charts.schemas import REQUIRED, missing
from charts.testing import EXAMPLES, Rendered, named, of_kind
from charts.validation import problems


@pytest.mark.parametrize(("chart", "example"), EXAMPLES)
def test_every_chart_is_accepted_strictly(charts: Charts, rendered: Rendered, chart: str, example: str) -> None:
    charts.lint(chart, [values_files(chart)[example]])
    manifests = rendered(chart, example)
    assert [text for one in manifests for text in problems(one)] == []
    names = [(one["kind"], one["metadata"]["name"]) for one in manifests]
    assert len(set(names)) == len(names)


def test_every_chart_has_a_minimal_and_a_production_example() -> None:
    assert {(chart, kind) for chart in INSTALLABLE for kind in ("minimal", "production")} <= set(EXAMPLES)


def test_the_schemas_of_values_are_those_of_the_settings() -> None:
    assert missing() == [], "run `make charts`"


@pytest.mark.parametrize("service", SERVICES)
def test_without_what_it_cannot_do_without_a_chart_refuses_by_name(charts: Charts, service: str) -> None:
    needed = REQUIRED.get(service, ())
    if not needed:
        assert charts.template(service)
        return
    with pytest.raises(HelmError, match="settings") as refused:
        charts.template(service)
    for name in needed:
        assert name in str(refused.value)


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ('replicaCount="two"', "/replicaCount"),
        ("replicaCount=0", "/replicaCount"),
        ("replicas=2", "'replicas' not allowed"),
        ("image.tag=1.0", "/image/tag"),
        ('image.digest="sha256:short"', "/image/digest"),
        ('settings.SESSION_RETENTION_DAYS="a year"', "/settings/SESSION_RETENTION_DAYS"),
        ("settings.SESSION_RETENTION_DAYS=0", "/settings/SESSION_RETENTION_DAYS"),
        ("settings.SESSION_RETENTOIN_DAYS=1", "SESSION_RETENTOIN_DAYS"),
        ('settings.STOREFRONT_KEYS={"esimka": "secret"}', "STOREFRONT_KEYS"),
        ('settings.DATABASE_URL="postgresql://u:p@h/d"', "DATABASE_URL"),
        ('secret.keys=["seal_private_kye"]', "/secret/keys/0"),
        ('autoscaling.by="lags"', "/autoscaling/by"),
        ('ingress.paths=["orders"]', "/ingress/paths/0"),
        ('calls=["payment"]', "/calls/0"),
        ('networkPolicy.external=[{"name": "bank", "ports": [443], "cidrs": ["bank.example"]}]', "/external/0/cidrs/0"),
        ('kafka.bootstrapServers="kafka"', "/kafka/bootstrapServers"),
        ('global={"image": {"regsitry": "x"}}', "regsitry"),
        ("ingress.enabled=true", "ingress.host is needed"),
        ('autoscaling={"by": "lag", "maxReplicas": 12}', "above kafka.partitions"),
        ("autoscaling.minReplicas=7", "minReplicas is above maxReplicas"),
        ("termination.graceSeconds=20", "less than 35 s"),
        ('secret.keys=["log_level"]\tsettings.LOG_LEVEL="DEBUG"', "leave one of them out"),
    ],
)
def test_bad_values_are_refused_with_the_place(charts: Charts, setting: str, complaint: str) -> None:
    with pytest.raises(HelmError) as refused:
        charts.template("ordering", settings=setting.split("\t"))
    assert complaint in str(refused.value)


@pytest.mark.parametrize("service", SERVICES)
def test_one_service_is_released_alone(rendered: Rendered, service: str) -> None:
    """Nothing in it is of another service: its own release can be upgraded and taken back."""
    for one in rendered(service, "production"):
        assert one["metadata"]["labels"]["app.kubernetes.io/name"] == service
        assert one["metadata"]["name"] in (service, f"{service}-migrate", f"{service}-kafka")


def test_a_new_image_of_one_service_changes_only_its_own_pods(charts: Charts) -> None:
    values = [values_files("esim-fulfilment")["minimal"]]
    before = charts.template("esim-fulfilment", values)
    after = charts.template("esim-fulfilment", values, ['ordering.image.tag="9.9.9"'])
    changed = [(new["kind"], new["metadata"]["name"]) for old, new in zip(before, after, strict=True) if old != new]
    assert {name for _, name in changed} == {"ordering", "ordering-migrate"}
    image = named(after, "Deployment", "ordering")["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image.endswith("ordering:9.9.9")


def test_charts_alone_and_in_the_umbrella_are_the_same(charts: Charts, rendered: Rendered) -> None:
    """But for the release's name, of which only a label tells."""
    together = rendered("esim-fulfilment")
    for service in SERVICES:
        for alone in rendered(service):
            one = named(together, alone["kind"], alone["metadata"]["name"])
            texts = [re.sub(r"'app.kubernetes.io/instance': '[^']*'", "", repr(each)) for each in (alone, one)]
            assert texts[0] == texts[1]


def test_each_part_of_the_umbrella_can_be_switched_off(charts: Charts) -> None:
    values = [values_files("esim-fulfilment")["minimal"]]
    for service in SERVICES:
        manifests = charts.template("esim-fulfilment", values, [f"{service}.enabled=false"])
        assert {one["metadata"]["name"] for one in of_kind(manifests, "Deployment")} == set(SERVICES) - {service}


def test_infrastructure_and_services_are_not_installed_in_one_step(charts: Charts) -> None:
    """The migrations would wait for databases that are to come after them. An upgrade may hold both."""
    values = [values_files("esim-fulfilment")["minimal"]]
    with pytest.raises(HelmError, match="install the infrastructure first"):
        charts.template("esim-fulfilment", values, ["infrastructure.enabled=true"])
    both = charts.template("esim-fulfilment", values, ["infrastructure.enabled=true"], upgrade=True)
    assert of_kind(both, "Kafka")
    assert of_kind(both, "Deployment")


def test_charts_can_be_packaged(charts: Charts, tmp_path: Path) -> None:
    assert [path.name.rpartition("-")[0] for path in charts.package(tmp_path)] == sorted(INSTALLABLE)


def test_all_charts_are_in_the_catalogue() -> None:
    assert {path.name for path in CHARTS.iterdir()} == set(ALL)


def test_links_lead_to_the_one_source() -> None:
    for path, target in {
        "infrastructure/files/access.json": "deploy/access/access.json",
        "infrastructure/files/rights.sql": "deploy/compose/postgres/rights/service.sql",
        "monitoring/files/rules.yml": "deploy/compose/prometheus/rules.yml",
        "monitoring/files/dashboards": "deploy/compose/grafana/dashboards",
    }.items():
        assert (CHARTS / path).is_symlink()
        assert os.path.realpath(CHARTS / path).endswith(target)
