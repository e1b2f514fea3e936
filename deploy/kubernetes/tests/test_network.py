"""Policies let through what is declared, and nothing else; what is declared is what the services do."""

import json
from urllib.parse import urlsplit

import pytest
import yaml

from charts.catalogue import CHARTS, SERVICES
from charts.helm import Charts
from charts.testing import Rendered, named
from operations.pages.rendering import BASE
from shared.testing.documents import JsonObject

DNS = ({"kubernetes.io/metadata.name": "kube-system"}, {"k8s-app": "kube-dns"})
BROKERS = (None, {"strimzi.io/cluster": "esim", "strimzi.io/name": "esim-kafka"})


def _values(service: str) -> JsonObject:
    found: JsonObject = yaml.safe_load((CHARTS / service / "values.yaml").read_text(encoding="utf-8"))
    return found


def _pods(name: str) -> tuple[None, dict[str, str]]:
    labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "esim-fulfilment"}
    return None, {**labels, "app.kubernetes.io/component": "service"}


def _ends(rules: list[JsonObject], side: str) -> set[str]:
    """Each permitted (peer, port), as JSON; a peer is (labels of its namespace, labels of its pods) or an address."""
    found = set()
    for rule in rules:
        assert rule[side], "an empty list would let everybody through"
        assert rule["ports"], "without ports every port would be open"
        for peer in rule[side]:
            labels = [peer.get(kind, {}).get("matchLabels") for kind in ("namespaceSelector", "podSelector")]
            end = peer["ipBlock"]["cidr"] if "ipBlock" in peer else labels
            assert end != [None, None]
            found |= {json.dumps([end, port["port"]]) for port in rule["ports"]}
    return found


def _set(*ends: tuple[object, object]) -> set[str]:
    return {json.dumps([list(peer) if isinstance(peer, tuple) else peer, port]) for peer, port in ends}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_reaches_and_is_reached_as_declared(rendered: Rendered, service: str) -> None:
    values = _values(service)
    spec = named(rendered(service), "NetworkPolicy", service)["spec"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    expected = _set((DNS, 53), ((None, {"cnpg.io/cluster": f"{service}-db"}), 5432), (BROKERS, 9093))
    expected |= _set(*((_pods(other), "http") for other in values.get("calls", [])))
    outside = [
        (cidr, port)
        for one in values.get("networkPolicy", {}).get("external", [])
        for cidr in one["cidrs"]
        for port in one["ports"]
    ]
    assert _ends(spec["egress"], "to") == expected | _set(*outside)
    assert _ends(spec["ingress"], "from") == _set(*((_pods(other), "http") for other in values.get("calledBy", [])))


def test_nobody_outside_is_called_but_by_those_with_partners_there() -> None:
    outside = {service for service in SERVICES if _values(service).get("networkPolicy", {}).get("external")}
    assert outside == {"payments", "provisioning", "notifications", "refunds"}


@pytest.mark.parametrize("service", SERVICES)
def test_the_clusters_own_networks_are_not_outside(rendered: Rendered, service: str) -> None:
    for rule in named(rendered(service), "NetworkPolicy", service)["spec"]["egress"]:
        for peer in rule["to"]:
            if peer.get("ipBlock", {}).get("cidr") == "0.0.0.0/0":
                assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"} <= set(
                    peer["ipBlock"]["except"]
                )


@pytest.mark.parametrize("service", SERVICES)
def test_production_opens_no_more_than_its_partners_and_its_ways_in(rendered: Rendered, service: str) -> None:
    spec = named(rendered(service, "production"), "NetworkPolicy", service)["spec"]
    came = _ends(spec["ingress"], "from") - _ends(
        named(rendered(service), "NetworkPolicy", service)["spec"]["ingress"], "from"
    )
    controller, prometheus = ({"kubernetes.io/metadata.name": name} for name in ("ingress-nginx", "monitoring"))
    assert came == _set(((controller, None), "http"), ((prometheus, None), "http"))
    assert _set((({"kubernetes.io/metadata.name": "observability"}, None), 4318)) <= _ends(spec["egress"], "to")


@pytest.mark.parametrize("service", SERVICES)
def test_a_migration_reaches_its_database_and_the_brokers(rendered: Rendered, service: str) -> None:
    spec = named(rendered(service), "NetworkPolicy", f"{service}-migrate")["spec"]
    expected = _set((DNS, 53), ((None, {"cnpg.io/cluster": f"{service}-db"}), 5432))
    assert _ends(spec["egress"], "to") == expected | (set() if service == "operations" else _set((BROKERS, 9093)))
    assert spec["ingress"] == []
    assert "Ingress" in spec["policyTypes"]
    job = named(rendered(service), "Job", f"{service}-migrate")
    assert spec["podSelector"]["matchLabels"].items() <= job["spec"]["template"]["metadata"]["labels"].items()


