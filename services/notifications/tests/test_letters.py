import email
import email.policy
from datetime import UTC, date, datetime, timedelta
from email.header import decode_header, make_header
from typing import Any, get_args
from zoneinfo import ZoneInfo

import idna
import pytest

from notifications import storefronts
from notifications.domain.letters import NoteLetter, QrLetter, Rendered
from notifications.domain.message import message, recipient
from notifications.domain.notes import KINDS, code_in_short
from notifications.domain.relevance import COLUMNS, is_over, is_pointless
from notifications.domain.render import render_note, render_qr
from notifications.domain.words import Words, texts, written
from notifications.facts import Approved, Extended, Nearing, OpenedCode, PaidOrder
from shared.contracts import (
    AppealReceived,
    ClaimReceived,
    Explanation,
    Ground,
    InformationNeeded,
    Language,
    Method,
    Money,
    OrderEvent,
    OrderHeld,
    OrderRefused,
    Plan,
    ReceiptIssued,
    RefundDenied,
    RefundFailed,
    RefundPaidByHand,
    RefundSettled,
)
from shared.contracts.ordering import Purpose
from shared.ids import uuid7
from shared.sealed import Sealed
from shared.values.activation_code import ActivationCode

STORES = storefronts.load()
CODE = ActivationCode.parse("LPA:1$smdp.example$ABCDEFGHIJKLMNOPQRSTUVWXYZ")
PLAN = Plan(id="eu", title="Europe 10 GB", coverage=("FR", "DE"), data_mb=10240, validity_days=30, profile_type="x")
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ORDER: dict[str, Any] = {
    "order_id": uuid7(),
    "order_number": "10000001",
    "storefront": "qazaq-esim",
    "buyer_id": uuid7(),
}


def _qr(
    language: str = "en", name: str = "Ann", confirmation_code: str | None = None, slug: str = "esimka"
) -> Rendered:
    letter = QrLetter(
        STORES[slug],
        language,
        name,
        "10000001",
        plan=PLAN,
        code=CODE,
        confirmation_code=confirmation_code,
        iccid="8999702000000000018",
        apn="fast.t-m",
        valid_until=date(2027, 5, 19),
    )
    return render_qr(letter)


def _approved(credited_by: date | None = date(2026, 12, 20), settled: RefundSettled | None = None) -> Approved:
    return Approved(
        **ORDER,
        case_id=uuid7(),
        refund_id=uuid7(),
        amount=Money(amount=1299000, currency="KZT"),
        policy="qazaq-esim@1",
        grounds=(Ground(document="RP", clause="2.1", text="x"), Ground(document="PO", clause="5.4", text="y")),
        explanation=Explanation(en="It <could> not be made.", ru="Её не удалось <выпустить>."),
        approved_at=NOW,
        credited_by=credited_by,
        settled=settled,
    )


def _settled(method: Method = "card") -> RefundSettled:
    return RefundSettled(
        **ORDER,
        refund_id=uuid7(),
        amount=Money(amount=1299000, currency="KZT"),
        settled_at=NOW,
        credited_from=date(2026, 11, 25),
        credited_by=date(2026, 12, 4),
        credited_at_latest=date(2026, 12, 20),
        method=method,
    )


def _note(kind: str, fact: OrderEvent, language: str = "en", slug: str = "qazaq-esim") -> Rendered:
    store = STORES[slug]
    words = Words(written(language), ZoneInfo(store.time_zone))
    note = KINDS[kind].write(fact, words)
    return render_note(
        NoteLetter(store, language, "Ann", "10000001", note=note, account="https://shop.example/account/x")
    )


def _refund(language: str = "en", credited_by: date | None = date(2026, 12, 20)) -> Rendered:
    return _note("refund", _approved(credited_by), language)


