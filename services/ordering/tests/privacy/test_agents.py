"""What an agent does for a person whom they have identified: which orders it reaches, and that it is shown before."""

from typing import TYPE_CHECKING

from services.ordering.tests.privacy.buyers import AGENT, COMPANY, IDENTIFIED, Buyer

from shared.contracts import BuyerContact
from shared.testing.documents import JsonObject
from shared.testing.stage import Stage

if TYPE_CHECKING:
    from services.ordering.tests.conftest import OrderBody


async def test_an_agent_corrects_the_company_of_one_order_alone(
    stage: Stage, buyer: Buyer, good_order: "OrderBody"
) -> None:
    """PO 1: another order of the mailbox may be a private person's."""
    await buyer.confirm(await buyer.ask("export"))
    buyer.order = (await buyer.shop.place(good_order(), key="second")).json()
    await buyer.confirm(await buyer.ask("export"))  # both orders are proved now
    path = f"/orders/{buyer.order['order_number']}/contact"
    company = COMPANY | {"number": "204-378-869"}
    body: JsonObject = {"name": "Anna B.", "company": company, "identified": IDENTIFIED}
    wrong = {**body, "company": company | {"number": "1"}}
    refused = await buyer.shop.http.put(path, json=wrong, headers=AGENT)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "company.number")

    both = await buyer.shop.http.put(path, json=body, headers=AGENT)
    alone = await buyer.shop.http.put(
        path, json={"company": company | {"name": "Example Ltd"}, "identified": IDENTIFIED}, headers=AGENT
    )

    assert (both.json()["changed"], both.json()["orders"]) == (["name", "company"], 2)
    assert (alone.json()["changed"], alone.json()["orders"]) == (["company"], 1)
    companies = await buyer.shop.rows(
        "SELECT b.company, o.number FROM buyers b JOIN orders o USING (buyer_id) ORDER BY 2"
    )
    assert [row.company for row in companies] == [None, COMPANY | {"name": "Example Ltd"}]
    published = await stage.events(BuyerContact, where=lambda contact: contact.company is not None)
    assert {event.event.company.number for event in published if event.event.company} == {"204378869"}
    changes = await buyer.shop.rows("SELECT fields FROM contact_changes")
    assert sorted(row.fields for row in changes) == [["company"], ["name"], ["name", "company"]]


async def test_a_representative_reaches_what_the_agent_was_shown(buyer: Buyer, good_order: "OrderBody") -> None:
    """Other orders of the mailbox are gathered where both are proved; a stranger's order stays left (I14)."""
    first = buyer.order["order_number"]
    buyer.order = (await buyer.shop.place(good_order(), key="second")).json()
    second = buyer.order["order_number"]
    stranger = (await buyer.shop.place(good_order(), key="third")).json()["order_number"]
    path = f"/orders/{first}/privacy-requests"
    acting = {**AGENT, "X-On-Behalf-Of": "anna"}
    body: JsonObject = {"kind": "export", "identified": IDENTIFIED, "dry_run": True}

    alone = await buyer.shop.http.post(path, json=body, headers=acting)

    assert (alone.status_code, alone.json()["orders"]) == (200, [first])
    assert alone.json()["left"] == [second, stranger], "nobody has proved the mailbox for them"
    async with buyer.shop.service.database.transaction() as tx:
        await tx.execute(
            "UPDATE buyers SET proved_email = email, proved_at = :now FROM orders o "
            "WHERE o.buyer_id = buyers.buyer_id AND o.number <> :stranger",
            now=tx.now,
            stranger=int(stranger),
        )
    shown = {**body, "dry_run": False, "effect": alone.json()["effect"]}
    other = await buyer.shop.http.post(path, json=shown, headers=acting)
    assert (other.status_code, other.json()["type"]) == (409, "urn:problem:effect-changed")
    assert not await buyer.shop.rows("SELECT 1 FROM privacy_requests"), "and nothing was done"

    would = (await buyer.shop.http.post(path, json=body, headers=acting)).json()
    assert (would["orders"], would["left"], would["request_id"]) == ([first, second], [stranger], None)
    done = await buyer.shop.http.post(path, json={**shown, "effect": would["effect"]}, headers=acting)

    assert (done.status_code, done.json()["orders"], done.json()["state"]) == (201, [first, second], "done")
    export = f"/privacy/requests/{done.json()['request_id']}/export"
    gathered = (await buyer.shop.http.get(export, headers=AGENT)).json()["ordering"]["orders"]
    assert [one["number"] for one in gathered] == [first, second]
    [request] = await buyer.shop.rows("SELECT confirmed_by FROM privacy_requests")
    assert request.confirmed_by == "agent support (anna)"
