"""Profiles' lives between a real Kafka, a real Postgres and the sandbox's operator: observed, ended, topped up."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from provisioning.service import build
from provisioning.settings import Settings
from sandbox.testing import RunningSandbox
from shared.contracts import (
    BuyerErasureRequested,
    CancellationAccepted,
    Explanation,
    Money,
    OrderPaid,
    Plan,
    ProfileExpired,
    ProfileFailed,
    ProfileGenerated,
    ProfileObserved,
    ProfileRevoked,
    ProvisioningBuyerErased,
    RefundApproved,
    RefundRequested,
    RevocationRefused,
    TopUpApplied,
)
from shared.ids import uuid7
from shared.kernel.service import Service
from shared.sealed import Opener, new_private_key
from shared.testing.stage import Stage

PLAN = Plan(id="tr-5gb", title="Turkey 5 GB", coverage=("TR",), data_mb=5120, validity_days=30, profile_type="TR-STD")
EID, OTHER_EID = "89049032123451234512345678901235", "89049032000001000000000012345652"
SECRET, KEY = "notify-secret", "agent-key"


class MovingClock:
    """The machine's clock, moved."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class Alive:
    """A running service, its operator, and hands to sell profiles and to ask about them."""

    service: Service
    stage: Stage
    sandbox: RunningSandbox
    clock: MovingClock
    opener: Opener

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.service.port}"

    async def paid(self, **changes: Any) -> OrderPaid:
        fields: dict[str, Any] = {
            "order_id": uuid7(),
            "order_number": str(10_000_000 + uuid7().int % 80_000_000),
            "storefront": "esimka",
            "buyer_id": uuid7(),
            "kind": "esim",
            "plan": PLAN,
            "paid": Money(amount=1500, currency="USD"),
            "invoice_id": "1000001",
            "paid_at": datetime.now(UTC),
        }
        order = OrderPaid(**fields | changes)
        await self.stage.publish(order)
        return order

    async def sold(self) -> ProfileGenerated:
        order = await self.paid()
        [made] = await self.stage.events(ProfileGenerated, where=lambda event: event.order_id == order.order_id)
        return made.event

    def code(self, made: ProfileGenerated) -> str:
        return self.opener.open(made.activation_code).decode()

    async def life(self, order_id: UUID) -> dict[str, Any]:
        answer = await self.get(f"/profiles/{order_id}/life")
        assert answer.status_code == 200, answer.text
        seen: dict[str, Any] = answer.json()
        return seen

    async def get(self, path: str) -> httpx.Response:
        async with httpx.AsyncClient(base_url=self.url, trust_env=False) as client:
            return await client.get(path, headers={"authorization": f"Bearer {KEY}"})

    async def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        content = body if isinstance(body, bytes) else None
        async with httpx.AsyncClient(base_url=self.url, trust_env=False) as client:
            return await client.post(path, headers=headers, content=content, json=None if content else body)

    async def rows(self, sql: str) -> list[Any]:
        async with self.service.database.reading() as tx:
            return (await tx.execute(sql)).all()

    async def observed(self, made: ProfileGenerated, **fields: Any) -> ProfileObserved:
        """The first observation of this profile in which these fields have these values."""

        def matches(event: ProfileObserved) -> bool:
            said = {"state": event.install.state, "used": event.usage.used_bytes, **dict(event)}
            return event.order_id == made.order_id and all(said[name] == value for name, value in fields.items())

        [found] = await self.stage.events(ProfileObserved, where=matches)
        return found.event

    def case(self, made: ProfileGenerated | OrderPaid, **more: Any) -> dict[str, Any]:
        names = ("order_id", "order_number", "storefront", "buyer_id")
        return {name: getattr(made, name) for name in names} | {"case_id": uuid7()} | more

    async def move(self, ahead: timedelta) -> None:
        self.clock.ahead += ahead


Start = Callable[..., Awaitable[Alive]]


