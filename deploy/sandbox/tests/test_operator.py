"""ES2+ and the usage feed (SGP.22 v2.5 §5.3, docs/wire/es2plus.md)."""

import re
from typing import TYPE_CHECKING

import pytest

from sandbox.testing import JsonObject, RunningSandbox, running_sandbox

if TYPE_CHECKING:
    from deploy.sandbox.tests.conftest import Shop


BASE = "/operator/gsma/rsp2/es2plus/"
PROTOCOL = {"X-Admin-Protocol": "gsma/rsp/v2.5.0"}
ICCID = "8999701000000000019"
EID = "89049032123451234512345678901235"
OTHER_EID = "89049032000000000000000000000012"


def with_check(eid: str) -> str:
    """The EID with the two check digits that make it 1 modulo 97."""
    body = eid[:30] + "00"
    return f"{int(body) + 98 - int(body) % 97}"


EID, OTHER_EID = with_check(EID), with_check(OTHER_EID)


async def call(sb: RunningSandbox, function: str, call_id: str = "call-1", **body: object) -> JsonObject:
    header = {"functionRequesterIdentifier": "shop", "functionCallIdentifier": call_id}
    answer = await sb.client.post(BASE + function, json={"header": header} | body, headers=PROTOCOL)
    assert answer.status_code == 200
    assert answer.headers["x-admin-protocol"] == "gsma/rsp/v2.5.0"
    value: JsonObject = answer.json()
    return value


def outcome(answer: JsonObject) -> str:
    status = answer["header"]["functionExecutionStatus"]
    if status["status"] != "Failed":
        assert set(status) == {"status"}
        return str(status["status"])
    code = status["statusCodeData"]
    assert set(answer) == {"header"}
    return f"{code['subjectCode']}/{code['reasonCode']}"


async def profile(sb: RunningSandbox, iccid: str = ICCID) -> JsonObject:
    return next(one for one in await sb.ledger_operator() if one["iccid"] == iccid)


async def test_the_way_of_a_profile(sb: RunningSandbox) -> None:
    answer = await call(sb, "downloadOrder", iccid=ICCID, profileType="KZ-1GB")
    assert (outcome(answer), answer["iccid"]) == ("Executed-Success", ICCID)
    assert (await profile(sb))["state"] == "reserved"
    answer = await call(sb, "confirmOrder", iccid=ICCID, releaseFlag=False, matchingId="A-1")
    assert outcome(answer) == "Executed-Success"
    assert (answer["matchingId"], answer["smdpAddress"]) == ("A-1", "smdp.sandbox.example")
    assert (await profile(sb))["state"] == "confirmed"
    assert outcome(await call(sb, "releaseProfile", iccid=ICCID)) == "Executed-Success"
    entry = await profile(sb)
    assert (entry["state"], entry["matchingId"], entry["profileType"]) == ("released", "A-1", "KZ-1GB")
    assert [one["function"] for one in entry["calls"]] == ["downloadOrder", "confirmOrder", "releaseProfile"]
    assert outcome(await call(sb, "releaseProfile", iccid=ICCID)) == "8.2.1/3.3"


async def test_by_profile_type_alone_each_call_reserves_another(sb: RunningSandbox) -> None:
    answers = [await call(sb, "downloadOrder", profileType="KZ-1GB", call_id="same") for _ in range(2)]
    first, second = (answer["iccid"] for answer in answers)
    assert first != second
    assert all(re.fullmatch(r"8999701\d{12}F", iccid) for iccid in (first, second))
    assert len(await sb.ledger_operator()) == 2


async def test_repeating_the_same_iccid(sb: RunningSandbox) -> None:
    await call(sb, "downloadOrder", iccid=ICCID, profileType="KZ-1GB")
    assert outcome(await call(sb, "downloadOrder", iccid=ICCID, profileType="KZ-1GB")) == "8.2.1/3.3"
    await call(sb, "confirmOrder", iccid=ICCID, releaseFlag=True, matchingId="A-1")
    again = await call(sb, "confirmOrder", iccid=ICCID, releaseFlag=True, matchingId="A-1")
    assert outcome(again) == "8.2.6/3.3"
    other = await call(sb, "confirmOrder", iccid=ICCID, releaseFlag=True, matchingId="A-2")
    assert outcome(other) == "8.2.1/3.3"
    (entry,) = await sb.ledger_operator()
    failed = [(one["subjectCode"], one["reasonCode"]) for one in entry["calls"] if one["status"] == "Failed"]
    assert failed == [("8.2.1", "3.3"), ("8.2.6", "3.3"), ("8.2.1", "3.3")]


