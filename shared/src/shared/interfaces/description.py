"""Describes what the code of an interface does not contain: its callers, its chapters, and examples.

A service has one `Interface` as `INTERFACE` in its module `interface`, which is read when its documents are asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import Any


@dataclass(frozen=True)
class Caller:
    """A kind of caller, and the OpenAPI security scheme that identifies it."""

    name: str
    scheme: Mapping[str, str]


def _bearer(name: str, whose: str) -> Caller:
    return Caller(name, {"type": "http", "scheme": "bearer", "description": f"`Authorization: Bearer <{whose}>`"})


def signed(name: str, header: str, description: str) -> Caller:
    """A caller that sends a secret, or a signature made with it, in a header of its own."""
    return Caller(name, {"type": "apiKey", "in": "header", "name": header, "description": description})


STOREFRONT = _bearer("storefront", "the storefront's API key")
AGENT = _bearer("agent", "an agent's key")
NEIGHBOUR = _bearer("neighbour", "the key that the services share for exports of personal data")
OPERATIONS = _bearer("operations", "an operations key")


@dataclass(frozen=True)
class Tag:
    """A chapter of the documentation. `callers`: one of these; empty where the call needs no credentials."""

    name: str
    description: str
    callers: tuple[Caller, ...] = ()


@dataclass(frozen=True)
class Example:
    """One example call: the bodies, and the status of the response."""

    body: Any = None
    answer: Any = None
    status: int = 200


@dataclass(frozen=True)
class Interface:
    """`callers` and `examples` are keyed by operation (`POST /orders`); `callers` where they differ from the tag's."""

    description: str
    tags: tuple[Tag, ...] = ()
    callers: Mapping[str, tuple[Caller, ...]] = field(default_factory=dict)
    examples: Mapping[str, Example] = field(default_factory=dict)


HEALTH = Tag("health", "Whether the process runs, whether it can work, and its metrics for Prometheus.")
OPERATIONS_TAG = Tag(
    "operations",
    "Dead letters and stuck tasks of this service, for operations people. `X-On-Behalf-Of` names the person.",
    (OPERATIONS,),
)
PRIVACY = Tag(
    "privacy", "What this service holds of a buyer, read by ordering for the buyer's export (PP 6.2).", (NEIGHBOUR,)
)


def interface_of(service: str) -> Interface:
    """The `INTERFACE` of the service; one with its docstring only, where it has none."""
    if find_spec(f"{service}.interface") is None:
        return Interface((import_module(service).__doc__ or service).strip())
    interface = import_module(f"{service}.interface").INTERFACE
    if not isinstance(interface, Interface):
        raise TypeError(f"{service}.interface.INTERFACE is not an Interface")
    return interface
