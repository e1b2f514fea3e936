"""Provisioning is recovered with an empty database: its own events, and the operators, say what was done."""

from collections import Counter
from typing import TYPE_CHECKING

from provisioning.app import build
from provisioning.operators.rules.identifiers import serial_of
from shared.contracts import ProfileGenerated, ProfileRevoked, RevocationRequested, order_fields
from shared.ids import uuid7
from shared.sealed import new_private_key
from shared.testing.recovery import put_back

if TYPE_CHECKING:
    from services.provisioning.tests.conftest import Start


async def test_what_was_published_is_done(start: "Start") -> None:
    key = new_private_key()
    running = await start(seal_private_key=key)
    for _ in range(3):
        await running.paid()
    made = await running.stage.events(ProfileGenerated, count=3)
    revoked = made[0].event
    await running.stage.publish(
        RevocationRequested(
            **order_fields(revoked),
            case_id=uuid7(),
            policy="esimka@2026-04-22",
            grounds=(),
            requested_at=revoked.generated_at,
        )
    )
    await running.stage.events(ProfileRevoked)
    before = await running.sandbox.ledger_operator()

    url, _ = await put_back(running.stage, running.service, build)
    running = await start(seal_private_key=key, database_url=url)
    later = await running.paid()
    await running.stage.events(ProfileGenerated, where=lambda event: event.order_id == later.order_id)

    # Nothing is made again; the next serial is a new one; the matching ids are those that the operator has.
    after = await running.sandbox.ledger_operator()
    assert after[: len(before)] == before
    assert len(after) == 4
    stored = await running.rows("SELECT iccid, matching_id, state FROM profiles")
    at_operator = {one["iccid"]: one["matchingId"] for one in after if one["state"] != "cancelled"}
    assert {row["iccid"]: row["matching_id"] for row in stored if row["iccid"] != revoked.iccid} == at_operator
    assert {row["state"] for row in stored} == {"generated"}
    assert len(await running.rows("SELECT 1 FROM lives WHERE generated_at IS NOT NULL")) == 4
    newest = max(after, key=lambda one: str(one["iccid"]))
    assert (serial_of("8999702", newest["iccid"]) or 0) > 1000
    # Nor is anything revoked again.
    [row] = await running.rows("SELECT order_id FROM lives WHERE revoked_at IS NOT NULL")
    assert row["order_id"] == revoked.order_id
    assert len(await running.stage.all_events(ProfileRevoked)) == 1


async def test_a_profile_whose_event_was_never_published_is_cancelled(start: "Start") -> None:
    """The order gets another one; nobody has the code of the first."""
    key = new_private_key()
    running = await start(seal_private_key=key)
    await running.paid()
    await running.stage.events(ProfileGenerated)

    url, report = await put_back(running.stage, running.service, build, ProfileGenerated)
    assert "provisioning.profile-generated: 0 own events" in report
    running = await start(seal_private_key=key, database_url=url)

    async def states() -> bool:
        ledger = await running.sandbox.ledger_operator()
        return Counter(one["state"] for one in ledger) == {"cancelled": 1, "released": 1}

    await running.stage.eventually(states)
