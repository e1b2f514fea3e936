"""A stranger orders under a buyer's address (I14): no step of the stranger takes over that buyer."""

import unicodedata
from typing import TYPE_CHECKING

import httpx
import pytest

from ordering.app import build
from ordering.settings import Settings
from shared.testing.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.ordering.tests.conftest import OrderBody, StartShop
    from services.ordering.tests.contact.conftest import Person, Way, World

AGENT = {"Authorization": "Bearer agents-key"}
WAYS = pytest.mark.parametrize("over", ["http", "kafka"])
IDENTIFIED = {"by": "identity_document", "reference": "2026/17"}


def spelled(address: str) -> list[str]:
    """The same mailbox in other letter case and Unicode form."""
    return [
        address.lower(),
        address.upper().replace("EXAMPLE.ORG", "Example.org"),
        unicodedata.normalize("NFD", address),
    ]


@WAYS
async def test_an_order_with_somebodys_address_changes_nothing_of_theirs(
    world: "World", people: "Sequence[Person]", over: "Way"
) -> None:
    victim, stranger = people
    mine = await world.order(victim.email, victim.phone, by=victim)
    await world.press(mine)
    assert (await world.confirmed(victim, mine, await world.ask(mine, "block"))).status_code == 200
    before = await world.held(victim)
    assert before["buyers"][0]["blocked"]

    for address in [victim.email, *spelled(victim.email)]:
        theirs = await world.order(
            address, stranger.phone, by=stranger, over=over, name="Mallory", newsletter=True, language="ru"
        )
        assert theirs.buyer_id != mine.buyer_id

    assert await world.held(victim) == before
    for order in stranger.orders:
        [contact] = await world.contact(order)
        assert (contact.phone, contact.newsletter, contact.blocked) == (stranger.phone, False, False)
        assert contact.mailbox_key == before["buyers"][0]["mailbox_key"]


@WAYS
async def test_a_code_goes_to_the_proved_mailbox_and_not_to_the_phone_that_came_with_the_order(
    world: "World", people: "Sequence[Person]", over: "Way"
) -> None:
    victim, stranger = people
    mine = await world.order(victim.email, victim.phone, by=victim)
    await world.press(mine)
    for address in [victim.email, *spelled(victim.email)]:
        theirs = await world.order(address, stranger.phone, by=stranger, over=over)
        requested = await world.correct(theirs, email=stranger.email)
        assert requested.json()["sent_by"] == "email"
        assert await world.confirm(stranger, theirs, requested) is None, "the stranger reads nothing"


@WAYS
async def test_without_a_proof_a_stranger_corrects_only_the_strangers_own_order(
    world: "World", people: "Sequence[Person]", over: "Way"
) -> None:
    victim, stranger = people
    await world.order(victim.email, victim.phone, by=victim)
    theirs = await world.order(victim.email.lower(), stranger.phone, by=stranger, over=over)
    before = await world.held(victim)

    requested = await world.correct(theirs, email=stranger.email)
    assert (await world.confirmed(stranger, theirs, requested)).status_code == 200
    assert (await world.contact(theirs))[0].email == stranger.email
    exported = await world.ask(theirs, "export")
    assert (await world.confirmed(stranger, theirs, exported)).status_code == 200
    [(shop, request)] = stranger.exports
    assert [row["number"] for row in (await world.export(shop, request))["ordering"]["orders"]] == [theirs.number]
    assert (await world.confirmed(stranger, theirs, await world.ask(theirs, "erase"))).status_code == 200

    assert await world.held(victim) == before


async def test_an_export_shows_only_the_orders_that_it_reached_when_it_was_confirmed(
    world: "World", people: "Sequence[Person]"
) -> None:
    victim, stranger = people
    mine = await world.order(victim.email, victim.phone, by=victim)
    theirs = await world.order(stranger.email, stranger.phone, by=stranger)
    assert (await world.confirmed(stranger, theirs, await world.ask(theirs, "export"))).status_code == 200
    requested = await world.correct(theirs, email=victim.email)
    assert (await world.confirmed(stranger, theirs, requested)).status_code == 200
    # The code of that order is mailed to the victim, who looks at what it is.
    await world.press(theirs)
    await world.press(mine)

    [(shop, request)] = stranger.exports

    assert [row["number"] for row in (await world.export(shop, request))["ordering"]["orders"]] == [theirs.number]


async def test_a_code_is_void_once_the_contact_has_changed(world: "World", people: "Sequence[Person]") -> None:
    victim, stranger = people
    theirs = await world.order(stranger.email, stranger.phone, by=stranger)
    erase = await world.ask(theirs, "erase")
    digits = await world.confirmed(stranger, theirs, await world.correct(theirs, email=victim.email))
    assert digits.status_code == 200

    late = await world.confirmed(victim, theirs, erase)

    assert (late.status_code, late.json()["type"]) == (410, "urn:problem:code-expired")
    assert await world.contact(theirs)