@pytest.fixture
async def live(stage: Stage, sandbox: RunningSandbox, tmp_path: Path) -> Start:
    async def start(**overrides: Any) -> Alive:
        opener, clock = Opener(new_private_key()), MovingClock()
        settings: dict[str, Any] = {
            "operator_url": sandbox.operator_url,
            "operator_usage_url": f"{sandbox.operator_url}/usage",
            "operator_timeout_seconds": 1.0,
            "notifications_seal_public_key": opener.public_key,
            "agent_keys": {"anna": KEY},
            "notification_secrets": {"primary": SECRET},
            "usage_push_secrets": {"primary": "sandbox-push-secret"},
            "notification_points": {"primary": {"6": "enabled", "7": "disabled"}},
            "watch_seconds": 0.2,
            "inquiry_patience_seconds": 0.5,
            **overrides,
        }
        service = await stage.service(partial(build, clock=clock), Settings, **settings)
        alive = Alive(service, stage, sandbox, clock, opener)
        base = f"{alive.url}/operators/primary"
        path = "gsma/rsp2/es2plus/handleDownloadProgressInfo"
        await sandbox.operator_catalogue(
            progress_url=f"{base}/key/{SECRET}/{path}", push_url=f"{base}/usage", push_secret="sandbox-push-secret"
        )
        return alive

    return start


async def test_a_life_from_released_to_used(live: Start) -> None:
    alive = await live()
    made = await alive.sold()
    scanned = await alive.sandbox.scan(alive.code(made), EID, "download", "install", "enable")
    assert scanned["answers"] == [204, 204, 204]
    event = await alive.observed(made, state="enabled")
    assert event.iccid == made.iccid
    assert event.installed_at is not None
    assert event.activated_at is not None
    assert event.installed_at <= event.activated_at
    assert event.plan_ends_at == event.activated_at + timedelta(days=30)
    assert (event.install.source, event.usage.used_bytes, event.usage.observed_at) == (
        "es2plus-notification",
        None,
        None,
    )
    assert (await alive.sandbox.use_data(made.iccid, 7 * 2**20))["pushed"] == 204
    used = await alive.observed(made, used=7 * 2**20)
    assert (used.usage.source, used.install.state) == ("operator-push", "enabled")
    seen = await alive.life(made.order_id)
    assert seen["eid"] == EID
    assert seen["used_bytes"]["value"] == 7 * 2**20
    assert seen["used_bytes"]["age_seconds"] < 20
    assert [one["verdict"] for one in reversed(seen["observations"])] == ["applied"] * 4
    assert seen["polling"]["observable"] is True
    assert seen["polling"]["next_look_at"] is not None
    assert alive.code(made).split("$")[2] not in str(seen)


async def test_bad_notifications_are_recorded_or_refused_and_change_nothing(live: Start) -> None:
    alive = await live()
    made = await alive.sold()
    phone = partial(alive.sandbox.phone, made.iccid)
    assert (await phone("3", "install", eid=EID))["answers"] == [204, 204]
    before = await alive.observed(made, state="installed")
    assert (await phone(6, eid=EID[:-1] + "6"))["answers"] == [204]
    assert (await phone(5, eid=OTHER_EID))["answers"] == [204]
    future = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    assert (await phone(5, fields={"timestamp": future}))["answers"] == [204]
    assert (await phone(5, fields={"timestamp": "2020-01-01T00:00:00Z"}))["answers"] == [204]
    assert (await phone(6, succeeded=False))["answers"] == [204]
    assert (await phone("vendor-17"))["answers"] == [204]
    assert (await phone(5, fields={"iccid": "8999999999999999999"}))["answers"] == [204]
    assert (await phone(5, fields={"timestamp": "yesterday"}))["answers"] == [400]
    assert (await phone(5, fields={"iccid": "secret"}))["answers"] == [400]
    verdicts = [row.verdict for row in await alive.rows("SELECT verdict FROM observations ORDER BY received_at")]
    assert verdicts == [
        "applied",
        "applied",
        "bad_eid",
        "other_device",
        "future",
        "implausible",
        "failed_step",
        "noted",
        "unknown_iccid",
    ]
    seen = await alive.life(made.order_id)
    assert (seen["install"]["value"], seen["deleted_at"], seen["other_eids"]) == ("installed", None, [OTHER_EID])
    assert len(await alive.stage.all_events(ProfileObserved)) == 2
    assert before.deleted_at is None