PAID = PaidOrder(
    **ORDER,
    kind="esim",
    plan=PLAN,
    paid=Money(amount=1500, currency="USD"),
    invoice_id="1000001",
    paid_at=NOW,
    receipt_url="https://ofd.example/t/1",
)
RECEIPT = ReceiptIssued(
    **ORDER,
    receipt_id=uuid7(),
    kind="sale",
    amount=Money(amount=1500, currency="USD"),
    check_number="FS-778",
    ticket_url="https://ofd.example/t/1",
    issued_at=NOW,
)
INFORMATION = InformationNeeded(
    **ORDER,
    case_id=uuid7(),
    missing=("full_name", "evidence"),
    policy="esimka@1",
    grounds=(Ground(document="RF", clause="4.3", text="x"),),
    explanation=Explanation(en="We lack something.", ru="Чего-то не хватает."),
    asked_at=NOW,
)
DENIED = RefundDenied(
    **ORDER,
    case_id=uuid7(),
    policy="esimka@1",
    grounds=(Ground(document="RF", clause="3.1", text="x"),),
    explanation=Explanation(en="It was activated.", ru="Она активирована."),
    denied_at=NOW,
)
TIMES = {"plan_ends_at": NOW, "paid_at": NOW, "applied_at": NOW}
TOPUP = Extended(**ORDER, iccid="8999702000000000018", plan=PLAN, operator="primary", esim_order_id=uuid7(), **TIMES)
FACTS: dict[str, OrderEvent] = {
    "order": PAID,
    "delay": PAID,
    "receipt": RECEIPT,
    "topup": TOPUP,
    "refund": _approved(),
    "settled": _settled(),
    "refused": RefundFailed(
        **ORDER,
        refund_id=uuid7(),
        amount=Money(amount=1500, currency="USD"),
        reason="the card is closed",
        failed_at=NOW,
    ),
    "paid_by_hand": RefundPaidByHand(
        **ORDER,
        refund_id=uuid7(),
        payment_id=uuid7(),
        amount=Money(amount=1000, currency="USD"),
        way="bank_transfer",
        left=Money(amount=500, currency="USD"),
        paid_at=NOW,
    ),
    "information": INFORMATION,
    "denied": DENIED,
    "appeal": AppealReceived(**ORDER, case_id=uuid7(), received_at=NOW, answer_by=NOW),
    "claim": ClaimReceived(**ORDER, claim_id=uuid7(), received_at=NOW, answer_by=NOW),
    "expiring": Nearing(**ORDER, plan=PLAN, ends_at=NOW),
    "ending": Nearing(**ORDER, plan=PLAN, ends_at=NOW),
    "held": OrderHeld(**ORDER, rules=("orders_by_ip",), held_at=NOW),
    "declined": OrderRefused(**ORDER, refused_at=NOW),
    "code": OpenedCode(
        **ORDER,
        confirmation_id=uuid7(),
        purpose="erase",
        channel="email",
        code=Sealed(recipient="notifications", box=""),
        expires_at=NOW + timedelta(minutes=15),
        requested_at=NOW,
        digits="048151",
    ),
}


@pytest.mark.parametrize("language", ["en", "ru", "kk", "ka"])
def test_a_delivery_has_all_that_interfaces_md_asks_for(language: str) -> None:
    rendered = _qr(language, confirmation_code="4471")
    until = {
        "en": "19\u00a0May 2027",
        "ru": "19\u00a0мая 2027\u00a0г.",
        "kk": "2027\u00a0ж. 19\u00a0мамыр",
        "ka": "19\u00a0მაისი, 2027",
    }[language]
    for content in (rendered.text, rendered.html):
        for wanted in (
            "smdp.example",
            CODE.matching_id,
            CODE.text,
            "4471",
            "8999702000000000018",
            "fast.t-m",
            "10000001",
            "support@esimka.example",
            "FR, DE",
            until,
            CODE.apple_link,
            CODE.android_link,
        ):
            assert wanted in content
    roaming = {"en": "data roaming", "ru": "в роуминге", "kk": "роумингте", "ka": "როუმინგი"}[language]
    assert roaming in rendered.text
    assert roaming in rendered.html
    [picture] = rendered.pictures
    assert f'src="cid:{picture.cid}"' in rendered.html
    assert "10000001" in rendered.subject


def test_without_a_confirmation_code_none_is_mentioned() -> None:
    rendered = _qr()
    assert "Confirmation code" not in rendered.text + rendered.html


def test_a_language_that_we_do_not_write_is_written_in_english() -> None:
    assert _qr("xx") == _qr("en")


