"""Mails and pages as a person sees them: in a browser, on a phone and a desktop, light and dark.

Pictures are kept below `.run/looks/` to be looked at; what a picture must show is checked.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

import pytest
import zxingcpp
from PIL import Image
from services.notifications.tests.conftest import listed
from services.notifications.tests.page_checks import CONTRAST, SMALL, UNNAMED

from notifications.app import new_links
from notifications.emails.models.content import Rendered
from notifications.emails.rules.texts import texts, written
from notifications.emails.samples import code_sample, note_sample
from notifications.newsletters.models import NewsletterText
from notifications.newsletters.rules import render_newsletter
from notifications.storefronts import Storefronts
from shared.ids import uuid7
from shared.shops.files import ShopFiles
from shared.testing.browser import Page, browser
from shared.testing.documents import JsonObject
from shared.testing.shops import EXAMPLES, change, copied
from shared.values.activation_code import ActivationCode

if TYPE_CHECKING:
    from services.notifications.tests.conftest import Start

    from shared.testing.stand_in import StandIn

PHONE, DESKTOP = (390, 844), (1280, 900)
LOOKS = Path(__file__).parents[3] / ".run" / "looks"
STORES = Storefronts(ShopFiles(EXAMPLES))
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
CODE = "LPA:1$smdp.sandbox.example$QQ7SECRETMATCHINGID2345678"
ACCOUNT = "https://orders.example/account/AQAAUTIB-ltxUQByt6VqR6vQ6B0bWQ0rbmJ5oLr-3l5tqCq2c3pE"
Scheme = Literal["light", "dark"]


def _mails(language: str) -> Iterator[tuple[str, str, Rendered]]:
    slug = {"ru": "qazaq-esim", "kk": "qazaq-esim", "ka": "esimka"}.get(language, "e-sim-onl")
    code = code_sample(
        STORES[slug],
        language,
        code=ActivationCode.parse(CODE),
        confirmation_code="4471",
        receipt_url="https://ofd.example/t/778",
        account=ACCOUNT,
    )
    yield "qr", slug, code
    for kind in ("information", "code", "lapsed", "claim_answered"):
        yield kind, slug, note_sample(STORES[slug], kind, language)
    news = NewsletterText(
        "Spring in Turkey", "# Cheaper now\n\n[Look](https://x.example) *here*:\n\n- one\n- two\n\n> Said."
    )
    yield "newsletter", slug, render_newsletter(STORES[slug], written(language), news, "Aigerim", ACCOUNT)


def eligibility() -> JsonObject:
    """What refunds says of an order with a request that waits for evidence, and a denied one."""
    said = {"en": "The activation code was used.", "ru": "Код активации использован."}

    def case(reason: str, state: str, missing: list[str], clause: str) -> JsonObject:
        ground = {"document": "RF", "clause": clause, "text": "x"}
        return {
            "case_id": str(uuid7()),
            "reason": reason,
            "ground": reason,
            "state": state,
            "requested_at": NOW.isoformat(),
            "due_at": (NOW + timedelta(days=14)).isoformat() if state == "support" else None,
            "decision": {
                "verdict": state,
                "decided_at": NOW.isoformat(),
                "decided_by": "system",
                "grounds": [ground],
                "explanation": said,
                "missing": missing,
            },
        }

    return {
        "status": "open",
        "cancellation": "possible",
        "answers": [{"reason": "technical_failure", "verdict": "await_support", "explanation": said}],
        "cases": [
            case("changed_mind", "denied", [], "3.1"),
            case("technical_failure", "information_needed", ["evidence"], "4.3"),
            case("no_coverage", "support", [], "2.2"),
        ],
    }


def with_pages(folder: Path, storefront: str) -> Path:
    """The shops' folder, with the pages of this shop."""
    shops, pages = copied(folder / "shops"), "https://shop.example/"
    toml = shops / storefront / "shop.toml"
    for name, value in (("site", pages), ("payment_page", f"{pages}{{order_id}}")):
        [line] = re.findall(rf"(?m)^{name} = .*$", toml.read_text("utf-8"))
        change(toml, line, f'{name} = "{value}"')
    return shops