async def test_who_may_notify_and_how(live: Start) -> None:
    certificate = "ab" * 32
    alive = await live(notification_certificates={"primary": certificate}, client_certificate_header="X-Client-Cert")
    made = await alive.sold()
    path = "/operators/primary/gsma/rsp2/es2plus/handleDownloadProgressInfo"
    body = {
        "header": {"functionRequesterIdentifier": "op", "functionCallIdentifier": "1"},
        "iccid": f"{made.iccid}F",
        "profileType": "TR-STD",
        "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
        "notificationPointId": 3,
        "notificationPointStatus": {"status": "Executed-Success"},
        "resultData": "A0B1",
    }
    protocol = {"X-Admin-Protocol": "gsma/rsp/v2.1.0"}
    answer = await alive.post(path, body, Authorization=f"Bearer {SECRET}", **protocol)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["x-admin-protocol"] == "gsma/rsp/v2.5.0"
    again = await alive.post(f"{path}?secret={SECRET}", body, **protocol)
    shown = ":".join(["AB"] * 32)
    by_certificate = await alive.post(path, body, **protocol, **{"X-Client-Cert": shown})
    assert (again.status_code, by_certificate.status_code) == (204, 204)
    assert len(await alive.rows("SELECT 1 FROM observations")) == 1  # the same thing, told three times
    for wrong in ({}, {"Authorization": "Bearer wrong"}, {"X-Client-Cert": "cd" * 32}):
        refused = await alive.post(path, body, **protocol, **wrong)
        assert (refused.status_code, refused.json()["type"]) == (401, "urn:problem:unknown-notifier")
    unknown = await alive.post(path.replace("primary", "other"), body, **protocol)
    assert (unknown.status_code, unknown.json()["type"]) == (404, "urn:problem:unknown-operator")
    secret = {"Authorization": f"Bearer {SECRET}"}
    assert (await alive.post(path, body, **secret)).json()["type"] == "urn:problem:wrong-protocol"
    malformed = await alive.post(path, b"{", **protocol, **secret)
    assert (malformed.status_code, malformed.json()["type"]) == (400, "urn:problem:unreadable-report")
    headless = await alive.post(path, body | {"header": {}}, **protocol, **secret)
    assert {error["field"] for error in headless.json()["errors"]} == {
        "functionRequesterIdentifier",
        "functionCallIdentifier",
    }


async def test_usage_pushes_are_signed_of_now_and_counted_once(live: Start) -> None:
    alive = await live()
    made = await alive.sold()
    await alive.sandbox.use_data(made.iccid, 5000)
    await alive.observed(made, used=5000)
    push = partial(alive.sandbox.push_usage, made.iccid)
    assert await push(signature="wrong", fields={"usedBytes": 9000}) == [401]
    assert await push(signature="missing", fields={"usedBytes": 9000}) == [401]
    old = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    assert await push(fields={"timestamp": old, "usedBytes": 9000}) == [409]
    assert await push(fields={"usedBytes": "many"}) == [400]
    later = datetime.now(UTC).isoformat()
    assert await push(fields={"usedBytes": 10, "usedBytesAt": later}, times=3) == [204, 204, 204]
    verdicts = [row.verdict for row in await alive.rows("SELECT verdict FROM observations ORDER BY received_at")]
    assert verdicts == ["applied", "backwards"]
    assert (await alive.life(made.order_id))["used_bytes"]["value"] == 5000
    figures = (await alive.get("/metrics")).text
    name = 'profile_reports_total{operator="primary",source="operator-push",verdict='
    for verdict, count in (("bad_signature", 2), ("outside_window", 1), ("replayed", 2), ("backwards", 1)):
        assert f'{name}"{verdict}"}} {count}.0' in figures