async def test_an_sms_requested_before_the_mailbox_was_proved_corrects_its_own_order_only(
    world: "World", people: "Sequence[Person]"
) -> None:
    """A buyer's first press on the page may be for the very correction that is then confirmed by SMS."""
    victim, stranger = people
    mine = await world.order(victim.email, victim.phone, by=victim)
    theirs = await world.order(victim.email, stranger.phone, by=stranger)
    requested = await world.correct(theirs, email=stranger.email)
    assert requested.json()["sent_by"] == "sms"
    await world.press(mine)
    await world.press(theirs)
    before = await world.held(victim)

    assert (await world.confirmed(stranger, theirs, requested)).status_code == 200

    assert await world.held(victim) == before


async def test_a_link_proves_the_contact_that_it_was_made_for(world: "World", people: "Sequence[Person]") -> None:
    victim, _ = people
    order = await world.order(victim.email, victim.phone, by=victim)
    [contact] = await world.contact(order)
    assert (
        await world.confirmed(victim, order, await world.correct(order, email="new@example.org"))
    ).status_code == 200

    await world.press(order, contact_at=contact.updated_at)
    assert (await world.contact(order))[0].proved_at is None
    await world.press(order)

    [proved] = await world.contact(order)
    assert (proved.proved_by, proved.proved_email) == ("link", "new@example.org")


async def test_another_spelling_of_the_mailbox_is_no_correction(world: "World", people: "Sequence[Person]") -> None:
    victim, _ = people
    order = await world.order(victim.email, victim.phone, by=victim)
    before = await world.held(victim)
    for address in spelled(victim.email):
        refused = await world.correct(order, email=address)
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "email")
    assert await world.held(victim) == before


async def test_a_proved_mailbox_is_corrected_exported_and_erased_together_within_its_shop(
    world: "World", people: "Sequence[Person]"
) -> None:
    victim, stranger = people
    first = await world.order(victim.email, victim.phone, by=victim)
    second = await world.order(victim.email.lower(), victim.phone, by=victim)
    unproved = await world.order(victim.email, stranger.phone, by=stranger, name="Mallory")
    elsewhere = await world.order(victim.email, victim.phone, by=victim, storefront="e-sim-onl")
    for order in (first, second, elsewhere):
        await world.press(order)

    assert (await world.confirmed(victim, first, await world.correct(first, name="Zoë New"))).status_code == 200
    assert (await world.confirmed(victim, first, await world.ask(first, "export"))).status_code == 200

    names = {order: (await world.contact(order))[0].name for order in (first, second, unproved, elsewhere)}
    assert (names[first], names[second]) == ("Zoë New", "Zoë New")
    assert (names[unproved], names[elsewhere]) == ("Mallory", "Anna Berg")
    exported = await world.export(*victim.exports[0])
    assert {row["number"] for row in exported["ordering"]["orders"]} == {first.number, second.number}
    assert "Mallory" not in str(exported)

    requested = await world.ask(first, "erase")
    assert (await world.confirmed(victim, first, requested)).status_code == 200
    for order in (first, second, unproved):
        assert await world.contact(order) == [], "placed with the mailbox, whoever placed it"
    assert await world.contact(elsewhere)
    proof = (await world.shop.get(f"/privacy/requests/{requested.json()['request_id']}")).json()
    assert (proof["state"], proof["buyers"], proof["services"].keys()) == ("running", 3, {"ordering"})


async def test_unproved_orders_of_a_mailbox_share_a_limit_of_codes_and_proved_ones_have_their_own(
    world: "World", people: "Sequence[Person]"
) -> None:
    victim, stranger = people
    mine = await world.order(victim.email, victim.phone, by=victim)
    await world.press(mine)
    answers = []
    for _ in range(4):
        theirs = await world.order(victim.email, stranger.phone, by=stranger)
        answers += [(await world.ask(theirs, "erase")).status_code for _ in range(5)]

    assert answers == [202] * 15 + [429] * 5
    assert [(await world.ask(mine, "export")).status_code for _ in range(6)] == [202] * 5 + [429]


async def test_orders_under_one_phone_share_a_limit_of_messages_to_it_whatever_mailbox_and_shop_they_name(
    world: "World", people: "Sequence[Person]"
) -> None:
    victim, stranger = people
    answers = []
    for number, storefront in enumerate(("esimka", "e-sim-onl", "qazaq-esim", "esimka")):
        theirs = await world.order(f"x{number}@example.net", victim.phone, by=stranger, storefront=storefront)
        answers += [(await world.correct(theirs, name=f"Zoë {attempt}")).status_code for attempt in range(5)]

    assert answers == [202] * 15 + [429] * 5


