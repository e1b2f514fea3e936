"""The types of both clients' methods, which `mypy` reads in this file; the run proves that they exist."""

from typing import assert_type

import pytest

from esim_fulfilment import Addresses, AsyncClient, Client, Order
from esim_fulfilment.operations import Operations
from esim_fulfilment.testing import Reply, ScriptedService

ORDER: dict[str, object] = {
    "order_id": "1",
    "order_number": "10000001",
    "status": "placed",
    "price": {"amount": 1, "currency": "KZT"},
    "plan": {"id": "a", "title": "A", "coverage": [], "data_mb": 1, "validity_days": 1, "profile_type": "a"},
    "kind": "esim",
}


async def test_one_description_has_a_type_for_each_client(service: ScriptedService) -> None:
    service.replies = [Reply(200, ORDER)]
    with Client("key", Addresses.behind(service.url)) as client:
        assert_type(client.order("1"), Order)
    async with AsyncClient("key", Addresses.behind(service.url)) as asynchronous:
        assert_type(await asynchronous.order("1"), Order)


@pytest.mark.parametrize("name", [name for name in dir(Operations) if not name.startswith("_")])
def test_every_operation_has_its_documentation(name: str) -> None:
    client = Client("key", Addresses.behind("http://127.0.0.1:1"))
    assert getattr(client, name).__doc__
    client.close()