async def test_a_profile_is_looked_at_when_nobody_tells(live: Start) -> None:
    alive = await live()
    made = await alive.sold()
    await alive.sandbox.operator_catalogue(progress_url="", push_url="")
    await alive.sandbox.phone(made.iccid, 3, 4)
    await alive.move(timedelta(minutes=30))
    event = await alive.observed(made, state="installed")
    assert (event.install.source, event.usage.used_bytes, event.usage.total_bytes) == ("operator-feed", 0, 5 * 2**30)
    seen = await alive.life(made.order_id)
    assert seen["polling"]["last_look_at"] is not None
    due = datetime.fromisoformat(seen["polling"]["next_look_at"])
    assert timedelta(minutes=19) < due - alive.clock.now() < timedelta(minutes=23)
    assert len([one for one in await alive.sandbox.requests("usage/") if one["method"] == "GET"]) == 1


# --- cases ask --------------------------------------------------------------------------------------------------------


def requested(alive: Alive, made: ProfileGenerated | OrderPaid) -> RefundRequested:
    return RefundRequested(**alive.case(made), reason="x", origin="buyer", requested_at=datetime.now(UTC))


async def test_a_case_is_answered_now_with_how_fresh_it_is(live: Start) -> None:
    alive = await live()
    made = await alive.sold()
    asked = requested(alive, made)
    await alive.stage.publish(asked)
    answer = await alive.observed(made, case_id=asked.case_id)
    assert (answer.reached, answer.install.state, answer.usage.used_bytes) == (True, "released", 0)
    assert answer.install.observed_at is not None
    assert abs(answer.observed_at - answer.install.observed_at) < timedelta(seconds=10)
    again = requested(alive, made)
    await alive.stage.publish(again, asked)
    await alive.observed(made, case_id=again.case_id)
    answers = [one.event.case_id for one in await alive.stage.all_events(ProfileObserved) if one.event.case_id]
    assert sorted(answers) == sorted([asked.case_id, again.case_id])


async def test_a_case_that_asks_again_later_is_answered_again(live: Start) -> None:
    alive = await live()
    made = await alive.sold()
    asked = requested(alive, made)
    await alive.stage.publish(asked)
    first = await alive.observed(made, case_id=asked.case_id)
    later = asked.model_copy(update={"requested_at": first.observed_at + timedelta(seconds=1)})
    await alive.stage.publish(later, later)
    answers = await alive.stage.events(ProfileObserved, count=2, where=lambda event: event.case_id == asked.case_id)
    assert all(one.event.reached for one in answers)


async def test_an_operator_that_cannot_be_asked_is_unknown_not_unused(live: Start) -> None:
    alive = await live()
    made = await alive.sold()
    await alive.sandbox.faults({"target": "operator.usage", "effect": "http_error", "status": 503})
    asked = requested(alive, made)
    await alive.stage.publish(asked)
    unreached = await alive.observed(made, case_id=asked.case_id)
    assert (unreached.reached, unreached.install.state, unreached.usage.used_bytes) == (False, "unknown", None)
    await alive.sandbox.clear_faults()
    await alive.move(timedelta(minutes=20))
    await alive.observed(made, case_id=asked.case_id, reached=True)
    answers = [one.event.reached for one in await alive.stage.all_events(ProfileObserved) if one.event.case_id]
    assert answers == [False, True]
    [inquiry] = (await alive.life(made.order_id))["inquiries"]
    assert inquiry["unreached_at"] < inquiry["answered_at"]


async def test_a_case_that_asks_before_the_profile_is_made_is_answered_when_it_is(live: Start) -> None:
    alive = await live()
    await alive.sandbox.faults({"target": "operator.download_order", "effect": "http_error", "status": 503})
    order = await alive.paid()
    asked = requested(alive, order)
    await alive.stage.publish(asked)

    async def noted() -> bool:
        return bool(await alive.rows("SELECT 1 FROM inquiries"))

    await alive.stage.eventually(noted)
    await alive.sandbox.clear_faults()
    [answer] = await alive.stage.events(ProfileObserved, where=lambda event: event.case_id == asked.case_id)
    assert answer.event.order_id == order.order_id


# --- ends -------------------------------------------------------------------------------------------------------------


