"""The documents of the interfaces: `interfaces/{openapi,asyncapi}.json` of every service, and of operations."""

import json
import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Any

from access.services import built
from local_stack.paths import WORK_TREE
from local_stack.product import OPERATIONS, SERVICES
from release.history import NAMES
from shared.interfaces import served
from shared.kernel.service import Service

#: The services, and the component that watches them.
DOCUMENTED = (*NAMES, OPERATIONS.name)
KINDS = ("openapi", "asyncapi")


def path_of(service: str, kind: str, root: Path = WORK_TREE) -> Path:
    """Where a document is committed."""
    return _folder(service, root) / "interfaces" / f"{kind}.json"


def release_of(service: str, root: Path = WORK_TREE) -> str:
    """The version that the service's `pyproject.toml` states, without what says that it is not out yet."""
    stated = tomllib.loads((_folder(service, root) / "pyproject.toml").read_text(encoding="utf-8"))
    return str(stated["project"]["version"]).partition(".dev")[0]


def _folder(service: str, root: Path) -> Path:
    return root / ("services" if service in NAMES else "deploy") / service


async def documents(root: Path = WORK_TREE, names: Collection[str] = DOCUMENTED) -> dict[str, dict[str, Any]]:
    """By service and kind, as the code says; `root` states the versions."""
    services = await built([*SERVICES, OPERATIONS])
    return {name: _of(service, release_of(name, root)) for name, service in services.items() if name in names}


def _of(service: Service, version: str) -> dict[str, Any]:
    name = service.name
    return {
        "openapi": served.openapi(service.app, name, version),
        "asyncapi": served.asyncapi(service.consumer, name, version),
    }


def text(document: Any) -> str:
    """As it is committed."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


async def write(root: Path = WORK_TREE, names: Collection[str] = DOCUMENTED) -> None:
    """Write those of these services."""
    for service, kinds in (await documents(root, names)).items():
        for kind, document in kinds.items():
            path = path_of(service, kind, root)
            path.parent.mkdir(exist_ok=True)
            path.write_text(text(document), encoding="utf-8")