async def _look(page: Page, name: str) -> Path:
    """Take a picture; check what holds of everything that a person looks at."""
    LOOKS.mkdir(parents=True, exist_ok=True)
    path = LOOKS / f"{name}.png"
    await page.screenshot(path)
    assert not await page.scrolls_sideways(), name
    assert await page.evaluate(CONTRAST) == [], name
    assert await page.evaluate(SMALL) == 0, name
    assert await page.evaluate(UNNAMED) == 0, name
    return path


def _reads(path: Path, code: str) -> None:
    with Image.open(path) as image:
        [found] = zxingcpp.read_barcodes(image)
    assert found.text == code


@pytest.mark.exhaustive
@pytest.mark.infra
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
async def test_mails(tmp_path: Path, size: tuple[int, int], scheme: Scheme) -> None:
    name = "phone" if size == PHONE else "desktop"
    async with browser(*size) as page:
        await page.driven.emulate_media(color_scheme=scheme)
        for language in ("en", "ru", "kk", "ka"):
            for kind, _, rendered in _mails(language):
                html = rendered.html
                for picture in rendered.pictures:
                    file = tmp_path / f"{picture.cid}.png"
                    file.write_bytes(picture.png)
                    html = html.replace(f"cid:{picture.cid}", file.as_uri())
                mail = tmp_path / f"{kind}.html"
                mail.write_text(html)
                await page.goto(mail.as_uri())
                path = await _look(page, f"mail-{kind}-{language}-{name}-{scheme}")
                if kind == "qr":
                    _reads(path, CODE)
                    side = await page.evaluate("document.querySelector('img').getBoundingClientRect().width")
                    assert side >= 300, "RC: the code is at least 300 pixels wide"
        assert page.errors == []


