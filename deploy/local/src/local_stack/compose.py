"""`python -m local_stack.compose`: what docker-compose.yml needs beside the images, in .run/compose.

One file of settings per container, from the same declarations as the local stack's, and one secret file for each role
of the databases and each user of the brokers. What exists stays: the databases know their passwords, and sealed values
their keys.
"""

import json
import secrets
from collections.abc import Mapping
from pathlib import Path

from local_stack.access import owner_of, read_access
from local_stack.compose_rights import BROKER
from local_stack.kafka_login import ADMIN
from local_stack.paths import run_dir
from local_stack.product import AGENTS, PRODUCT, SANDBOX, STOREFRONTS
from local_stack.site import Site

_PORT = 8000
_EVERYWHERE = {"HTTP_HOST": "0.0.0.0", "HTTP_PORT": str(_PORT), "SHOPS_DIR": "/shops"}  # noqa: S104 - inside a container, behind its network
_TRACE = "http://localhost:16686/trace/{trace_id}?uiFind={span_id}"
#: Paths and addresses that are others inside containers; None leaves a setting out.
_OWN: Mapping[str, Mapping[str, str | None]] = {
    "ordering": {"TRACE_URL_TEMPLATE": _TRACE, "ACCOUNT_URL": "http://localhost:8004"},
    "operations": {
        "TRACE_URL_TEMPLATE": _TRACE,
        "TRACE_API": "http://jaeger:16686/api/traces/{trace_id}",
        "PUBLIC_URL": "http://localhost:8006",
    },
    "notifications": {"SMTP_HOST": "mailpit", "SMTP_PORT": "1025", "PUBLIC_URL": "http://localhost:8004"},
    "refunds": {"PUBLIC_URL": "http://localhost:8005"},
    "sandbox": {
        "SANDBOX_HOST": "0.0.0.0",  # noqa: S104 - as above
        "SANDBOX_HTTP_PORT": str(_PORT),
        "SANDBOX_SMTP_PORT": "8025",
        "SANDBOX_DATA_DIR": "/data",
    },
}


class Containers(Site):
    """A site whose components know each other by their names."""

    def url(self, name: str) -> str:
        """The base URL of a component inside the network."""
        return f"http://{name}:{_PORT}"

    @property
    def bootstrap_servers(self) -> str:
        """What Kafka clients connect to."""
        return BROKER


def make(folder: Path) -> None:
    """Make what is missing, and write the settings anew."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    names = [component.name for component in PRODUCT if component.has_database]
    site = Containers.load(folder)
    site.ports = {name: _PORT for component in PRODUCT for name in (component.name, *dict(component.other_ports))}
    site.databases = dict.fromkeys(names, "")
    site.invent_secrets(names, STOREFRONTS, AGENTS)
    site.invent_kafka_passwords([ADMIN, *read_access().names])
    site.save()
    for component in PRODUCT:
        own = {**_EVERYWHERE, **_OWN.get(component.name, {})} if component is not SANDBOX else _OWN["sandbox"]
        settings = {**component.environment(site), **own}
        lines = (f"{name}='{value}'\n" for name, value in settings.items() if _is_shown(name, value))
        _write(folder / f"{component.name}.env", "".join(lines))
    (folder / "secrets").mkdir(exist_ok=True)
    _databases(folder / "secrets", names)
    _brokers(folder / "secrets", names, site.kafka_passwords)


def _is_shown(name: str, value: str | None) -> bool:
    return value is not None and name not in ("DATABASE_URL", "KAFKA_PASSWORD", "TRACE_FILE")


def _brokers(folder: Path, services: list[str], passwords: Mapping[str, str]) -> None:
    admin = passwords[ADMIN]
    login = f'org.apache.kafka.common.security.plain.PlainLoginModule required username="{ADMIN}" password="{admin}";'
    client = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", "sasl.jaas.config": login}
    _write(folder / "kafka_users", json.dumps(passwords))
    _write(folder / "kafka_admin_password", admin)
    _write(folder / "kafka_admin_client", "".join(f"{name}={value}\n" for name, value in client.items()))
    for service in services:
        for user, kind in ((service, ""), (owner_of(service), "_owner")):
            if user in passwords:  # who owns no topic needs no owner
                _write(folder / f"{service}{kind}_kafka_password", passwords[user])


def _databases(folder: Path, services: list[str]) -> None:

    def keep(name: str, value: str) -> str:
        path = folder / name
        if not path.exists():
            _write(path, value)
        return path.read_text(encoding="utf-8")

    keep("postgres_password", secrets.token_urlsafe(24))
    keep("grafana_password", secrets.token_urlsafe(24))
    for service in services:
        for role, kind in ((service, ""), (f"{service}_owner", "_owner")):
            password = keep(f"{role}_password", secrets.token_urlsafe(24))
            keep(f"{service}{kind}_database_url", f"postgresql+psycopg://{role}:{password}@postgres:5432/{service}")


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o644)  # containers read it as another user; the folder above lets nobody else in


if __name__ == "__main__":
    make(run_dir("compose"))
