"""What the code of an interface cannot say of itself: who calls, what belongs together, and examples.

A service has one `Interface` as `INTERFACE` in its module `interface`, which is read when its documents are asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import Any


@dataclass(frozen=True)
class Caller:
    """Somebody who may call, and the OpenAPI security scheme by which they show who they are."""

    name: str
    scheme: Mapping[str, str]


def _bearer(name: str, whose: str) -> Caller:
    return Caller(name, {"type": "http", "scheme": "bearer", "description": f"`Authorization: Bearer <{whose}>`"})


def signed(name: str, header: str, description: str) -> Caller:
    """Somebody who shows a secret, or a signature made with it, in a header of its own."""
    return Caller(name, {"type": "apiKey", "in": "header", "name": header, "description": description})


STOREFRONT = _bearer("storefront", "the storefront's API key")
AGENT = _bearer("agent", "an agent's key")
NEIGHBOUR = _bearer("neighbour", "the key that the services share for exports of personal data")
OPERATIONS = _bearer("operations", "an operations key")


@dataclass(frozen=True)
class Tag:
    """A chapter of the documentation. `callers`: whoever of these; nobody where the call needs no credentials."""

    name: str
    description: str
    callers: tuple[Caller, ...] = ()


@dataclass(frozen=True)
class Example:
    """One call as it may be made: the bodies, and the status of the answer."""

    body: Any = None
    answer: Any = None
    status: int = 200


@dataclass(frozen=True)
class Interface:
    """`callers` and `examples` are by operation, `POST /orders`; the former where they differ from their tag's."""

    description: str
    tags: tuple[Tag, ...] = ()
    callers: Mapping[str, tuple[Caller, ...]] = field(default_factory=dict)
    examples: Mapping[str, Example] = field(default_factory=dict)


HEALTH = Tag("health", "Whether the process runs, whether it can work, and its figures for Prometheus.")
DESK = Tag(
    "operations",
    "Dead letters and stuck work of this service, for operations people. `X-On-Behalf-Of` names the person.",
    (OPERATIONS,),
)
PRIVACY = Tag(
    "privacy", "What this service holds of a buyer, asked by ordering for the buyer's export (PP 6.2).", (NEIGHBOUR,)
)


def interface_of(service: str) -> Interface:
    """What the service says of itself; next to nothing where it says nothing."""
    if find_spec(f"{service}.interface") is None:
        return Interface((import_module(service).__doc__ or service).strip())
    found = import_module(f"{service}.interface").INTERFACE
    if not isinstance(found, Interface):
        raise TypeError(f"{service}.interface.INTERFACE is not an Interface")
    return found