@pytest.mark.exhaustive
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("size", "language", "storefront"),
    [(PHONE, "ka", "esimka"), (PHONE, "kk", "qazaq-esim"), (DESKTOP, "en", "e-sim-onl"), (DESKTOP, "ru", "qazaq-esim")],
    ids=["phone-ka", "phone-kk", "desktop-en", "desktop-ru"],
)
async def test_account_page(
    start: "Start", size: tuple[int, int], language: str, storefront: str, scheme: Scheme
) -> None:
    running = await start()
    t = texts(written(language))["account"]
    buyer = running.buyer(language=language, storefront=storefront, name="Айгерим <b>")
    links = new_links(running.settings)
    base = running.address
    await running.stage.publish(buyer.contact(), buyer.paid())
    await running.until_rows("SELECT 1 FROM orders JOIN contacts USING (buyer_id)")
    path = urlsplit(links.account(buyer.order_id, buyer.email, buyer.now)).path
    name = f"account-{language}-{'phone' if size == PHONE else 'desktop'}-{scheme}"
    async with browser(*size, language=language) as page:
        await page.driven.emulate_media(color_scheme=scheme)
        await page.goto(base + path)
        assert t["working"] in await page.text("h1")
        await _look(page, f"{name}-1-working")
        await running.stage.publish(buyer.generated(confirmation_code="4471"), buyer.receipt())
        await page.wait(f"text={t['code_button']}")
        assert t["ready"] in await page.text("h1"), "the page followed by itself"
        ends = buyer.now + timedelta(days=29)
        await running.stage.publish(buyer.observed(used=2**30 + 2**28, activated_at=buyer.now, plan_ends_at=ends))
        await running.until_rows("SELECT 1 FROM orders WHERE usage_at IS NOT NULL")
        await page.goto(base + path)
        await _look(page, f"{name}-2-ready")
        await page.driven.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.className") == "skip"
        await page.click(f"text={t['code_button']}")
        await page.wait("img.qr")
        _reads(await _look(page, f"{name}-3-code"), buyer.lpa)
        side = await page.evaluate("document.querySelector('img.qr').getBoundingClientRect().width")
        assert side >= 300
        assert page.errors == []
        assert {urlsplit(url).netloc for url in page.requests if url.startswith("http")} == {urlsplit(base).netloc}


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("size", "language", "storefront", "scheme"),
    [
        (PHONE, "ka", "esimka", "dark"),
        (PHONE, "kk", "qazaq-esim", "light"),
        (DESKTOP, "ru", "qazaq-esim", "dark"),
        (DESKTOP, "en", "e-sim-onl", "light"),
    ],
    ids=["phone-ka", "phone-kk", "desktop-ru", "desktop-en"],
)
async def test_the_buyer_corrects_an_address_and_is_forgotten(
    start: "Start",
    ordering: "StandIn",
    tmp_path: Path,
    size: tuple[int, int],
    language: str,
    storefront: str,
    scheme: Scheme,
) -> None:
    """With the keyboard where a person has one, with fingers elsewhere; ordering is a stand-in here."""
    shops = with_pages(tmp_path, storefront)
    running = await start(ordering_url=ordering.url, ordering_keys={storefront: "shop-key"}, shops_dir=shops)
    ordering.answers["orders"] = (
        200,
        {"orders": [listed(status, datetime.now(UTC)) for status in ("placed", "held", "lapsed")]},
    )
    t = texts(language)["rights"]
    buyer = running.buyer(language=language, storefront=storefront)
    await running.stage.publish(buyer.contact(), buyer.paid(), buyer.generated())
    await running.mail(buyer.email)
    path = urlsplit(new_links(running.settings).account(buyer.order_id, buyer.email, buyer.now)).path
    base = running.address
    asked = str(uuid7())
    done = {"request_id": asked, "kind": "erase", "requested_at": NOW.isoformat(), "confirmed_at": NOW.isoformat()}
    erased = {"erased_at": NOW.isoformat(), "kept": ["accounts without contact data: tax law"]}
    name = f"rights-{language}-{'phone' if size == PHONE else 'desktop'}-{scheme}"
    async with browser(*size, language=language) as page:
        await page.driven.emulate_media(color_scheme=scheme)
        await page.goto(base + path)
        ordering.answers["contact-changes"] = 422, {"errors": [{"field": "email", "message": "is not valid"}]}
        await page.fill("#email", "nobody@localhost")
        await page.click("#contact button")
        assert t["said_wrong_email"] in await page.text("[role=status]")
        await _look(page, f"{name}-1-refused")
        ordering.answers["contact-changes"] = 202, {"confirmation_id": asked, "sent_by": "sms"}
        await page.fill("#email", "new@example.org")
        await page.driven.press("#email", "Enter")
        await page.wait("#enter")
        assert await page.evaluate("document.querySelector('#enter').getBoundingClientRect().top < innerHeight")
        await _look(page, f"{name}-2-code")
        ordering.answers["confirmations"] = 200, {"purpose": "contact_change", "state": "done"}
        await page.fill("#digits", "123456")
        await page.click("#enter button")
        assert t["moved_title"] in await page.text("h1")
        await _look(page, f"{name}-3-moved")
        await page.goto(base + path)
        ordering.answers["requests"] = 202, {"confirmation_id": asked, "sent_by": "email"}
        await page.click(f"#data >> text={t['data_erase']}")
        await page.wait("#enter")
        await _look(page, f"{name}-4-erase")
        ordering.answers[asked] = 200, {**done, "state": "running", "services": {"ordering": erased}}
        await page.fill("#digits", "123456")
        await page.click("#enter button")
        assert t["erasing_title"] in await page.text("h1")
        await _look(page, f"{name}-5-erasing")
        everybody = ("ordering", "payments", "provisioning", "notifications", "refunds")
        ordering.answers[asked] = 200, {**done, "state": "done", "services": dict.fromkeys(everybody, erased)}
        await page.wait(f"text={t['erased_title']}")  # by itself
        await page.click("summary")
        await _look(page, f"{name}-6-erased")
        assert page.errors == []
        assert {urlsplit(url).netloc for url in page.requests if url.startswith("http")} == {urlsplit(base).netloc}


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("size", "language", "scheme"),
    [(PHONE, "ka", "dark"), (PHONE, "kk", "light"), (DESKTOP, "en", "light"), (DESKTOP, "ru", "dark")],
    ids=["phone-ka", "phone-kk", "desktop-en", "desktop-ru"],
)
async def test_the_buyer_sends_a_photo_to_a_case(
    start: "Start", refunds: "StandIn", size: tuple[int, int], language: str, scheme: Scheme
) -> None:
    """With every section opened; refunds is a stand-in here."""
    running = await start(refunds_url=refunds.url, refunds_keys={"esimka": "shop-key"})
    refunds.answers = {"refund-eligibility": (200, eligibility()), "evidence": (201, {"outcome": "stored"})}
    buyer, t = running.buyer(language=language), texts(language)["case"]
    await running.stage.publish(buyer.contact(), buyer.paid(), buyer.generated())
    await running.mail(buyer.email)
    path = urlsplit(new_links(running.settings).account(buyer.order_id, buyer.email, buyer.now)).path
    async with browser(*size, language=language) as page:
        await page.driven.emulate_media(color_scheme=scheme)
        await page.goto(f"{running.address}{path}")
        await page.driven.set_input_files("#file-2", {"name": "1.jpg", "mimeType": "image/jpeg", "buffer": b"\xff\xd8"})
        for summary in await page.driven.query_selector_all("summary"):
            await summary.click()
        name = f"cases-{language}-{'phone' if size == PHONE else 'desktop'}-{scheme}"
        await _look(page, f"{name}-1-open")
        await page.click(f".case:nth-of-type(2) >> text={t['file_button']}")
        assert t["said_file_kept"] in await page.text("[role=status]")
        assert b"\xff\xd8" in [body for _, _, body in refunds.asked]
        await _look(page, f"{name}-2-kept")
        assert page.errors == []


