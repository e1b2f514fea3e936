"""Topics, users and databases in the cluster are those of the code, the table of rights, and compose."""

import json
import re

import pytest
import yaml

from charts.catalogue import CHARTS, SERVICES
from charts.testing import Rendered, named, of_kind
from local_stack.access import FILE
from local_stack.paths import WORK_TREE
from shared.contracts import EVENTS
from shared.messaging.topics import topic_settings

POSTGRES = WORK_TREE / "deploy" / "compose" / "postgres"
RIGHTS = POSTGRES / "rights" / "service.sql"
EXAMPLES = ("minimal", "production")


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_topic_is_there_with_what_was_promised_of_it(rendered: Rendered, example: str) -> None:
    topics = {one["spec"]["topicName"]: one for one in of_kind(rendered("infrastructure", example), "KafkaTopic")}
    table = json.loads(FILE.read_text(encoding="utf-8"))
    assert set(topics) == {one["name"] for one in table["topics"]} >= set(EVENTS)
    for name, topic in topics.items():
        assert topic["spec"]["config"] == {**topic_settings(name), "min.insync.replicas": "2"}
        assert (topic["spec"]["partitions"], topic["spec"]["replicas"]) == (6, 3)
        assert topic["metadata"]["name"] == name


@pytest.mark.parametrize("example", EXAMPLES)
def test_users_may_do_what_the_table_says_and_no_more(rendered: Rendered, example: str) -> None:
    users = {one["metadata"]["name"]: one["spec"] for one in of_kind(rendered("infrastructure", example), "KafkaUser")}
    table = json.loads(FILE.read_text(encoding="utf-8"))
    assert list(users) == [one["name"] for one in table["principals"]]
    for principal in table["principals"]:
        spec = users[principal["name"]]
        assert spec["authentication"] == {"type": "scram-sha-512"}
        assert spec["authorization"]["type"] == "simple"
        given = [
            {
                "type": acl["resource"]["type"],
                "name": acl["resource"]["name"],
                "pattern": {"prefix": "prefixed"}.get(acl["resource"]["patternType"], acl["resource"]["patternType"]),
                "operations": acl["operations"],
            }
            for acl in spec["authorization"]["acls"]
        ]
        assert given == principal["acls"]
        assert all(
            "type" not in acl for acl in spec["authorization"]["acls"]
        )  # what is not said to be denied is allowed


def test_what_concerns_one_cluster_names_it(rendered: Rendered) -> None:
    for one in of_kind(rendered("infrastructure"), "KafkaTopic", "KafkaUser", "KafkaNodePool"):
        assert one["metadata"]["labels"]["strimzi.io/cluster"] == "esim"


@pytest.mark.parametrize("example", EXAMPLES)
def test_nobody_reaches_the_brokers_without_tls_and_a_name(rendered: Rendered, example: str) -> None:
    kafka = named(rendered("infrastructure", example), "Kafka", "esim")["spec"]["kafka"]
    for listener in kafka["listeners"]:
        assert listener["tls"] is True
        assert listener["authentication"] == {"type": "scram-sha-512"}
    assert kafka["authorization"] == {"type": "simple"}
    assert kafka["config"]["auto.create.topics.enable"] is False
    assert kafka["config"]["min.insync.replicas"] == 2


def test_the_charts_come_as_users_that_there_are(rendered: Rendered) -> None:
    users = {one["metadata"]["name"] for one in of_kind(rendered("infrastructure"), "KafkaUser")}
    for service in SERVICES:
        assert named(rendered(service), "ConfigMap", service)["data"]["KAFKA_USERNAME"] in users
        (container,) = named(rendered(service), "Job", f"{service}-migrate")["spec"]["template"]["spec"]["containers"]
        environment = {one["name"]: one["value"] for one in container["env"]}
        assert environment.get("KAFKA_USERNAME") in {*users, None}
        assert ("KAFKA_USERNAME" in environment) == (f"{service}-owner" in users)


def test_the_clusters_name_is_the_one_that_the_services_expect(rendered: Rendered) -> None:
    (kafka,) = of_kind(rendered("infrastructure"), "Kafka")
    name = kafka["metadata"]["name"]
    for service in SERVICES:
        environment = named(rendered(service), "ConfigMap", service)["data"]
        assert environment["KAFKA_BOOTSTRAP_SERVERS"] == f"{name}-kafka-bootstrap:9093"


@pytest.mark.parametrize("service", SERVICES)
def test_each_database_has_the_roles_that_compose_gives_it(rendered: Rendered, service: str) -> None:
    """The same statements; the owner and the database are the operator's to make."""
    rights = re.sub(r"^--.*$", "", RIGHTS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    for variable, value in (("DBNAME", service), ("service", service), ("owner", f"{service}_owner")):
        rights = rights.replace(f':"{variable}"', f'"{value}"')
    spec = named(rendered("infrastructure"), "Cluster", f"{service}-db")["spec"]
    initdb = spec["bootstrap"]["initdb"]
    first, *others = initdb["postInitApplicationSQL"]
    assert first == f'CREATE ROLE "{service}" LOGIN'
    assert " ".join(f"{one};" for one in others) == " ".join(rights.split())
    assert ':"' not in " ".join(others)
    assert (initdb["database"], initdb["owner"]) == (service, f"{service}_owner")
    assert initdb["secret"] == {"name": f"{service}-database-owner"}
    (role,) = spec["managed"]["roles"]
    assert role["name"] == service
    assert role["passwordSecret"] == {"name": f"{service}-database"}
    assert not any(role[right] for right in ("superuser", "createdb", "createrole"))
    assert spec["enableSuperuserAccess"] is False


def test_compose_and_the_cluster_have_the_same_databases() -> None:
    (names,) = re.findall(
        r"^for service in (.*); do$", (POSTGRES / "databases.sh").read_text(encoding="utf-8"), re.MULTILINE
    )
    values = yaml.safe_load((CHARTS / "infrastructure" / "values.yaml").read_text(encoding="utf-8"))
    assert sorted(names.split()) == sorted(values["postgres"]["databases"]) == sorted(SERVICES)


@pytest.mark.parametrize("example", EXAMPLES)
def test_a_commit_survives_its_machine(rendered: Rendered, example: str) -> None:
    for one in of_kind(rendered("infrastructure", example), "Cluster"):
        assert one["spec"]["instances"] == 3
        assert one["spec"]["postgresql"]["synchronous"] == {"method": "any", "number": 1, "dataDurability": "required"}
        assert one["spec"]["postgresql"]["pg_hba"][0] == "hostnossl all all all reject"


@pytest.mark.parametrize("example", EXAMPLES)
def test_what_holds_data_outlives_its_release(rendered: Rendered, example: str) -> None:
    for one in of_kind(rendered("infrastructure", example), "Kafka", "KafkaNodePool", "KafkaTopic", "Cluster"):
        assert one["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_one_databases_values_are_over_those_of_all(rendered: Rendered) -> None:
    clusters = rendered("infrastructure", "production")
    payments, orders = (named(clusters, "Cluster", f"{name}-db")["spec"] for name in ("payments", "ordering"))
    assert payments["storage"] == {"size": "500Gi", "storageClass": "fast"}
    assert payments["postgresql"]["parameters"]["max_connections"] == "200"
    assert orders["storage"] == {"size": "100Gi", "storageClass": "fast"}
    backups = of_kind(clusters, "ScheduledBackup")
    assert {one["spec"]["cluster"]["name"] for one in backups} == {f"{service}-db" for service in SERVICES}