async def test_an_agents_request_for_an_unproved_order_reaches_no_other_order(
    world: "World", people: "Sequence[Person]"
) -> None:
    victim, stranger = people
    mine = await world.order(victim.email, victim.phone, by=victim)
    await world.press(mine)
    theirs = await world.order(victim.email, stranger.phone, by=stranger)
    before = await world.held(victim)

    body = {"kind": "erase", "identified": IDENTIFIED}
    path = f"/orders/{theirs.number}/privacy-requests"
    assert (await world.shop.http.post(path, json=body, headers=AGENT)).status_code == 201

    assert await world.held(victim) == before
    assert await world.contact(theirs) == []


async def test_an_agent_corrects_only_the_contact_that_was_looked_at(
    world: "World", people: "Sequence[Person]"
) -> None:
    """A dry run says what would change; of two agents the second is refused, and reads who was first."""
    victim, stranger = people
    order = await world.order(victim.email, victim.phone, by=victim)
    await world.press(order)
    path, body = f"/orders/{order.number}/contact", {"identified": IDENTIFIED, "phone": stranger.phone}
    before = await world.contact(order)

    async def put(person: str, **more: object) -> httpx.Response:
        headers = {**AGENT, "X-On-Behalf-Of": person}
        return await world.shop.http.put(path, json={**body, **more}, headers=headers)

    would = (await put("anna", dry_run=True)).json()
    assert (would["changed"], would["orders"]) == (["phone"], 1)
    assert await world.contact(order) == before

    assert (await put("boris", contact_at=would["contact_at"])).status_code == 200
    late = await put("anna", contact_at=would["contact_at"], name="Zoe")
    assert (late.status_code, late.json()["type"]) == (409, "urn:problem:contact-changed")
    assert "last by agent support (boris) on 20" in late.json()["detail"]
    other = await world.order(victim.email, victim.phone, by=victim)
    await world.press(other)
    again = (await put("anna", dry_run=True, name="Zoe")).json()["contact_at"]
    by_other = f"/orders/{other.number}/contact"
    headers = {**AGENT, "X-On-Behalf-Of": "carla"}
    changed = {"identified": IDENTIFIED, "name": "Ann"}
    assert (await world.shop.http.put(by_other, json=changed, headers=headers)).json()["orders"] == 2
    late = await put("anna", contact_at=again, name="Zoe")
    assert late.status_code == 409
    assert "boris" not in late.json()["detail"], "who changed it by way of the other order is not known here"


async def test_a_shared_contact_of_before_gets_its_code_by_mail(world: "World", people: "Sequence[Person]") -> None:
    """The previous release merged the two buyers: the phone may be the last order's."""
    victim, stranger = people
    first = await world.order(victim.email, stranger.phone, by=victim)
    second = await world.order("other@example.org", victim.phone, by=victim)
    async with world.shop.service.database.transaction() as tx:
        await tx.execute("UPDATE orders SET buyer_id = :id WHERE number = :n", id=first.buyer_id, n=int(second.number))

    requested = await world.correct(first, email=stranger.email)

    assert requested.json()["sent_by"] == "email"


async def test_rows_of_the_previous_release_are_erased_too(world: "World", people: "Sequence[Person]") -> None:
    victim, _ = people
    order = await world.order(victim.email, victim.phone, by=victim)
    old = await world.order(victim.email, victim.phone, by=victim)
    async with world.shop.service.database.transaction() as tx:
        await tx.execute(
            "UPDATE buyers SET email_key = mailbox_key, mailbox_key = NULL WHERE buyer_id = :id", id=old.buyer_id
        )
    await world.press(order)
    # The previous release changes the address and stores no proof.
    assert (await world.confirmed(victim, order, await world.ask(order, "erase"))).status_code == 200
    assert await world.contact(old) == []


@pytest.mark.parametrize("phone", ["+77019999999", "+77011234567"])
async def test_orders_under_a_buyers_address_or_phone_do_not_hold_the_buyers_next_one(
    stage: Stage, shop_of: "StartShop", good_order: "OrderBody", phone: str
) -> None:

    shop = await shop_of(
        build, Settings, fraud_limits={"orders_by_email": 2, "orders_by_phone": 2, "emails_by_phone": 2}
    )
    await shop.place(good_order())
    async with shop.service.database.transaction() as tx:
        await tx.execute("UPDATE buyers SET proved_email = email, proved_at = :now, proved_by = 'link'", now=tx.now)
    email = "anna@example.org" if phone == "+77019999999" else "x{}@example.net"
    for number in range(4):
        await shop.place(good_order(email=email.format(number), phone=phone))

    assert (await shop.place(good_order())).json()["status"] == "placed"
