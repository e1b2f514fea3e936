"""What each service subscribes to, read from the service itself: built with settings of a local stack, not started."""

import importlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from local_stack.product import AGENTS, OPERATIONS, PRODUCT, SERVICES, STOREFRONTS, Component
from local_stack.site import Site
from shared.kernel.service import Service

_NOWHERE = "postgresql+psycopg://nobody:nothing@localhost:1/nowhere"


async def subscriptions() -> dict[str, tuple[str, ...]]:
    """The topics that each service reads, by service. Needs neither broker nor database.

    Among them are those of its own events that it reads when it is recovered.
    """
    return {
        name: tuple(sorted({*service.consumer.topics, *(event.topic for event in service.recovery.facts)}))
        for name, service in (await built((OPERATIONS, *SERVICES))).items()
    }


async def built(components: Sequence[Component] = SERVICES) -> dict[str, Service]:
    """These services, wired and not started, by name."""
    with TemporaryDirectory() as folder:
        site = _site(Path(folder))
        return {component.name: _built(component.name, component.environment(site)) for component in components}


def _site(folder: Path) -> Site:
    """A stack that does not run. Its addresses are never used."""
    names = [component.name for component in PRODUCT if component.has_database]
    listeners = [name for component in PRODUCT for name in (component.name, *dict(component.other_ports))]
    ports = {name: 1 + number for number, name in enumerate([*listeners, "kafka"])}
    site = Site(folder, ports=ports, databases=dict.fromkeys(names, _NOWHERE))
    site.invent_secrets(names, STOREFRONTS, AGENTS)
    return site


def _built(name: str, environment: Mapping[str, str]) -> Service:
    settings = importlib.import_module(f"{name}.settings")
    # Releases before the common layout assemble a service in `service`, later ones in `app`.
    app = importlib.import_module(f"{name}.app" if find_spec(f"{name}.app") else f"{name}.service")
    with _environment({key: value for key, value in environment.items() if key != "TRACE_FILE"}):
        built: Service = app.build(settings.Settings())
    return built


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
