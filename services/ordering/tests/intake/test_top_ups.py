"""Top-ups that could not be applied are refused before payment (RC 4)."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import httpx
import pytest

from ordering.catalogue.models import Catalogue
from ordering.intake.models import SoldEsim
from ordering.intake.rules.top_ups import check_top_up
from shared.contracts import (
    InstallStatus,
    OrderPlaced,
    OrderRejected,
    Plan,
    ProfileExpired,
    ProfileGenerated,
    ProfileObserved,
    ProfileRevoked,
    TopUpApplied,
    Usage,
)
from shared.ids import uuid7
from shared.sealed import Sealed
from shared.shops.reading import read_shops
from shared.testing.documents import JsonObject
from shared.testing.shops import EXAMPLES
from shared.testing.stage import Stage

if TYPE_CHECKING:
    from services.ordering.tests.conftest import OrderBody, Shop

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
ICCID = "8999702000000000018"


def plan(name: str, storefront: str = "esimka") -> Plan:
    offer = Catalogue(read_shops(EXAMPLES), datetime.now(UTC)).offer(storefront, name)
    assert offer is not None
    return offer[0]


TURKEY = plan("tr-5gb-30d")


@pytest.mark.parametrize(
    ("esim", "wanted", "reason"),
    [
        (None, TURKEY, "unknown-esim"),
        (SoldEsim("qazaq-esim", TURKEY), TURKEY, "unknown-esim"),
        (SoldEsim("qazaq-esim", TURKEY, revoked_at=NOON), TURKEY, "unknown-esim"),
        (SoldEsim("esimka", TURKEY, revoked_at=NOON), TURKEY, "ended-esim"),
        (SoldEsim("esimka", TURKEY, expired_at=NOON), TURKEY, "ended-esim"),
        (SoldEsim("esimka", TURKEY, deleted_at=NOON), TURKEY, "ended-esim"),
        (SoldEsim("esimka", TURKEY), plan("kz-3gb-15d"), "unsuitable-plan"),
        (SoldEsim("esimka", plan("ge-5gb-30d")), plan("am-ge-10gb-30d"), "unsuitable-plan"),
        (SoldEsim("esimka", TURKEY), TURKEY, None),
        (SoldEsim("esimka", TURKEY), plan("tr-20gb-30d"), None),
    ],
)
def test_which_top_ups_are_sold(esim: SoldEsim | None, wanted: Plan, reason: str | None) -> None:
    refusal = check_top_up("esimka", wanted, esim)
    assert (refusal.reason if refusal else None) == reason
    assert refusal is None or (refusal.detail and refusal.errors[0].message)


def subject(order_id: UUID, storefront: str = "esimka") -> JsonObject:
    return {
        "order_id": order_id,
        "order_number": "10000001",
        "storefront": storefront,
        "buyer_id": uuid7(),
        "iccid": ICCID,
    }


def generated(order_id: UUID, storefront: str = "esimka") -> ProfileGenerated:
    return ProfileGenerated(
        **subject(order_id, storefront),
        plan=TURKEY,
        activation_code=Sealed(recipient="notifications", box="AAAA"),
        operator="primary",
        paid_at=NOON,
        generated_at=NOON,
        valid_until=NOON + timedelta(days=180),
    )


async def top_up(
    shop: "Shop", good_order: "OrderBody", *, key: str | None = None, storefront: str = "esimka", **more: object
) -> httpx.Response:
    body = good_order(storefront, kind="top_up", iccid=ICCID, **more)
    return await shop.place(body, key=key, storefront=storefront)


def sold(shop: "Shop") -> Callable[[], Awaitable[bool]]:
    async def stored() -> bool:
        return bool(await shop.rows("SELECT 1 FROM esims WHERE plan IS NOT NULL"))

    return stored


async def test_a_top_up_of_an_esim_that_this_shop_sold(shop: "Shop", stage: Stage, good_order: "OrderBody") -> None:
    unknown = await top_up(shop, good_order)
    assert (unknown.status_code, unknown.json()["type"]) == (422, "urn:problem:unknown-esim")
    assert ICCID not in unknown.text
    await stage.publish(generated(uuid7()))
    await stage.eventually(sold(shop))
    accepted = await top_up(shop, good_order, key="top-up-1", plan="tr-20gb-30d")
    assert accepted.status_code == 201
    [placed] = await stage.events(OrderPlaced)
    assert (placed.event.kind, placed.event.iccid, placed.event.plan.id) == ("top_up", ICCID, "tr-20gb-30d")
    foreign = await top_up(shop, good_order, storefront="qazaq-esim")
    assert foreign.json()["type"] == "urn:problem:unknown-esim"
    other = await top_up(shop, good_order, plan="kz-3gb-15d")
    assert (other.json()["type"], other.json()["errors"][0]["field"]) == ("urn:problem:unsuitable-plan", "plan")

    link = accepted.json()["links"]["self"]
    applied = TopUpApplied(
        **subject(placed.event.order_id),
        plan=TURKEY,
        operator="primary",
        esim_order_id=uuid7(),
        total_bytes=6 * 2**30,
        paid_at=NOON,
        applied_at=NOON,
    )
    await stage.publish(applied)

    async def topped_up() -> bool:
        return bool((await shop.get(link)).json()["status"] == "topped_up")

    await stage.eventually(topped_up)
    lines = (await shop.get(link + "/timeline?lang=en")).json()
    assert "The eSIM was topped up; 6\u00a0144 MB in total." in [line["sentence"] for line in lines]


@pytest.mark.parametrize("end", ["revoked", "expired", "deleted"])
async def test_an_ended_esim_is_not_topped_up_in_whatever_order_events_arrive(
    shop: "Shop", stage: Stage, good_order: "OrderBody", end: str
) -> None:
    order_id = uuid7()
    events: JsonObject = {
        "revoked": ProfileRevoked(**subject(order_id), reason="refund", revoked_at=NOON),
        "expired": ProfileExpired(**subject(order_id), reason="plan_ended", expired_at=NOON),
        "deleted": ProfileObserved(
            **subject(order_id),
            operator="primary",
            install=InstallStatus(state="deleted", source="x", observed_at=NOON),
            usage=Usage(),
            deleted_at=NOON,
            observed_at=NOON,
        ),
    }
    await stage.publish(events[end])

    async def ended() -> bool:
        return bool(await shop.rows("SELECT 1 FROM esims"))

    await stage.eventually(ended)
    assert (await top_up(shop, good_order)).json()["type"] == "urn:problem:unknown-esim"
    await stage.publish(generated(order_id))
    await stage.eventually(sold(shop))
    refused = await top_up(shop, good_order)
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:problem:ended-esim")


async def test_an_accepted_top_up_stays_accepted_and_kafka_gets_reasons_too(
    shop: "Shop", stage: Stage, good_order: "OrderBody"
) -> None:
    key, order_id = str(uuid4()), uuid7()
    body = good_order(kind="top_up", iccid=ICCID)
    await stage.publish(shop.submitted("kafka-1", body))
    [rejected] = await stage.events(OrderRejected)
    assert (rejected.event.reason, rejected.event.errors[0].field) == ("unknown-esim", "iccid")
    await stage.publish(generated(order_id))
    await stage.eventually(sold(shop))
    first = await top_up(shop, good_order, key=key)
    await stage.publish(ProfileRevoked(**subject(order_id), reason="refund", revoked_at=NOON))

    async def revoked() -> bool:
        return bool(await shop.rows("SELECT 1 FROM esims WHERE revoked_at IS NOT NULL"))

    await stage.eventually(revoked)
    again = await top_up(shop, good_order, key=key)
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["idempotent-replay"] == "true"
