"""What containers are told comes from the local stack's declarations; docker-compose.yml asks for nothing else."""

import re
from pathlib import Path

from local_stack import compose
from local_stack.paths import WORK_TREE
from local_stack.product import PRODUCT, SERVICES

FILE = (WORK_TREE / "docker-compose.yml").read_text(encoding="utf-8")


def settings(path: Path) -> dict[str, str]:
    """An env file's lines: NAME='value'."""
    text = path.read_text(encoding="utf-8")
    found = dict(re.findall(r"^([A-Z_0-9]+)='([^']*)'$", text, re.MULTILINE))
    assert len(found) == len(text.splitlines())
    return found


def test_every_container_finds_its_settings_and_secrets(tmp_path: Path) -> None:
    compose.make(tmp_path)

    asked = {Path(name).name for name in re.findall(r"env_file: (\S+)", FILE)}
    assert asked == {f"{component.name}.env" for component in PRODUCT}
    assert all((tmp_path / name).is_file() for name in asked)
    secrets = {Path(name).name for name in re.findall(r"\{file: \.run/compose/(secrets/\w+)\}", FILE)}
    assert secrets == {path.name for path in (tmp_path / "secrets").iterdir()}


def test_containers_know_each_other_by_name_and_nobody_by_loopback(tmp_path: Path) -> None:
    compose.make(tmp_path)

    for component in PRODUCT:
        told = settings(tmp_path / f"{component.name}.env")
        assert not [name for name, value in told.items() if "127.0.0.1" in value], component.name
    assert settings(tmp_path / "payments.env")["EPAY_API_URL"] == "http://sandbox:8000/epay/api"
    assert settings(tmp_path / "ordering.env")["KAFKA_BOOTSTRAP_SERVERS"] == "kafka:9092"


def test_passwords_and_keys_stay(tmp_path: Path) -> None:
    compose.make(tmp_path)
    files = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    before = {path: path.read_text(encoding="utf-8") for path in files}

    compose.make(tmp_path)

    assert {path: path.read_text(encoding="utf-8") for path in files} == before
    assert (tmp_path.stat().st_mode & 0o077) == 0


def test_the_owner_migrates_and_the_service_has_a_role_of_its_own(tmp_path: Path) -> None:
    compose.make(tmp_path)

    for component in SERVICES:
        name = component.name
        url = (tmp_path / "secrets" / f"{name}_database_url").read_text(encoding="utf-8")
        owner = (tmp_path / "secrets" / f"{name}_owner_database_url").read_text(encoding="utf-8")
        assert re.search(rf"//{name}:.+@postgres:5432/{name}$", url)
        assert re.search(rf"//{name}_owner:.+@postgres:5432/{name}$", owner)
        assert f"  migrate-{name}:" in FILE
