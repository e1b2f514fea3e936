"""The account page's forms about refunds: what they hand over, what they refuse, and what the page then shows."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import httpx
import pytest

from notifications.account.cases import refund_section
from notifications.account.uploads import AT_ONCE, MOST_BYTES, MOST_FILES
from notifications.app import new_links
from notifications.clients.refunds import Eligibility
from notifications.emails import LocaleFormat, texts
from shared.contracts import Language
from shared.ids import uuid7
from shared.testing.documents import Json, JsonObject

if TYPE_CHECKING:
    from services.notifications.tests.conftest import Buyer, Notifications, Start

    from shared.testing.stand_in import StandIn

PHOTO = b"\xff\xd8\xff\xe0\r\n\x00 a photo"
CASE = str(uuid7())
SAID = {"en": "Your <code> was used.", "ru": "Код использован."}


def case(state: str, **more: object) -> JsonObject:
    decision = {
        "verdict": "deny",
        "decided_at": "2026-11-21T10:00:00Z",
        "decided_by": "system",
        "grounds": [{"document": "RF", "clause": "3.1", "text": "used"}],
        "explanation": SAID,
        "missing": ["evidence"] if state == "information_needed" else [],
    }
    return {
        "case_id": CASE,
        "reason": "technical_failure",
        "ground": "technical_failure",
        "state": state,
        "requested_at": "2026-11-20T10:00:00Z",
        "due_at": "2026-12-04T20:00:00Z",
        "decision": decision,
        "appealed_at": None,
        **more,
    }


def eligibility(*cases: JsonObject, **more: object) -> JsonObject:
    answers = [
        {"reason": "technical_failure", "verdict": "await_support", "explanation": SAID},
        {"reason": "unheard_of", "verdict": "deny", "explanation": SAID},
    ]
    return {"status": "open", "answers": answers, "cases": list(cases), "cancellation": None, **more}


@dataclass
class Tab:
    """A buyer's browser on the order's page."""

    http: httpx.AsyncClient
    path: str
    running: "Notifications"
    buyer: "Buyer"
    refunds: "StandIn"

    async def page(self) -> str:
        return (await self.http.get(self.path)).text

    async def send(self, action: str, *files: tuple[str, bytes], **fields: str) -> str:
        """Send a form; returns what the page then says, from its address."""
        found = re.search(r'name="form" value="([0-9a-f]+)"', await self.page())
        assert found
        parts = [("file", (name, content)) for name, content in files] or None
        sent = await self.http.post(f"{self.path}/{action}", data={"form": found[1], **fields}, files=parts)
        assert sent.status_code == 303, sent.text
        assert (await self.http.get(sent.headers["location"])).status_code == 200
        return urlsplit(sent.headers["location"]).query

    def posted(self) -> list[tuple[str, Json]]:
        return [(line.rpartition("/")[2], body) for line, _, body in self.refunds.asked if line.startswith("POST")]


@pytest.fixture
async def tab(start: "Start", refunds: "StandIn") -> AsyncIterator[Tab]:
    async with opened(start, refunds) as opened_tab:
        yield opened_tab


@asynccontextmanager
async def opened(start: "Start", refunds: "StandIn") -> AsyncIterator[Tab]:
    refunds.answers["refund-eligibility"] = (200, eligibility())
    refunds.answers |= dict.fromkeys(("refund-requests", "evidence", "appeals", "cancellation", "messages"), (201, {}))
    running = await start(refunds_url=refunds.url, refunds_keys={"esimka": "shop-key"})
    buyer = running.buyer()
    await running.stage.publish(buyer.contact(), buyer.paid(), buyer.generated())
    await running.until_rows("SELECT 1 FROM orders JOIN contacts USING (buyer_id) WHERE paid IS NOT NULL")
    path = urlsplit(new_links(running.settings).account(buyer.order_id, buyer.email, buyer.now)).path
    base = running.address
    async with httpx.AsyncClient(base_url=base, trust_env=False, timeout=60) as http:
        yield Tab(http, path, running, buyer, refunds)


async def test_a_refund_is_asked_for_where_the_terms_are_shown(tab: Tab) -> None:
    page = await tab.page()
    assert "Your &lt;code&gt; was used." in page
    assert "unheard_of" not in page
    assert "a person looks at it" not in page, "what the terms decide is not looked at by a person"
    assert await tab.send("refund", reason="technical_failure", words="no <network>") == "said=asked"
    assert await tab.send("refund", reason="'; DROP") == "said=not_asked"
    assert await tab.send("refund", reason="double_charge") == "said=asked"
    [(_, head, body), _] = [asked for asked in tab.refunds.asked if asked[0].startswith("POST")]
    assert "authorization: bearer shop-key" in head
    assert "traceparent: 00-" in head
    assert body == {
        "reason": "technical_failure",
        "channel": "account",
        "circumstances": "no <network>",
        "provided": ["email", "full_name", "payment_date"],
    }
    tab.refunds.answers["refund-eligibility"] = (200, {"status": "refunded"})
    assert "goes back already" in await tab.page()
    tab.refunds.answers["refund-eligibility"] = (503, {})
    assert "cannot be asked here at the moment" in await tab.page()
    tab.refunds.answers["refund-eligibility"] = None
    assert "cannot be asked here at the moment" in await tab.page()


async def test_photos_go_with_the_request_or_to_the_case_that_waits(tab: Tab) -> None:
    files = (("IMG 1.jpg", PHOTO), ("é.png", b"\x89PNG" + PHOTO))
    said = await tab.send("refund", *files, reason="technical_failure", words="it is dead")
    assert said == "said=asked&file=file_kept"
    assert [line for line, _ in tab.posted()] == [
        "evidence?name=IMG+1.jpg&channel=account",
        "evidence?name=%C3%A9.png&channel=account",
        "refund-requests",
    ]
    assert [body for _, body in tab.posted()][:2] == [PHOTO, b"\x89PNG" + PHOTO]
    assert tab.posted()[-1][1]["provided"] == ["email", "full_name", "payment_date", "evidence"]
    tab.refunds.answers["refund-eligibility"] = (200, eligibility(case("information_needed")))
    page = await tab.page()
    assert "screenshots, or the text of the error message" in page
    assert 'enctype="multipart/form-data"' in page
    assert await tab.send("evidence", ("a.jpg", PHOTO)) == "file=file_kept"
    assert await tab.send("evidence", ("empty.jpg", b"")) == "said=no_file"


async def test_a_file_that_is_not_kept_is_refused_in_words_and_the_request_counts(tab: Tab) -> None:
    for status, kind, said in (
        (415, "not-evidence", "file_type"),
        (413, "body-too-large", "file_size"),
        (409, "too-many-evidence-files", "file_limit"),
        (503, "not-ready", "file_not_now"),
    ):
        tab.refunds.answers["evidence"] = (status, {"type": f"urn:problem:{kind}", "status": status})
        assert await tab.send("refund", ("a.zip", b"PK"), reason="technical_failure") == f"said=asked&file={said}"
        assert "evidence" not in tab.posted()[-1][1]["provided"]
    tab.refunds.answers["evidence"] = (201, {})
    six = [(f"{number}.jpg", PHOTO) for number in range(MOST_FILES + 1)]
    assert await tab.send("evidence", *six) == "file=file_number"
    assert len([line for line, _ in tab.posted() if "jpg" in line]) == MOST_FILES
    shown = (await tab.http.get(f"{tab.path}?file=file_number")).text
    assert f"One form takes {MOST_FILES} files" in shown
    # 40 MB: read and thrown away, so that the browser shows the answer; nothing of it is handed over.
    before = len(tab.posted())
    large = ("large.jpg", PHOTO + bytes(4 * MOST_BYTES))
    assert await tab.send("refund", large, reason="technical_failure", words="dead") == "said=asked&file=file_size"
    assert [line for line, _ in tab.posted()[before:]] == ["refund-requests"]
    assert tab.posted()[-1][1]["circumstances"] == "dead"
    for content_type, body in (
        ("multipart/form-data; boundary=x", b"--x\r\nnonsense"),
        ("multipart/form-data", b"--x"),
        ("text/plain", b"form=1"),
        ("multipart/form-data; boundary=x", b"--x--\r\n"),
    ):
        sent = await tab.http.post(f"{tab.path}/evidence", content=body, headers={"content-type": content_type})
        assert sent.status_code == 404, (content_type, body)


async def test_files_count_as_held_until_they_are_handed_on(tab: Tab) -> None:
    reading = tab.running.service.app.state.account.reading
    for _ in range(AT_ONCE - 1):
        await reading.acquire()
    full = []
    tab.refunds.heard = lambda: full.append(reading.locked())
    assert await tab.send("evidence", ("a.jpg", PHOTO), ("b.jpg", PHOTO)) == "file=file_kept"
    assert full.count(True) == len(tab.posted())
    assert not reading.locked()


async def test_appeal_cancellation_and_message(tab: Tab) -> None:
    tab.refunds.answers["refund-eligibility"] = (200, eligibility(case("denied"), cancellation="possible"))
    page = await tab.page()
    for wanted in ("declined", "Decided automatically, by the terms", "RF 3.1", "Cancel for good", "deleted for good"):
        assert wanted in page
    assert await tab.send("appeal", case=CASE, words="You overlooked …") == "said=appealed"
    assert tab.posted() == [("appeals", {"text": "You overlooked …"})]
    found = re.search(r'name="form" value="([0-9a-f]+)"', page)
    assert found
    for wrong in (str(uuid7()), "x"):
        sent = await tab.http.post(f"{tab.path}/appeal", data={"form": found[1], "case": wrong})
        assert sent.status_code == 404, "a case of another order"
    assert await tab.send("cancellation") == "said=not_sure"
    assert await tab.send("cancellation", sure="1") == "said=cancelled"
    assert await tab.send("message", words=" ") == "said=no_words"
    assert await tab.send("message", words="Hello") == "said=message"
    assert tab.posted()[-1] == (
        "messages",
        {"text": "Hello", "channel": "account", "email": tab.buyer.email, "language": "en"},
    )
    tab.refunds.answers["messages"] = (429, {"type": "urn:problem:too-many-messages"})
    assert await tab.send("message", words="Hello") == "said=too_often"
    tab.refunds.answers["appeals"] = (409, {"type": "urn:problem:not-now"})
    assert await tab.send("appeal", case=CASE, words="x") == "said=not_asked"


@pytest.mark.parametrize("language", get_args(Language))
def test_every_state_of_a_case_says_what_happens_next(language: Language) -> None:
    from refunds.cases import CaseState  # noqa: PLC0415 - the owner of the states

    locale = LocaleFormat(language, ZoneInfo("Asia/Tbilisi"))
    for state in CaseState:
        section = refund_section(Eligibility.model_validate(eligibility(case(state.value))), locale)
        assert section is not None
        assert [shown.state for shown in section.cases] == ([] if state == "superseded" else [state.value])
    person = case("denied", decision={**case("denied")["decision"], "decided_by": "agent:anna"})
    shop = case("settled", decision={**case("denied")["decision"], "decided_by": "storefront:esimka"})
    twice = case("support", reason="double_charge")
    section = refund_section(Eligibility.model_validate(eligibility(twice, shop, person, case("new state"))), locale)
    assert section is not None
    assert [(shown.state, shown.decided) for shown in section.cases] == [
        ("needs_person", None),
        ("denied", "person"),
        ("settled", "shop"),
        ("support", None),
    ]
    assert section.cases[2].steps[1][1] == texts(language)["case"]["step_decided_shop"]
    assert section.cases[3].title == texts(language)["account"]["reason_double_charge"]
