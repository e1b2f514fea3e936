"""Each endpoint that shops call names the scope that a key needs for it; those that need none have their reason."""

import asyncio

import pytest

from access.services import built
from shared.interfaces.description import interface_of
from shared.interfaces.openapi import document
from shared.keys.models import SCOPES

#: By operation: why any key of the shop will do.
ANY_KEY = {
    "ordering GET /storefront": "a key that places orders has to know the plans and the documents",
    "ordering GET /plans": "the plans of `GET /storefront`",
    "ordering GET /devices": "a list that is the same for everybody",
}


def shops_operations() -> dict[str, list[str]]:
    """The scopes of each operation that accepts a shop's key, by service and operation."""
    found: dict[str, list[str]] = {}
    for name, service in asyncio.run(built()).items():
        openapi = document(service.app, name, "0", interface_of(name))
        for path, operations in openapi["paths"].items():
            for method, operation in operations.items():
                for scheme in operation.get("security", []):
                    if "storefront" in scheme:
                        found[f"{name} {method.upper()} {path}"] = scheme["storefront"]
    return found


@pytest.fixture(scope="module")
def operations() -> dict[str, list[str]]:
    return shops_operations()


def test_every_operation_of_a_shop_needs_a_scope(operations: dict[str, list[str]]) -> None:
    assert len(operations) > 10
    assert {name for name, scopes in operations.items() if not scopes} == set(ANY_KEY)
    assert {scope for scopes in operations.values() for scope in scopes} == set(SCOPES)


def test_reading_needs_no_right_to_write(operations: dict[str, list[str]]) -> None:
    """A key for reading alone cannot change anything at ordering, and one for writing is not needed to read there."""
    for name, scopes in operations.items():
        if name.startswith("ordering ") and scopes:
            assert scopes == (["orders:read"] if name.startswith("ordering GET ") else ["orders:write"]), name
