"""`python -m local_stack.compose`: makes the secrets that docker-compose.yml mounts, one file each.

They are in .run/compose/secrets; existing ones stay, because the databases know them.
"""

import base64
import json
import secrets
from pathlib import Path

from nacl.public import PrivateKey

from local_stack.paths import run_dir
from local_stack.product import AGENTS, SERVICES, STOREFRONTS


def make(folder: Path) -> None:
    """Make what is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)

    def keep(name: str, value: str) -> str:
        path = folder / name
        if not path.exists():
            path.write_text(value, encoding="utf-8")
            path.chmod(0o444)  # containers read it as another user; the folder lets nobody else in
        return path.read_text(encoding="utf-8")

    for service in (component.name for component in SERVICES):
        for role, kind in ((service, ""), (f"{service}_owner", "_owner")):
            password = keep(f"{role}_password", secrets.token_urlsafe(24))
            keep(f"{service}{kind}_database_url", f"postgresql+psycopg://{role}:{password}@postgres:5432/{service}")
        private = keep(f"{service}_seal_private_key", _text(bytes(PrivateKey.generate())))
        keep(f"{service}_seal_public_key", _text(bytes(PrivateKey(base64.b64decode(private)).public_key)))
    keep("storefront_keys", json.dumps({name: secrets.token_urlsafe(24) for name in STOREFRONTS}))
    keep("agent_keys", json.dumps({name: secrets.token_urlsafe(24) for name in AGENTS}))
    for name in ("postgres_password", "epay_client_secret", "grafana_password"):
        keep(name, secrets.token_urlsafe(24))


def _text(key: bytes) -> str:
    return base64.b64encode(key).decode()


if __name__ == "__main__":
    make(run_dir("compose") / "secrets")
