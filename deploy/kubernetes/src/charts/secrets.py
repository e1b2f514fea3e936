"""`python -m charts.secrets given.yaml`: all Secrets of a first installation, as manifests on standard output.

Invents what only the services among themselves know: passwords of the databases, keys that seal and sign, API keys.
What companies outside gave stands in the file, by service: {payments: {epay_client_secret: ...}, ...}. Where there is a
vault, it is filled with these and kept by the vault's own operator from then on. Kafka's passwords are Strimzi's.
"""

import argparse
import json
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from charts.catalogue import CHARTS, SERVICES
from charts.helm import Manifest
from local_stack.product import AGENTS, PRODUCT, STOREFRONTS
from local_stack.site import OPERATIONS, Site

Given = Mapping[str, Mapping[str, Any]]
#: The local stack's own values of these are the sandbox's.
FROM_OUTSIDE = frozenset(
    {
        "cash_registers",
        "dkim_keys",
        "epay_client_secret",
        "notification_secrets",
        "oidc_client_secret",
        "operators",
        "sms_key",
        "smtp_password",
        "support_mail_keys",
        "support_mailboxes",
        "telegram_bots",
        "usage_push_secrets",
        "webkassa_api_key",
        "whatsapp_numbers",
    }
)


class MissingSecretError(Exception):
    """A setting that nobody can invent was not given; the text names it."""


class _Cluster(Site):
    """A site whose components know each other by their Services' names."""

    def url(self, name: str) -> str:
        return f"http://{name}"

    @property
    def bootstrap_servers(self) -> str:
        return ""


def manifests(given: Given) -> list[Manifest]:
    """The Secrets that the charts refer to. Raises MissingSecretError."""
    found = []
    for service, settings in _settings(given).items():
        found.append(_secret(f"{service}-settings", "Opaque", settings))
        for role, name in ((service, "database"), (f"{service}_owner", "database-owner")):
            password = secrets.token_urlsafe(32)
            url = (
                f"postgresql+psycopg://{role}:{password}@{service}-db-rw:5432/{service}"
                "?sslmode=verify-full&sslrootcert=/run/authorities/database/ca.crt"
            )
            data = {"username": role, "password": password, "database_url": url}
            found.append(_secret(f"{service}-{name}", "kubernetes.io/basic-auth", data))
    return found


def _settings(given: Given) -> dict[str, dict[str, str]]:
    """By service: each key that its chart asks for, and each that was given besides."""
    with TemporaryDirectory() as folder:
        site = _Cluster(Path(folder), databases=dict.fromkeys(SERVICES, ""))
        site.ports = {name: 0 for component in PRODUCT for name in (component.name, *dict(component.other_ports))}
        site.storefront_keys = {name: secrets.token_urlsafe(32) for name in STOREFRONTS}
        site.agent_keys = {name: secrets.token_urlsafe(32) for name in AGENTS}
        site.operations_keys = {name: secrets.token_urlsafe(32) for name in OPERATIONS}
        site.invent_secrets(SERVICES, (), ())
        invented = {one.name: one.environment(site) for one in PRODUCT if one.name in SERVICES}
    return {service: _of(service, invented[service], given.get(service, {})) for service in SERVICES}


def _of(service: str, invented: Mapping[str, str], given: Mapping[str, Any]) -> dict[str, str]:
    values = yaml.safe_load((CHARTS / service / "values.yaml").read_text(encoding="utf-8"))
    found = {}
    for key in dict.fromkeys([*values["secret"]["keys"], *given]):
        value = given.get(key) if key in given or key in FROM_OUTSIDE else invented.get(key.upper())
        if value is None:
            raise MissingSecretError(f"{service}: {key} is not given")
        found[key] = value if isinstance(value, str) else json.dumps(value)
    return found


def _secret(name: str, kind: str, data: Mapping[str, str]) -> Manifest:
    labels = {"app.kubernetes.io/part-of": "esim-fulfilment"}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": labels},
        "type": kind,
        "stringData": dict(data),
    }


def main() -> int:
    """0, or 1 when something is missing; then nothing is written."""
    parser = argparse.ArgumentParser(prog="python -m charts.secrets", description=__doc__)
    parser.add_argument("given", type=Path, help="YAML: what companies outside gave, by service")
    given = yaml.safe_load(parser.parse_args().given.read_text(encoding="utf-8")) or {}
    try:
        found = manifests(given)
    except MissingSecretError as error:
        print(error, file=sys.stderr)
        return 1
    yaml.safe_dump_all(found, sys.stdout, sort_keys=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