async def test_a_matching_id_belongs_to_one_profile(sb: RunningSandbox) -> None:
    for iccid in (ICCID, "8999701000000000027"):
        await call(sb, "downloadOrder", iccid=iccid, profileType="KZ-1GB")
    await call(sb, "confirmOrder", iccid=ICCID, releaseFlag=True, matchingId="A-1")
    answer = await call(sb, "confirmOrder", iccid="8999701000000000027", releaseFlag=True, matchingId="A-1")
    assert outcome(answer) == "8.2.6/3.10"


async def test_without_a_matching_id_the_operator_makes_one(sb: RunningSandbox) -> None:
    await call(sb, "downloadOrder", iccid=ICCID, profileType="KZ-1GB")
    answer = await call(sb, "confirmOrder", iccid=ICCID, releaseFlag=True)
    assert re.fullmatch(r"[-0-9A-Z]+", answer["matchingId"])


async def test_types_and_stock() -> None:
    async with running_sandbox(profile_types=("KZ-1GB", "KZ-3GB")) as sb:
        await sb.operator_catalogue(stock={"KZ-1GB": 1})
        assert outcome(await call(sb, "downloadOrder", profileType="XX")) == "8.2.5/3.9"
        assert outcome(await call(sb, "downloadOrder", iccid=ICCID)) == "8.2.1/3.9"
        assert outcome(await call(sb, "downloadOrder", iccid=ICCID, profileType="KZ-1GB")) == "Executed-Success"
        assert outcome(await call(sb, "downloadOrder", iccid=ICCID, profileType="KZ-3GB")) == "8.2.5/3.8"
        assert outcome(await call(sb, "downloadOrder", profileType="KZ-1GB")) == "8.2.5/3.7"
        await call(sb, "cancelOrder", iccid=ICCID, finalProfileStatusIndicator="Available")
        assert outcome(await call(sb, "downloadOrder", iccid=ICCID, profileType="KZ-1GB")) == "Executed-Success"


async def test_an_eid_is_kept_and_compared(sb: RunningSandbox) -> None:
    await call(sb, "downloadOrder", iccid=ICCID, profileType="KZ-1GB", eid=EID)
    assert outcome(await call(sb, "downloadOrder", iccid=ICCID, eid=OTHER_EID)) == "8.2.1/3.10"
    answer = await call(sb, "confirmOrder", iccid=ICCID, releaseFlag=True, eid=OTHER_EID)
    assert outcome(answer) == "8.1.1/3.10"
    answer = await call(sb, "confirmOrder", iccid=ICCID, releaseFlag=True, eid=EID)
    assert answer["eid"] == EID
    assert outcome(await call(sb, "downloadOrder", profileType="A", eid="1" * 32)) == "8.1.1/2.1"


@pytest.mark.parametrize(("indicator", "state", "again"), [
    ("Available", "available", "Executed-Success"),
    ("Unavailable", "cancelled", "8.2.1/3.3"),
])  # fmt: skip
async def test_cancelling(sb: RunningSandbox, indicator: str, state: str, again: str) -> None:
    await call(sb, "downloadOrder", iccid=ICCID, profileType="KZ-1GB")
    await call(sb, "confirmOrder", iccid=ICCID, releaseFlag=True, matchingId="A-1")
    wrong = await call(sb, "cancelOrder", iccid=ICCID, finalProfileStatusIndicator=indicator, matchingId="B")
    assert outcome(wrong) == "8.2.6/3.10"
    done = await call(sb, "cancelOrder", iccid=ICCID, finalProfileStatusIndicator=indicator, matchingId="A-1")
    assert outcome(done) == "Executed-Success"
    entry = await profile(sb)
    assert (entry["state"], entry["matchingId"]) == (state, None)
    assert outcome(await call(sb, "downloadOrder", iccid=ICCID, profileType="KZ-1GB")) == again


async def test_a_downloaded_profile_cannot_be_cancelled(sb: RunningSandbox) -> None:
    await call(sb, "downloadOrder", iccid=ICCID, profileType="KZ-1GB")
    await call(sb, "confirmOrder", iccid=ICCID, releaseFlag=True)
    await sb.phone(ICCID, 3)
    answer = await call(sb, "cancelOrder", iccid=ICCID, finalProfileStatusIndicator="Available")
    assert outcome(answer) == "8.2.1/3.3"