def approved(alive: Alive, made: ProfileGenerated | OrderPaid, **more: Any) -> RefundApproved:
    fields = {
        "refund_id": uuid7(),
        "amount": Money(amount=1500, currency="USD"),
        "policy": "esimka@2026-04-22",
        "grounds": (),
        "explanation": Explanation(en="x", ru="y"),
        "approved_at": datetime.now(UTC),
        "revoke_profile": True,
    }
    return RefundApproved(**alive.case(made), **fields | more)


def cancelled(alive: Alive, made: ProfileGenerated | OrderPaid) -> CancellationAccepted:
    return CancellationAccepted(
        **alive.case(made), policy="e-sim-onl@2026-03", grounds=(), accepted_at=datetime.now(UTC)
    )


async def state_at_the_operator(alive: Alive, iccid: str) -> str:
    [profile] = [one for one in await alive.sandbox.ledger_operator() if one["iccid"] == iccid]
    return str(profile["state"])


async def test_a_cancellation_takes_the_code_out_of_use(live: Start) -> None:
    alive = await live()
    made, kept = await alive.sold(), await alive.sold()
    await alive.sandbox.faults({"target": "operator.cancel_order", "effect": "lose_reply", "times": 1})
    asked = cancelled(alive, made)
    await alive.stage.publish(asked, asked, approved(alive, kept, revoke_profile=False))
    [revoked] = await alive.stage.events(ProfileRevoked)
    assert (revoked.event.iccid, revoked.event.reason) == (made.iccid, "cancellation")
    assert revoked.event.case_id == asked.case_id
    assert await state_at_the_operator(alive, made.iccid) == "cancelled"
    assert await state_at_the_operator(alive, kept.iccid) == "released"
    assert (await alive.sandbox.scan(alive.code(made), EID))["ok"] is False
    later = approved(alive, made)
    await alive.stage.publish(later)
    await alive.stage.events(ProfileRevoked, where=lambda event: event.case_id == later.case_id)
    assert len(await alive.stage.all_events(ProfileRevoked)) == 2
    assert await alive.stage.all_events(RevocationRefused) == []
    seen = await alive.life(made.order_id)
    assert (seen["revoked_for"], seen["polling"]["next_look_at"], seen["polling"]["every_seconds"]) == (
        "cancellation",
        None,
        None,
    )


async def test_what_is_on_a_device_is_not_taken_back(live: Start) -> None:
    alive = await live()
    made = await alive.sold()
    await alive.sandbox.scan(alive.code(made), EID)
    asked = cancelled(alive, made)
    await alive.stage.publish(asked)
    [refused] = await alive.stage.events(RevocationRefused)
    assert refused.event.case_id == asked.case_id
    assert [(one.subject_code, one.reason_code) for one in refused.event.statuses] == [("8.2.1", "3.3")]
    assert await alive.stage.all_events(ProfileRevoked) == []
    assert (await alive.life(made.order_id))["revocations"][0]["outcome"] == "refused"


@pytest.mark.parametrize("before", ["the order", "the profile"])
async def test_a_revocation_that_comes_first_holds_when_the_profile_is_made(live: Start, before: str) -> None:
    alive = await live()
    order = OrderPaid(
        order_id=uuid7(),
        order_number="10000001",
        storefront="esimka",
        buyer_id=uuid7(),
        kind="esim",
        plan=PLAN,
        paid=Money(amount=1500, currency="USD"),
        invoice_id="1000001",
        paid_at=datetime.now(UTC),
    )
    await alive.sandbox.faults({"target": "operator.confirm_order", "effect": "http_error", "status": 503})
    if before == "the profile":
        await alive.stage.publish(order)
    await alive.stage.publish(approved(alive, order))

    async def noted() -> bool:
        return bool(await alive.rows("SELECT 1 FROM revocations"))

    await alive.stage.eventually(noted)
    if before == "the order":
        await alive.stage.publish(order)
    await alive.sandbox.clear_faults()
    [revoked] = await alive.stage.events(ProfileRevoked)
    assert (revoked.event.order_id, revoked.event.reason) == (order.order_id, "refund")
    assert await state_at_the_operator(alive, revoked.event.iccid) == "cancelled"


