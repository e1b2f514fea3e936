"""The worker's product as the campaign's faults know a stack (deploy/campaign); its servers belong to all tests."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from hostile.target import Target
from local_stack.processes import ManagedProcess
from local_stack.site import Site
from local_stack.stack import Part
from product.running import NAMES, READY_SECONDS, Product
from shared.testing.proxy import Proxy

_STOP_SECONDS = 60.0


class ServicePart:
    """One instance of a service."""

    def __init__(self, product: Product, process: ManagedProcess) -> None:
        self._product = product
        self._process = process

    @property
    def pid(self) -> int | None:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.running

    async def start(self) -> None:
        port = int(self._process.environment["HTTP_PORT"])
        self._process.start()
        await self._process.wait_ready(lambda: self._product.answers(port), READY_SECONDS, port=port)

    async def stop(self) -> None:
        await self._process.stop(grace=_STOP_SECONDS)

    def kill(self) -> None:
        self._process.kill()

    def pause(self) -> None:
        self._process.pause()

    def resume(self) -> None:
        self._process.resume()


class ProductStage:
    """What `campaign.run` needs; of the servers it has nothing."""

    services: Sequence[str] = NAMES
    brokers: Sequence[str] = ()

    def __init__(self, product: Product) -> None:
        self._product = product
        self.parts: Mapping[str, Part] = {
            name: ServicePart(product, process) for name, process in product.services.items()
        }
        self.proxies: Mapping[str, Proxy] = {}

    @property
    def directory(self) -> Path:
        return self._product.site.directory

    @property
    def state(self) -> Site:
        return self._product.site

    def proxies_of(self, target: str) -> Sequence[str]:
        raise LookupError(f"no proxy stands before {target}")

    def second(self, name: str, **changes: str) -> Part:
        process = self._product.second(name)
        process.environment |= changes
        return ServicePart(self._product, process)


def target_of(product: Product) -> Target:
    """The product as somebody outside sees it."""
    users, everything = product.users, product.kafka
    return Target(product.site, lambda user: users.get(user, everything), prefix=product.prefix, services=NAMES)