def test_a_delivery_carries_receipt_and_account_where_they_are_known() -> None:
    assert "receipt" not in _qr().text
    letter = QrLetter(
        STORES["esimka"],
        "en",
        "Ann",
        "10000001",
        plan=PLAN,
        code=CODE,
        confirmation_code=None,
        iccid="8999702000000000018",
        apn=None,
        valid_until=date(2027, 5, 19),
        receipt_url="https://ofd.example/t/1",
        account="https://shop.example/account/x",
    )
    rendered = render_qr(letter)
    for content in (rendered.text, rendered.html):
        assert "https://ofd.example/t/1" in content
        assert "https://shop.example/account/x" in content


@pytest.mark.parametrize("slug", STORES)
def test_each_storefront_writes_in_its_own_name(slug: str) -> None:
    rendered = _qr(slug=slug)
    assert STORES[slug].name in rendered.text
    assert STORES[slug].support in rendered.html


def test_names_cannot_bring_markup() -> None:
    rendered = _qr(name="<img src=x> & {letter} {0} {{ 7*7 }}")
    assert "<img src=x>" not in rendered.html
    assert "&lt;img src=x&gt; &amp; {letter} {0} {{ 7*7 }}" in rendered.html
    assert "<img src=x> & {letter} {0} {{ 7*7 }}" in rendered.text


def test_a_refund_says_how_much_why_and_when() -> None:
    english, russian = _refund(), _refund("ru")
    for wanted in ("12,990.00\u00a0KZT", "10000001", "20\u00a0December 2026", "RP 2.1, PO 5.4"):
        assert wanted in english.text
        assert wanted in english.html
    assert "It <could> not be made." in english.text
    assert "It &lt;could&gt; not be made." in english.html
    assert "12\u00a0990,00\u00a0KZT" in russian.subject
    assert "Её не удалось <выпустить>." in russian.text
    assert "Expected by" not in _refund(credited_by=None).text


@pytest.mark.parametrize("language", get_args(Language))
@pytest.mark.parametrize("kind", KINDS)
def test_every_fact_has_a_mail_in_every_language(kind: str, language: str) -> None:
    rendered = _note(kind, FACTS[kind], language)
    for content in (rendered.subject, rendered.text, rendered.html.partition("</style>")[2]):
        assert "10000001" in content
        assert "{" not in content
    for content in (rendered.text, rendered.html):
        assert "https://shop.example/account/x" in content
        assert "support@qazaq-esim.example" in content


def test_what_is_asked_for_is_named_and_nothing_else() -> None:
    text = _note("information", INFORMATION).text
    assert "your full name" in text
    assert "screenshots" in text
    assert "a phone number" not in text
    assert "RF 4.3" in text


def test_a_refusal_states_grounds_and_how_to_appeal() -> None:
    text = _note("denied", DENIED).text
    assert "It was activated." in text
    assert "RF 3.1" in text
    assert "Another person" in text


@pytest.mark.parametrize(("method", "where"), [("card", "card"), ("bank_transfer", "account"), ("wallet", "wallet")])
def test_a_settled_refund_says_where_and_when(method: Method, where: str) -> None:
    text = _note("settled", _settled(method)).text
    assert where in text
    for wanted in ("25\u00a0November 2026", "4\u00a0December 2026", "20\u00a0December 2026"):
        assert wanted in text


def test_an_approval_that_was_settled_at_once_says_both() -> None:
    text = _note("refund", _approved(settled=_settled())).text
    assert "25\u00a0November 2026" in text
    assert "Expected by" not in text


def test_receipts_are_linked_only_where_they_are_pages() -> None:
    assert "https://ofd.example/t/1" in _note("receipt", RECEIPT).html
    odd = RECEIPT.model_copy(update={"ticket_url": "javascript:alert(1)"})
    assert "javascript" not in _note("receipt", odd).html


def test_a_mail_that_has_become_pointless_is_known() -> None:
    nothing: dict[str, datetime | None] = dict.fromkeys(COLUMNS)
    assert not is_pointless("delay", nothing, PAID)
    assert is_pointless("delay", {**nothing, "generated_at": NOW}, PAID)
    assert not is_pointless("receipt", {**nothing, "generated_at": NOW}, RECEIPT)
    assert is_pointless("expiring", {**nothing, "installed_at": NOW}, FACTS["expiring"])
    assert is_pointless("qr", {**nothing, "revoked_at": NOW}, PAID)
    assert not is_pointless("ending", {**nothing, "plan_ends_at": NOW}, FACTS["ending"])
    assert is_pointless("ending", {**nothing, "plan_ends_at": NOW + timedelta(days=3)}, FACTS["ending"])