async def test_what_nobody_activates_expires_and_what_is_used_does_not(live: Start) -> None:
    alive = await live()
    unused, used = await alive.sold(), await alive.sold()
    await alive.sandbox.operator_catalogue(push_url="", progress_url="")
    await alive.sandbox.use_data(used.iccid, 1, validUntil="2099-01-01T00:00:00+00:00")
    await alive.sandbox.faults({"target": "operator.usage", "effect": "http_error", "status": 503, "times": 2})
    await alive.move(timedelta(days=180, minutes=1))
    [expired] = await alive.stage.events(ProfileExpired)
    assert (expired.event.order_id, expired.event.reason) == (unused.order_id, "never_activated")
    assert await state_at_the_operator(alive, unused.iccid) == "cancelled"
    assert (await alive.observed(used, used=1)).plan_ends_at == datetime(2099, 1, 1, tzinfo=UTC)
    assert await state_at_the_operator(alive, used.iccid) == "released"
    seen = await alive.life(unused.order_id)
    assert (seen["expired_for"], seen["polling"]["next_look_at"]) == ("never_activated", None)
    assert len(await alive.stage.all_events(ProfileExpired)) == 1


async def test_a_storefront_may_give_more_time_than_others(live: Start) -> None:
    alive = await live(storefront_unused_validity_days={"esimka": 365})
    made = await alive.sold()
    assert made.valid_until - made.paid_at == timedelta(days=365)


async def test_a_plan_ends_after_its_validity(live: Start) -> None:
    alive = await live()
    made = await alive.sold()
    await alive.sandbox.scan(alive.code(made), EID)
    await alive.sandbox.use_data(made.iccid, 100)
    event = await alive.observed(made, used=100)
    assert event.plan_ends_at is not None
    await alive.move(timedelta(days=30, minutes=1))
    [expired] = await alive.stage.events(ProfileExpired)
    assert (expired.event.reason, expired.event.order_id) == ("plan_ended", made.order_id)
    assert expired.event.expired_at >= event.plan_ends_at
    assert await state_at_the_operator(alive, made.iccid) == "released"


# --- top-ups ----------------------------------------------------------------------------------------------------------

MORE = PLAN.model_copy(update={"id": "tr-1gb", "data_mb": 1024, "validity_days": 7})


@pytest.mark.parametrize("effect", [None, "lose_reply", "http_error"])
async def test_a_top_up_extends_once(live: Start, effect: str | None) -> None:
    alive = await live()
    made = await alive.sold()
    await alive.sandbox.use_data(made.iccid, 100)
    before = await alive.observed(made, used=100)
    if effect:
        await alive.sandbox.faults({"target": "operator.top_up", "effect": effect, "times": 2})
    order = await alive.paid(kind="top_up", iccid=made.iccid, plan=MORE)
    await alive.stage.publish(order)
    [applied] = await alive.stage.events(TopUpApplied)
    assert (applied.event.order_id, applied.event.esim_order_id) == (order.order_id, made.order_id)
    assert applied.event.total_bytes == 6 * 2**30
    assert before.plan_ends_at is not None
    assert applied.event.plan_ends_at == before.plan_ends_at + timedelta(days=7)
    [profile] = await alive.sandbox.ledger_operator()
    assert [(one["key"], one["dataBytes"]) for one in profile["topUps"]] == [(order.order_number, 2**30)]
    assert await alive.stage.all_events(ProfileFailed) == []
    assert (await alive.observed(made, plan_ends_at=applied.event.plan_ends_at)).usage.total_bytes == 6 * 2**30
    view = (await alive.get(f"/top-ups/{order.order_id}")).json()
    assert (view["state"], view["total_bytes"], view["iccid"]) == ("applied", 6 * 2**30, made.iccid)
    assert (await alive.life(made.order_id))["top_ups"][0]["order_number"] == order.order_number
    # A day that the first plan would not have seen.
    await alive.move(timedelta(days=32))
    later = requested(alive, made)
    await alive.stage.publish(later)
    await alive.observed(made, case_id=later.case_id)
    assert await alive.stage.all_events(ProfileExpired) == []