@pytest.mark.parametrize(
    ("function", "body", "expected"),
    [
        ("downloadOrder", {}, "8.2.5/2.3"),
        ("downloadOrder", {"iccid": "123", "profileType": "A"}, "8.2.1/2.1"),
        ("downloadOrder", {"iccid": 5, "profileType": "A"}, "8.2.1/2.1"),
        ("downloadOrder", {"profileType": ["A"]}, "8.2.5/2.1"),
        ("confirmOrder", {}, "8.2.1/2.2"),
        ("confirmOrder", {"iccid": ICCID, "releaseFlag": True}, "8.2.1/3.9"),
        ("cancelOrder", {"iccid": ICCID}, "8.2.1/3.9"),
        ("releaseProfile", {"iccid": ICCID}, "8.2.1/3.9"),
    ],
)
async def test_bad_input_fails_in_the_functions_own_way(
    sb: RunningSandbox, function: str, body: JsonObject, expected: str
) -> None:
    assert outcome(await call(sb, function, **body)) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"releaseFlag": "yes"}, "1.6/2.1"),
        ({}, "1.6/2.2"),
        ({"releaseFlag": True, "matchingId": "lower"}, "8.2.6/2.1"),
    ],
)
async def test_bad_confirmations(sb: RunningSandbox, body: JsonObject, expected: str) -> None:
    await call(sb, "downloadOrder", iccid=ICCID, profileType="A")
    assert outcome(await call(sb, "confirmOrder", iccid=ICCID, **body)) == expected


@pytest.mark.parametrize(
    "header",
    [None, {}, [], {"functionRequesterIdentifier": "a"}, {"functionCallIdentifier": "a"},
     {"functionRequesterIdentifier": "a", "functionCallIdentifier": 5}],
)  # fmt: skip
async def test_the_function_header_is_mandatory(sb: RunningSandbox, header: object) -> None:
    answer = await sb.client.post(BASE + "downloadOrder", json={"header": header, "profileType": "A"}, headers=PROTOCOL)
    assert (answer.status_code, outcome(answer.json())) == (200, "1.6/2.2")
    assert await sb.ledger_operator() == []


async def test_the_protocol_header_is_mandatory(sb: RunningSandbox) -> None:
    header = {"functionRequesterIdentifier": "a", "functionCallIdentifier": "b"}
    answer = await sb.client.post(BASE + "downloadOrder", json={"header": header, "profileType": "A"})
    assert outcome(answer.json()) == "1.6/2.1"


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"\xff"])
async def test_what_is_no_json_object(sb: RunningSandbox, body: bytes) -> None:
    assert (await sb.client.post(BASE + "downloadOrder", content=body, headers=PROTOCOL)).status_code == 400


async def test_a_filler_is_no_part_of_the_iccid(sb: RunningSandbox) -> None:
    await call(sb, "downloadOrder", iccid=ICCID + "F", profileType="A")
    assert (await sb.client.get(f"/operator/usage/{ICCID}")).json()["iccid"] == ICCID


async def test_usage_feed(sb: RunningSandbox) -> None:
    assert (await sb.client.get(f"/operator/usage/{ICCID}")).status_code == 404
    await call(sb, "downloadOrder", iccid=ICCID, profileType="KZ-1GB")
    document = (await sb.client.get(f"/operator/usage/{ICCID}")).json()
    assert (document["installState"], document["usedBytes"], document["firstUseAt"]) == ("not-installed", 0, None)
    await sb.phone(ICCID, 3, 4)
    await sb.use_data(ICCID, 5_000_000)
    document = (await sb.client.get(f"/operator/usage/{ICCID}")).json()
    assert (document["installState"], document["usedBytes"]) == ("installed", 5_000_000)
    assert document["firstUseAt"] == document["usedBytesAt"]
    await sb.use_data(ICCID, None)
    assert (await sb.client.get(f"/operator/usage/{ICCID}")).json()["usedBytes"] is None


async def test_the_phone_makes_the_operator_notify(sb: RunningSandbox, shop: "Shop") -> None:
    await call(sb, "downloadOrder", iccid=ICCID, profileType="KZ-1GB", eid=EID)
    shop.answers.extend([204, 204])
    await sb.operator_catalogue(progress_url=f"{shop.url}/gsma/rsp2/es2plus/handleDownloadProgressInfo")
    played = await sb.phone(ICCID, 3, "4")
    assert played == {"installState": "installed", "answers": [204, 204]}
    first, second = await shop.webhook(), await shop.webhook()
    assert shop.headers[0]["x-admin-protocol"] == "gsma/rsp/v2.5.0"
    assert (first["iccid"], first["profileType"], first["eid"]) == (ICCID + "F", "KZ-1GB", EID)
    assert (first["notificationPointId"], second["notificationPointId"]) == (3, "4")
    assert first["notificationPointStatus"] == {"status": "Executed-Success"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", first["timestamp"])
    assert set(first["header"]) == {"functionRequesterIdentifier", "functionCallIdentifier"}
    failed = await sb.phone(ICCID, 5, succeeded=False)
    assert failed["installState"] == "installed"
    assert (await shop.webhook())["notificationPointStatus"] == {"status": "Failed"}
