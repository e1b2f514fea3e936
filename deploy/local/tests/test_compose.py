"""The containers' settings come from the local stack's declarations; docker-compose.yml asks for nothing else.

And what the file promises: no root, nothing to write to but volumes, nobody with another's secrets.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from local_stack import compose
from local_stack.access import read_access
from local_stack.paths import LOCAL, WORK_TREE
from local_stack.product import PRODUCT
from shared.testing.documents import JsonObject

FILE = WORK_TREE / "docker-compose.yml"
CONTAINERS: dict[str, JsonObject] = yaml.safe_load(FILE.read_text(encoding="utf-8"))["services"]
DOCKERFILES = sorted(WORK_TREE.glob("*/*/Dockerfile"))
WITH_DATABASE = [component.name for component in PRODUCT if component.has_database]
#: What these images are started as by themselves, when nothing else is said: nobody and grafana.
NOT_ROOT = {"prometheus": "prom/prometheus:", "grafana": "grafana/grafana:"}


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """`.run/compose`, as `make compose` makes it."""
    compose.make(tmp_path)
    return tmp_path


def settings(path: Path) -> dict[str, str]:
    """An env file's lines: NAME='value'."""
    text = path.read_text(encoding="utf-8")
    found = dict(re.findall(r"^([A-Z_0-9]+)='([^']*)'$", text, re.MULTILINE))
    assert len(found) == len(text.splitlines())
    return found


def secrets(name: str) -> dict[str, str]:
    """A container's secrets: the name of its file -> whose it is."""
    given = [{"source": each} if isinstance(each, str) else each for each in CONTAINERS[name].get("secrets", [])]
    return {each.get("target", each["source"]): each["source"] for each in given}


def run(*command: str) -> str:
    """What one of the environment's tools finds wrong."""
    tool = [str(Path(sys.executable).with_name(command[0])), *command[1:]]
    done = subprocess.run(tool, cwd=WORK_TREE, capture_output=True, text=True, check=False)  # noqa: S603 - our constants
    return f"{done.stdout}{done.stderr}" if done.returncode else ""


def test_the_file_follows_compose_s_schema() -> None:
    assert run("check-jsonschema", "--builtin-schema", "vendor.compose-spec", str(FILE)) == ""


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.parent.name)
def test_a_dockerfile_is_linted_and_copies_its_own_and_what_is_shared(dockerfile: Path) -> None:
    assert run("hadolint", str(dockerfile)) == ""
    text = dockerfile.read_text(encoding="utf-8")
    own = str(dockerfile.parent.relative_to(WORK_TREE))
    copied = [name for line in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE) for name in line.split()]
    assert {name for name in copied if not name.startswith(f"{own}/")} <= {"shared/src", "shops"}
    assert re.findall(r"^USER (.+)$", text, re.MULTILINE) == ["10001:10001"]


def test_every_container_finds_its_settings_and_secrets(made: Path) -> None:
    asked = {Path(container["env_file"]).name for container in CONTAINERS.values() if "env_file" in container}
    assert asked == {f"{component.name}.env" for component in PRODUCT}
    assert all((made / name).is_file() for name in asked)
    declared = yaml.safe_load(FILE.read_text(encoding="utf-8"))["secrets"]
    assert {name: each["file"] for name, each in declared.items()} == {
        path.name: f".run/compose/secrets/{path.name}" for path in (made / "secrets").iterdir()
    }
    assert {source for name in CONTAINERS for source in secrets(name).values()} == set(declared)


def test_containers_know_each_other_by_name_and_nobody_by_loopback(made: Path) -> None:
    for component in PRODUCT:
        environment = settings(made / f"{component.name}.env")
        assert not [name for name, value in environment.items() if "127.0.0.1" in value], component.name
    assert settings(made / "payments.env")["EPAY_API_URL"] == "http://sandbox:8000/epay/api"
    assert settings(made / "ordering.env")["KAFKA_BOOTSTRAP_SERVERS"] == "kafka:9092"