def test_who_calls_is_let_in() -> None:
    calls = {(caller, called) for caller in SERVICES for called in _values(caller).get("calls", [])}
    assert calls == {(caller, called) for called in SERVICES for caller in _values(called).get("calledBy", [])}


@pytest.mark.parametrize("service", SERVICES)
def test_the_settings_name_those_that_may_be_called(rendered: Rendered, service: str) -> None:
    settings = named(rendered(service), "ConfigMap", service)["data"]
    hosts = set()
    for name, value in settings.items():
        urls = json.loads(value).values() if value.startswith("{") else [value]
        hosts |= {urlsplit(url).hostname for url in urls if name != "KAFKA_CA_FILE" and str(url).startswith("http://")}
    assert hosts == set(_values(service).get("calls", []))


@pytest.mark.parametrize("service", SERVICES)
def test_only_public_paths_come_in_from_outside(rendered: Rendered, service: str) -> None:
    (rule,) = named(rendered(service, "production"), "Ingress", service)["spec"]["rules"]
    paths = [one["path"] for one in rule["http"]["paths"]]
    assert paths == _values(service)["ingress"]["paths"]
    inside = ("/", "/metrics", "/health/live", "/docs", "/operations/dead-letters", "/privacy/buyers/1", "/search")
    for internal in inside:
        assert not any(internal == path or internal.startswith(f"{path.rstrip('/')}/") for path in paths)


def test_whoever_opens_the_operations_page_gets_all_of_it(rendered: Rendered) -> None:
    (rule,) = named(rendered("operations", "production"), "Ingress", "operations")["spec"]["rules"]
    assert [one["path"] for one in rule["http"]["paths"]] == [BASE]  # style, icon and the sign-in's callback below it


def test_a_port_besides_http_is_open_to_its_addresses_alone(charts: Charts) -> None:
    needed = 'settings.PUBLIC_URL="https://refunds.example"'
    ports = 'extraPorts=[{"name": "lmtp", "port": 8024, "cidrs": ["192.0.2.7/32"]}]'
    documents = charts.template("refunds", settings=[needed, ports])
    spec = named(documents, "NetworkPolicy", "refunds")["spec"]
    plain = named(charts.template("refunds", settings=[needed]), "NetworkPolicy", "refunds")["spec"]
    assert _ends(spec["ingress"], "from") - _ends(plain["ingress"], "from") == _set(("192.0.2.7/32", "lmtp"))
    service = named(documents, "Service", "refunds")["spec"]
    assert {port["name"]: port["port"] for port in service["ports"]} == {"http": 80, "lmtp": 8024}
    (container,) = named(documents, "Deployment", "refunds")["spec"]["template"]["spec"]["containers"]
    assert {port["name"]: port["containerPort"] for port in container["ports"]} == {"http": 8000, "lmtp": 8024}


def test_brokers_outside_are_reached_by_address(charts: Charts) -> None:
    settings = ['networkPolicy.kafka.cidrs=["192.0.2.0/28"]', "networkPolicy.kafka.port=9094"]
    spec = named(charts.template("ordering", settings=settings), "NetworkPolicy", "ordering")["spec"]
    ends = _ends(spec["egress"], "to")
    assert _set(("192.0.2.0/28", 9094)) <= ends
    assert not _set((BROKERS, 9093)) & ends


@pytest.mark.parametrize("service", SERVICES)
def test_a_database_lets_in_its_own_service_alone(rendered: Rendered, service: str) -> None:
    spec = named(rendered("infrastructure"), "NetworkPolicy", f"{service}-db")["spec"]
    own = (None, {"app.kubernetes.io/name": service, "app.kubernetes.io/part-of": "esim-fulfilment"})
    instances = (None, {"cnpg.io/cluster": f"{service}-db"})
    operator = ({"kubernetes.io/metadata.name": "cnpg-system"}, None)
    expected = _set((own, 5432), *((peer, port) for peer in (instances, operator) for port in (5432, 8000)))
    assert _ends(spec["ingress"], "from") == expected
    assert spec["podSelector"]["matchLabels"] == {"cnpg.io/cluster": f"{service}-db"}


def test_the_brokers_let_in_the_products_pods_and_those_who_read_lags(rendered: Rendered) -> None:
    (listener,) = named(rendered("infrastructure"), "Kafka", "esim")["spec"]["kafka"]["listeners"]
    peers = listener["networkPolicyPeers"]
    assert peers == [
        {
            "podSelector": {
                "matchLabels": {"app.kubernetes.io/part-of": "esim-fulfilment"},
                "matchExpressions": [
                    {"key": "app.kubernetes.io/component", "operator": "In", "values": ["service", "migration"]}
                ],
            }
        },
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "keda"}}},
    ]
