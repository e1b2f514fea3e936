"""PP 5.2: an operator gets only the personal data that activation needs: none, unless its client declares it."""

import json
import re
from typing import TYPE_CHECKING

import pytest

from provisioning.clients.instant import InstantOperator
from provisioning.clients.models import Traits
from provisioning.operators.registry import _CLIENTS, build_operators
from provisioning.settings import Settings
from shared.contracts import BuyerContact, OrderPaid, ProfileFailed, ProfileGenerated
from shared.kernel.service import Service
from shared.sealed import Opener, new_private_key
from shared.testing.documents import JsonObject
from shared.testing.stage import Stage

if TYPE_CHECKING:
    from services.provisioning.tests.conftest import Start


NAME, EMAIL, PHONE = "Aigerim Nurlanovna", "aigerim.canary@example.kz", "+7 701 555 01 23"
CANARIES = (*NAME.split(), EMAIL, EMAIL.partition("@")[0], PHONE, re.sub(r"\D", "", PHONE), "buyer")
#: Every field that our ES2+ calls may carry (SGP.22 v2.5 section 6.5.2).
FIELDS = {
    "header",
    "header.functionRequesterIdentifier",
    "header.functionCallIdentifier",
    "iccid",
    "profileType",
    "matchingId",
    "releaseFlag",
    "finalProfileStatusIndicator",
}


async def test_no_request_to_an_operator_carries_anything_of_the_buyer(start: "Start") -> None:
    running = await start(
        stock=[{"operator": "primary", "profile_type": "KZ-STD", "low": 1, "high": 2}], provisioning_deadline_seconds=3
    )
    sandbox = running.sandbox
    await sandbox.faults(
        {"target": "operator.download_order", "effect": "lose_reply", "times": 1},
        {"target": "operator.confirm_order", "effect": "lose_reply", "times": 1},
    )
    order: OrderPaid = await running.paid()
    contact = BuyerContact(
        buyer_id=order.buyer_id,
        storefront=order.storefront,
        name=NAME,
        email=EMAIL,
        phone=PHONE,
        language="ru",
        newsletter=False,
        updated_at=order.paid_at,
    )
    await running.stage.publish(contact)
    [made] = await running.stage.events(ProfileGenerated)

    async def only_timers() -> bool:
        ordering = "SELECT 1 FROM work WHERE kind LIKE 'provision%' OR kind LIKE 'stock%' OR kind LIKE 'withdraw%'"
        return not await running.rows(ordering)

    await running.stage.eventually(only_timers)  # the next fault is for the next order, not for the stock
    await sandbox.faults({"target": "operator.confirm_order", "effect": "refuse", "reasonCode": "2.1", "times": 1})
    failing = await running.paid()
    await running.stage.events(ProfileFailed)

    async def withdrawn() -> bool:
        row = await running.profile(failing.order_id)
        return row["withdrawn_at"] is not None

    await running.stage.eventually(withdrawn)
    requests = [one for one in await sandbox.requests() if one["path"].startswith("/operator")]
    functions = {one["path"].rpartition("/")[2] for one in requests}
    assert {"downloadOrder", "confirmOrder", "cancelOrder"} <= functions
    buyer_id = str(made.event.buyer_id)
    for one in requests:
        everything = json.dumps(one, ensure_ascii=False)
        for canary in (*CANARIES, buyer_id, str(order.order_id), order.order_number):
            assert canary not in everything, f"{one['path']} carries {canary}"
        if one["path"].rpartition("/")[2] in ("downloadOrder", "confirmOrder", "cancelOrder", "releaseProfile"):
            assert _names(json.loads(one["body"])) <= FIELDS


def _names(body: JsonObject, prefix: str = "") -> set[str]:
    found = set()
    for name, value in body.items():
        found.add(prefix + name)
        if isinstance(value, dict):
            found |= _names(value, f"{prefix}{name}.")
    return found


async def test_provisioning_keeps_nothing_of_a_buyer_but_the_id(start: "Start") -> None:
    """What is not here cannot be sent on: it reads no contact data, and no table has a place for them."""
    running = await start()
    assert BuyerContact.topic not in running.service.consumer.topics
    columns = await running.rows("SELECT column_name FROM information_schema.columns WHERE table_schema = 'public'")
    names = {row["column_name"] for row in columns}
    assert "iccid" in names
    assert not {name for name in names if re.search(r"e?mail|phone|contact|(full|first|last|buyer)_?name", name)}


class _Curious(InstantOperator):
    traits = Traits(repeatable=True, personal_fields=frozenset({"email"}))


@pytest.mark.parametrize(
    ("allowed", "routes", "words"),
    [
        ({}, {}, "needs email, which storefront"),
        ({"esimka": ["name", "phone"]}, {"esimka": {"*": [{"operator": "curious"}]}}, "storefront esimka does not"),
        ({"esimka": ["email"]}, {}, "needs email"),
        ({"esimka": ["email"]}, {"esimka": {"*": [{"operator": "curious"}]}}, None),
        ({"*": ["email"]}, {}, None),
    ],
)
async def test_a_field_that_an_adapter_declares_must_be_allowed_by_each_storefront_it_serves(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, allowed: object, routes: object, words: str | None
) -> None:
    monkeypatch.setitem(_CLIENTS, "curious", lambda one, _tools: _Curious(one.name))
    curious = {"name": "curious", "adapter": "curious", "url": "http://curious.example"}
    plain = {"name": "plain", "adapter": "instant"}
    settings = await stage.settings(
        Settings,
        "provisioning",
        operators=[plain, curious] if routes else [curious],
        routes=routes,
        allowed_personal_fields=allowed,
        notifications_seal_public_key=Opener(new_private_key()).public_key,
    )
    service = Service("provisioning", settings)
    try:
        if words is None:
            assert "curious" in build_operators(settings, service)
        else:
            with pytest.raises(ValueError, match=words):
                build_operators(settings, service)
    finally:
        await service.producer.stop()
        await service.database.close()


def test_no_client_needs_personal_data() -> None:
    assert InstantOperator().traits.personal_fields == frozenset()