async def test_the_page_reads_without_scripts_and_a_bad_link_says_so(start: "Start") -> None:
    running = await start()
    buyer = running.buyer()
    await running.stage.publish(buyer.contact(), buyer.paid(), buyer.generated())
    [mail] = await running.mail(buyer.email)
    found = re.search(r"/account/[\w-]+", mail["text"])
    assert found
    base = running.address
    async with browser(*PHONE) as page:
        assert page.driven.context.browser is not None
        context = await page.driven.context.browser.new_context(java_script_enabled=False)
        plain = await context.new_page()
        await plain.goto(base + found[0])
        await plain.click("text=Show my code")
        assert buyer.lpa in await plain.inner_text("body")
        await context.close()
        assert await page.goto(f"{base}/account/{'x' * 70}") == 404
        await _look(page, "account-bad-link")


async def test_unsubscribing_is_two_presses_at_most(start: "Start") -> None:
    running = await start()
    buyer = running.buyer(language="kk")
    await running.stage.publish(buyer.contact(newsletter=True))
    await running.until_rows("SELECT 1 FROM contacts WHERE newsletter_asked")
    t = texts("kk")["newsletter"]
    path = urlsplit(new_links(running.settings).unsubscribe(buyer.buyer_id)).path
    async with browser(*PHONE) as page:
        await page.goto(f"{running.address}{path}")
        assert await page.text("h1") == t["ask_title"]
        await _look(page, "unsubscribe-1-ask")
        await page.click("button")
        await page.wait(f"text={t['again_button']}")
        assert await page.text("h1") == t["done_title"]
        await _look(page, "unsubscribe-2-done")
        assert page.errors == []


async def test_the_checks_see_what_they_look_for(tmp_path: Path) -> None:
    bad = tmp_path / "bad.html"
    bad.write_text(
        "<body style='background:#fff'><p style='color:#aaa'>pale</p><img src=''><button style='height:9px'>"
    )
    async with browser(*PHONE) as page:
        await page.goto(bad.as_uri())
        assert [text.split()[1] for text in await page.evaluate(CONTRAST)] == ["pale"]
        assert await page.evaluate(UNNAMED) == 1
        assert await page.evaluate(SMALL) == 1