def test_a_code_says_what_it_is_for_until_when_and_that_nobody_is_to_be_told() -> None:
    for rendered in (_note("code", FACTS["code"]), _note("code", FACTS["code"], "ru")):
        assert "048151" in rendered.text
        assert "048151" in rendered.html
        assert "048151" not in rendered.subject
    text = _note("code", FACTS["code"]).text
    for wanted in ("your data are to be deleted", "Tell it to nobody", "20\u00a0November 2026, 17:15"):
        assert wanted in text
    assert "orders_by_ip" not in _note("held", FACTS["held"]).text


@pytest.mark.parametrize("language", get_args(Language))
@pytest.mark.parametrize("purpose", get_args(Purpose))
def test_a_code_by_sms_says_the_same_in_short(purpose: Purpose, language: Language) -> None:
    fact = FACTS["code"].model_copy(update={"purpose": purpose})
    assert isinstance(fact, OpenedCode)
    text = code_in_short(fact, "Qazaq eSIM", Words(language, ZoneInfo("Asia/Almaty")))
    for wanted in ("048151", "Qazaq eSIM", "10000001", "17:15", texts(language)["code"][f"what_{purpose}"]):
        assert wanted in text
    assert "{" not in text
    assert len(text) <= 268  # four parts in the alphabets that are not Latin


def test_what_is_over_is_not_sent() -> None:
    assert not is_over(FACTS["code"], NOW + timedelta(minutes=14))
    assert is_over(FACTS["code"], NOW + timedelta(minutes=15))
    assert is_over(FACTS["ending"], NOW)
    assert not is_over(PAID, NOW + timedelta(days=999))


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("Ann Lee", "ann@example.org"),
        ("Айгүл «Нұрлан», мл.", "a.b+c@example.org"),
        ('O\'Neil "Bob" \\ <x@y>', "bob@пример.рф"),
        ("Line\r\nBcc: evil@example.org", "ann@example.org"),
        ("=?utf-8?q?x?=", "ann@example.org"),
        ("", "ann@example.org"),
        ("გიორგი " * 20, "g@example.org"),
    ],
)
def test_a_message_survives_any_name(name: str, address: str) -> None:
    rendered = _qr("ru", name=name)
    to = recipient(name, address)
    raw = message(rendered, STORES["esimka"], to, message_id="1.qr@mail.example", date=NOW)
    assert raw.isascii()
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    read = email.message_from_bytes(raw, policy=email.policy.default)
    assert read.defects == []
    [mailbox] = read["to"].addresses
    # Python's own address parser puts spaces between encoded words (RFC 2047 section 6.2 says to ignore them).
    header = dict(email.message_from_bytes(raw).raw_items())["To"].rpartition("<")[0].strip().strip('"')
    assert str(make_header(decode_header(header))).split() == name.split()
    local, _, domain = address.partition("@")
    assert mailbox.addr_spec == f"{local}@{idna.encode(domain).decode()}"
    assert read["bcc"] is None
    assert read["subject"] == rendered.subject
    assert read["message-id"] == "<1.qr@mail.example>"
    assert read["date"].datetime == NOW
    plain, html = read.get_body(("plain",)), read.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert plain.get_content().splitlines() == rendered.text.splitlines()
    assert html.get_content().splitlines() == rendered.html.splitlines()
    [picture] = [part for part in read.walk() if part.get_content_type() == "image/png"]
    assert picture["content-id"] == "<qr>"
    assert picture.get_content_disposition() == "inline"
    assert picture.get_content() == rendered.pictures[0].png


def test_the_same_letter_is_the_same_mail() -> None:
    to = recipient("Ann", "ann@example.org")
    once, again = (message(_qr(), STORES["esimka"], to, message_id="1.qr@m", date=NOW) for _ in range(2))
    assert once == again