async def test_a_top_up_that_cannot_be_applied_fails_and_says_why(live: Start) -> None:
    alive = await live()
    made, revoked = await alive.sold(), await alive.sold()
    await alive.stage.publish(cancelled(alive, revoked))
    await alive.stage.events(ProfileRevoked)
    other = MORE.model_copy(update={"coverage": ("KZ",)})
    orders = {
        "no eSIM with this ICCID": await alive.paid(kind="top_up", iccid="8999702000000000018", plan=MORE),
        "sold by another shop": await alive.paid(kind="top_up", iccid=made.iccid, plan=MORE, storefront="qazaq-esim"),
        "it was revoked": await alive.paid(kind="top_up", iccid=revoked.iccid, plan=MORE),
        "the coverage of the eSIM's own plan": await alive.paid(kind="top_up", iccid=made.iccid, plan=other),
    }
    failed = await alive.stage.events(ProfileFailed, count=4)
    reasons = {one.event.order_id: one.event for one in failed}
    for words, order in orders.items():
        event = reasons[order.order_id]
        assert words in event.reason
        assert (event.kind, event.iccid, event.plan) == ("top_up", order.iccid, order.plan)
    await alive.sandbox.faults({"target": "operator.top_up", "effect": "refuse", "status": 409})
    refused = await alive.paid(kind="top_up", iccid=made.iccid, plan=MORE)
    [late] = await alive.stage.events(ProfileFailed, where=lambda event: event.order_id == refused.order_id)
    assert "the profile has ended" in late.event.reason
    assert await alive.stage.all_events(TopUpApplied) == []
    [profile] = [one for one in await alive.sandbox.ledger_operator() if one["iccid"] == made.iccid]
    assert profile["topUps"] == []


async def test_a_top_up_whose_outcome_stays_unknown_waits_for_a_person(live: Start) -> None:
    alive = await live(storefront_deadline_seconds={"esimka": 3})
    made = await alive.sold()
    await alive.sandbox.faults({"target": "operator.top_up", "effect": "drop"})
    order = await alive.paid(kind="top_up", iccid=made.iccid, plan=MORE)

    async def parked() -> bool:
        answer = await alive.get(f"/top-ups/{order.order_id}")
        return bool(answer.is_success and answer.json()["work_state"] == "parked")

    await alive.stage.eventually(parked)
    assert "unknown" in (await alive.get(f"/top-ups/{order.order_id}")).json()["last_error"]
    assert await alive.stage.all_events(ProfileFailed) == []


async def test_a_buyer_is_forgotten_and_stays_forgotten(live: Start) -> None:
    """PP 6.2: the EID names a person's device. What is known of the profile stays."""
    alive = await live(privacy_key="export-key")
    made = await alive.sold()
    await alive.sandbox.scan(alive.code(made), EID)
    before = await alive.observed(made, state="enabled")
    async with httpx.AsyncClient(base_url=alive.url, trust_env=False) as client:
        path, key = f"/privacy/buyers/{made.buyer_id}", {"authorization": "Bearer export-key"}
        held = (await client.get(path, headers=key)).json()
        assert (await client.get(path)).status_code == 401
    assert held["profiles"][0]["iccid"] == made.iccid
    assert EID in str(held["observations"])
    request = BuyerErasureRequested(
        buyer_id=made.buyer_id, storefront="esimka", request_id=uuid7(), requested_at=datetime.now(UTC)
    )
    await alive.stage.publish(request)
    [erased] = await alive.stage.events(ProvisioningBuyerErased)
    assert (erased.event.buyer_id, erased.event.request_id) == (made.buyer_id, request.request_id)
    # Notifications carry whole seconds: this one is told to be later than the one before.
    later = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
    await alive.sandbox.phone(made.iccid, 7, eid=EID, fields={"timestamp": later})
    after = await alive.observed(made, state="disabled")
    assert (after.installed_at, after.activated_at) == (before.installed_at, before.activated_at)
    everything = [str(await alive.rows(f"SELECT * FROM {table}")) for table in ("lives", "observations", "profiles")]
    assert EID not in "".join(everything)
    assert (await alive.life(made.order_id))["eid"] is None
