"""Where the services are, and with which key: from the environment, otherwise from the local stack."""

import getpass
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SERVICES = ("ordering", "payments", "provisioning", "notifications", "refunds")
OPERATIONS = "operations"
#: Whose key of the local stack this command takes.
_HOLDER = "operator"


class SettingsError(Exception):
    """It is not known where the services are, or with which key; the words say what to set."""


@dataclass(frozen=True)
class Addresses:
    """Base URLs by service, the operations key, and who is at the keyboard (for the services' logs).

    `operations`: the URL of the service that watches the others; None where it is not known.
    """

    urls: Mapping[str, str]
    key: str
    person: str
    operations: str | None = None


def find(environment: Mapping[str, str] = os.environ, start: Path | None = None) -> Addresses:
    """FULFIL_SERVICES with FULFIL_KEY or FULFIL_KEY_FILE; without them the stack of `make up`. Raises SettingsError."""
    person = environment.get("FULFIL_USER") or _login()
    urls, key = _urls(environment), _key(environment)
    operations = None if urls is None else urls.get(OPERATIONS)
    if urls is None or key is None:
        stack = _stack(start or Path.cwd(), environment.get("FULFIL_STACK", "dev"))
        if urls is None:
            urls, operations = _urls_of(stack, SERVICES), _urls_of(stack, (OPERATIONS,)).get(OPERATIONS)
        key = key if key is not None else _key_of(stack)
    return Addresses(urls, key, person, operations)


def _urls(environment: Mapping[str, str]) -> dict[str, str] | None:
    if "FULFIL_SERVICES" not in environment:
        return None
    try:
        urls = json.loads(environment["FULFIL_SERVICES"])
    except ValueError:
        urls = None
    if not isinstance(urls, dict) or not urls or not all(isinstance(url, str) for url in urls.values()):
        raise SettingsError('FULFIL_SERVICES is JSON of name to URL: {"ordering": "https://…", …}')
    return {name: url.rstrip("/") for name, url in urls.items()}


def _key(environment: Mapping[str, str]) -> str | None:
    if path := environment.get("FULFIL_KEY_FILE"):
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise SettingsError(f"FULFIL_KEY_FILE cannot be read: {error.strerror}") from None
    return environment.get("FULFIL_KEY") or None


def _stack(start: Path, name: str) -> dict[str, Any]:
    """The local stack's own notes, of this work tree or of one above it."""
    for folder in (start, *start.parents):
        path = folder / ".run" / name / "stack.json"
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except OSError:
            continue
        except ValueError:
            break
        return found if isinstance(found, dict) else {}
    raise SettingsError(
        f"no local stack “{name}” here. Start one (make up), or set FULFIL_SERVICES and FULFIL_KEY or FULFIL_KEY_FILE."
    )


def _urls_of(stack: dict[str, Any], names: Iterable[str]) -> dict[str, str]:
    ports = stack.get("ports") or {}
    return {name: f"http://127.0.0.1:{ports[name]}" for name in names if name in ports}


def _key_of(stack: dict[str, Any]) -> str:
    try:
        return str(stack["operations_keys"][_HOLDER])
    except (KeyError, TypeError):
        raise SettingsError("the local stack has no operations keys yet: stop and start it (make down up)") from None


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return ""
