"""An operator behaves as control says: it knows nothing, or spells what it knows in another way."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from sandbox.smdp.es2plus import on_wire
from sandbox.testing import JsonObject, RunningSandbox, running_sandbox

if TYPE_CHECKING:
    from deploy.sandbox.tests.conftest import Shop


PROTOCOL = {"X-Admin-Protocol": "gsma/rsp/v2.5.0"}
ICCID, EID = "8999701000000000019", "89049032123451234512345678901235"


async def call(sb: RunningSandbox, function: str, **body: object) -> JsonObject:
    header = {"functionRequesterIdentifier": "shop", "functionCallIdentifier": "1"}
    path = f"/operator/gsma/rsp2/es2plus/{function}"
    answer = await sb.client.post(path, json={"header": header, "iccid": ICCID} | body, headers=PROTOCOL)
    value: JsonObject = answer.json()
    return value


async def sold(sb: RunningSandbox) -> JsonObject:
    await call(sb, "downloadOrder", profileType="KZ-1GB")
    return await call(sb, "confirmOrder", releaseFlag=True, matchingId="ABC-1")


async def feed(sb: RunningSandbox) -> JsonObject:
    value: JsonObject = (await sb.client.get(f"/operator/usage/{ICCID}")).json()
    return value


async def test_an_operator_may_know_nothing_and_know_it_later(sb: RunningSandbox) -> None:
    await sold(sb)
    await sb.operator_behaviour(feed="silent")
    await sb.phone(ICCID, 3, 4)
    silent = await feed(sb)
    assert {silent[name] for name in ("installState", "usedBytes", "firstUseAt", "eid", "installStateAt")} == {None}
    assert silent["iccid"] == ICCID
    await sb.operator_behaviour(feed="none")
    assert (await sb.client.get(f"/operator/usage/{ICCID}")).status_code == 404
    await sb.operator_behaviour(afresh=True)
    assert (await feed(sb))["installState"] == "installed"
    await sb.operator_behaviour(feed="silent")
    await sb.client.post("/control/reset")
    await sold(sb)
    assert (await feed(sb))["installState"] == "not-installed"


async def test_a_feed_may_be_old_end_early_and_misspell(sb: RunningSandbox) -> None:
    await sold(sb)
    await sb.operator_behaviour(feed_lag_seconds=600, unused_days=90, feed_fields={"usedBytes": 2**70})
    usage = await feed(sb)
    now = datetime.now(UTC)
    assert timedelta(minutes=9) < now - datetime.fromisoformat(usage["observedAt"]) < timedelta(minutes=12)
    assert timedelta(days=89) < datetime.fromisoformat(usage["validUntil"]) - now < timedelta(days=91)
    assert usage["usedBytes"] == 2**70


async def test_answers_may_be_spelled_otherwise(sb: RunningSandbox) -> None:
    await sb.operator_behaviour(
        executed="executed-success", small_letters=True, answer_fields={"confirmOrder": {"smdpAddress": ""}}
    )
    answer = await sold(sb)
    assert answer["header"]["functionExecutionStatus"] == {"status": "executed-success"}
    assert (answer["matchingId"], answer["smdpAddress"]) == ("abc-1", "")


@pytest.mark.parametrize(
    ("changes", "name", "kind"),
    [
        ({"timestamps": "seconds", "timestamp_name": "timeStamp"}, "timeStamp", int),
        ({"timestamps": "milliseconds"}, "timestamp", int),
        ({}, "timestamp", str),
    ],
)
async def test_notifications_may_be_spelled_otherwise(
    sb: RunningSandbox, shop: "Shop", changes: JsonObject, name: str, kind: type
) -> None:
    await sold(sb)
    await sb.operator_catalogue(progress_url=shop.url)
    spelled = {
        "executed": "Executed-WithWarning",
        "leave_out": ["profileType", "header"],
        "protocol": "gsma/rsp/v3.1.0",
    }
    await sb.operator_behaviour(**spelled | changes, notification_fields={"eid": "8" * 32})
    await sb.phone(ICCID, 4, eid=EID)
    notification = await shop.webhook()
    assert type(notification[name]) is kind
    assert notification.keys() & {"profileType", "header"} == set()
    assert (notification["iccid"], notification["eid"]) == (on_wire(ICCID), "8" * 32)
    assert notification["notificationPointStatus"] == {"status": "Executed-WithWarning"}
    assert shop.headers[-1]["x-admin-protocol"] == "gsma/rsp/v3.1.0"


async def test_a_notification_may_have_no_time_and_name_no_protocol(sb: RunningSandbox, shop: "Shop") -> None:
    await sold(sb)
    await sb.operator_catalogue(progress_url=shop.url)
    await sb.operator_behaviour(timestamps="missing", protocol="")
    await sb.phone(ICCID, 4, eid=EID)
    assert "timestamp" not in await shop.webhook()
    assert "x-admin-protocol" not in shop.headers[-1]


async def airalo_order(sb: RunningSandbox, number: str) -> JsonObject:
    login = {"client_id": "airalo-client", "client_secret": "airalo-secret", "grant_type": "client_credentials"}
    token = (await sb.client.post("/airalo/v2/token", data=login)).json()["data"]["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    body = {"package_id": "turk-5", "quantity": "1", "description": number}
    ordered = (await sb.client.post("/airalo/v2/orders", data=body, headers=headers)).json()["data"]
    listed = await sb.client.get(f"/airalo/v2/orders?filter[description]={number}&include=sims,status", headers=headers)
    iccids = [one["iccid"].rstrip("F") for one in ordered["sims"]]
    usage = [(await sb.client.get(f"/airalo/v2/sims/{one}/usage", headers=headers)).json()["data"] for one in iccids]
    return {"ordered": ordered, "listed": listed.json()["data"], "usage": usage}


async def test_the_reseller_may_spell_otherwise() -> None:
    async with running_sandbox(airalo_tokens_per_minute=100) as sb:
        await sb.airalo(filler=True, apn="by_system", confirmation="code", status_word="in_review", empty=True)
        order = await airalo_order(sb, "10000001")
        [sim] = order["ordered"]["sims"]
        assert sim["iccid"].endswith("F")
        assert sim["qrcode"].endswith("$$1")
        assert sim["confirmation_code"] is not None
        assert (sim["apn"]["android"]["apn_value"], sim["apn_value"]) == ("singleall", None)
        assert order["listed"][0]["status"]["slug"] == "in_review"
        assert order["usage"] == [[]]
        await sb.airalo(fails=True, status_word="")
        failed = await airalo_order(sb, "10000002")
        assert (failed["ordered"]["sims"], failed["listed"][0]["status"]["slug"]) == ([], "failed")
