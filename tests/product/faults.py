"""Faults that several tests use: an operator that refuses, and services that die and come back."""

import signal

from local_stack.errors import ComponentFailedError
from product.running import Product
from shared.testing.documents import JsonObject

#: The operator refuses every order for good: it has no such profile.
NO_SUCH_PROFILE: JsonObject = {
    "target": "operator.download_order",
    "effect": "refuse",
    "subjectCode": "8.2.5",
    "reasonCode": "3.9",
}
DEATH_SECONDS = 60.0


def kill(product: Product, service: str) -> None:
    """`kill -9`; the service starts again at once."""
    product.services[service].kill()
    product.services[service].start()


async def restart(product: Product, service: str, failpoints: str = "", **environment: str) -> None:
    """Stop a service in good order and start it with these failpoints and settings.

    Returns when it is ready, or has died at a failpoint: work that was due may bring it there before it is ready.
    """
    process = product.services[service]
    await process.stop()
    product.arm(service, failpoints, **environment)
    process.start()
    try:
        await product.ready(service)
    except ComponentFailedError:
        if not failpoints or process.exit_code != -signal.SIGKILL:
            raise


async def died(product: Product, service: str, point: str) -> None:
    """Wait until a service has died at its failpoint."""
    process = product.services[service]
    assert await process.wait_exit(DEATH_SECONDS), f"{service} never came to {point}"
    assert process.exit_code == -signal.SIGKILL
    process.kill()


def start_again(product: Product, service: str, failpoints: str = "", **environment: str) -> None:
    """Start a service that has died, as if nothing had happened, or with other failpoints."""
    product.arm(service, failpoints, **environment)
    product.services[service].start()