def test_passwords_and_keys_stay(made: Path) -> None:
    files = sorted(path for path in made.rglob("*") if path.is_file())
    before = {path: path.read_text(encoding="utf-8") for path in files}

    compose.make(made)

    assert {path: path.read_text(encoding="utf-8") for path in files} == before
    assert (made.stat().st_mode & 0o077) == 0


@pytest.mark.parametrize("name", WITH_DATABASE)
def test_the_owner_migrates_and_the_service_has_a_role_of_its_own(made: Path, name: str) -> None:
    folder = made / "secrets"
    kept = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}

    assert re.search(rf"//{name}:.+@postgres:5432/{name}$", kept[f"{name}_database_url"])
    assert re.search(rf"//{name}_owner:.+@postgres:5432/{name}$", kept[f"{name}_owner_database_url"])
    assert settings(made / f"{name}.env")["KAFKA_USERNAME"] == name
    assert secrets(name) == {"database_url": f"{name}_database_url", "kafka_password": f"{name}_kafka_password"}
    migrate = CONTAINERS[f"migrate-{name}"]
    who = migrate.get("environment", {}).get("KAFKA_USERNAME", name)
    assert secrets(f"migrate-{name}")["database_url"] == f"{name}_owner_database_url"
    assert json.loads(kept["kafka_users"])[who] == kept[secrets(f"migrate-{name}")["kafka_password"]]
    assert CONTAINERS[name]["depends_on"][f"migrate-{name}"] == {"condition": "service_completed_successfully"}
    assert name in re.findall(r"^for service in (.*); do$", _databases(), re.MULTILINE)[0].split()


def _databases() -> str:
    return (WORK_TREE / "deploy/compose/postgres/databases.sh").read_text(encoding="utf-8")


def test_nobody_has_another_s_secrets(made: Path) -> None:
    for name in (component.name for component in PRODUCT):
        environment = (made / f"{name}.env").read_text(encoding="utf-8")
        for path in (made / "secrets").iterdir():
            assert path.read_text(encoding="utf-8") not in environment, f"{path.name} is in {name}.env"
        assert all(source.startswith(f"{name}_") for source in secrets(name).values()), name
    everything = {"kafka_users", "kafka_admin_password", "kafka_admin_client", "postgres_password"}
    having = {name for name in CONTAINERS if everything & set(secrets(name).values())}
    assert having == {"kafka", "kafka-rights", "postgres"}


def test_the_brokers_users_are_those_of_the_table(made: Path) -> None:
    users = json.loads((made / "secrets" / "kafka_users").read_text(encoding="utf-8"))

    assert set(users) == {"admin", *read_access().names}
    assert len(set(users.values())) == len(users)
    needs = CONTAINERS["migrate-ordering"]["depends_on"]
    assert needs["kafka-rights"] == {"condition": "service_completed_successfully"}
    environment = CONTAINERS["kafka"]["environment"]
    assert "PLAINTEXT:PLAINTEXT" not in environment["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"]
    assert environment["KAFKA_ALLOW_EVERYONE_IF_NO_ACL_FOUND"] == "false"


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_container_is_not_root_and_writes_to_volumes_only(name: str) -> None:
    container = CONTAINERS[name]

    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]
    ours = container["image"].startswith("esim-fulfilment/")
    assert ours or "user" in container or container["image"].startswith(NOT_ROOT.get(name, "?"))
    assert str(container.get("user", "?")).partition(":")[0] not in ("0", "root")
    assert all(port.startswith("127.0.0.1:") for port in container.get("ports", []))
    for volume in container.get("volumes", []):
        assert volume.endswith(":ro") or not volume.startswith((".", "/")), volume


def test_the_broker_is_the_local_stack_s_version() -> None:
    pom = (LOCAL / "pom.xml").read_text(encoding="utf-8")
    (version,) = re.findall(r"<kafka\.version>(.+)</kafka\.version>", pom)

    assert CONTAINERS["kafka"]["image"] == f"apache/kafka:{version}"
