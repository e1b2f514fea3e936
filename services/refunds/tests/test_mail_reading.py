"""Mails as they arrive, and what is read of them. The samples in `mails/` are made up."""

import io
import zipfile
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest

from refunds.support_mail.models import Mail, Receiver, Wish
from refunds.support_mail.rules.charsets import decoded
from refunds.support_mail.rules.file_types import LARGEST_FILE, MOST_FILES, type_of
from refunds.support_mail.rules.html_text import text_of_html
from refunds.support_mail.rules.quotes import split_quotes
from refunds.support_mail.rules.reading import UnreadableMailError, read_mail
from refunds.support_mail.rules.wishes import read_wish

SAMPLES = Path(__file__).parent / "mails"
RECEIVER = Receiver(
    authserv_ids=frozenset({"mx.esimka.example"}),
    addresses=frozenset({"support@esimka.example", "orders@esimka.example"}),
)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(9000)
VOUCHED = "mx.esimka.example; dmarc=pass header.from=example.org"


def sample(name: str) -> tuple[Mail, Wish]:
    mail = read_mail((SAMPLES / f"{name}.eml").read_bytes(), RECEIVER)
    return mail, read_wish(mail)


def written(text: str = "please refund order 10000017", **headers: str) -> EmailMessage:
    message = EmailMessage()
    for name, value in {"From": "Ann Lee <ann@example.org>", "To": "support@esimka.example", **headers}.items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    return message


def read(message: EmailMessage) -> Mail:
    return read_mail(message.as_bytes(), RECEIVER)


#: name: language, first order number, refund, claim, reason, full name, payment date
REQUESTS = {
    "en_gmail": ("en", "10000017", True, False, "changed_mind", True, True),
    "ru_html_only": ("ru", "10000018", True, False, "technical_failure", True, False),
    "ru_8bit_undeclared": ("ru", "10000019", True, False, "changed_mind", False, True),
    "kk_outlook_reply": ("kk", "10000020", True, False, "technical_failure", True, False),
    "ka_photo": ("ka", "10000021", True, False, "technical_failure", True, True),
    "en_forwarded": ("en", "10000022", False, False, None, False, False),
    "claim_ru": ("ru", "10000023", False, True, None, True, False),
    "en_question": ("en", "10000017", False, False, None, True, False),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_is_read(name: str) -> None:
    mail, wish = sample(name)
    got = wish.language, wish.order_numbers[0], wish.refund, wish.claim, wish.reason, wish.full_name, wish.payment_date
    assert got == REQUESTS[name]
    assert mail.automatic is None
    assert mail.proof == "proved"
    assert mail.sender == ("bob@example.org" if name == "en_forwarded" else "ann@example.org")
    assert "\ufffd" not in mail.subject + mail.own + mail.quoted


@pytest.mark.parametrize(
    ("name", "why"),
    [("out_of_office", "automatic"), ("bounce", "bounce"), ("list", "list"), ("own_loop", "own")],
)
def test_what_no_person_wrote_is_recognised(name: str, why: str) -> None:
    assert sample(name)[0].automatic == why


def test_every_sample_is_expected_to_say_something() -> None:
    others = {"out_of_office", "bounce", "list", "own_loop", "spoofed"}
    assert {path.stem for path in SAMPLES.glob("*.eml")} == {*REQUESTS, *others}


def test_words_of_others_ask_for_nothing() -> None:
    mail, wish = sample("en_gmail")
    assert "does not work" in mail.quoted
    assert wish.phone == "+995 555 000 111"
    assert "99999999" not in sample("ru_html_only")[1].order_numbers, "hidden text is not read"
    assert sample("ru_html_only")[1].error_text is not None
    forwarded, wish = sample("en_forwarded")
    assert forwarded.own == "See below."
    assert "money back" in forwarded.quoted
    assert sample("kk_outlook_reply")[0].references == ("first@example.org", "4bf92f35.information@mail.example")


def test_a_file_is_what_it_contains() -> None:
    [photo] = sample("ka_photo")[0].files
    assert (photo.name, photo.kind, photo.refusal) == ("IMG_0001.HEIC", "image/png", None)


@pytest.mark.parametrize(
    ("results", "proof"),
    [
        ([VOUCHED], "proved"),
        (["mx.esimka.example 1; dkim=pass header.d=example.org"], "proved"),
        (["mx.esimka.example; spf=pass smtp.mailfrom=bounces@example.org"], "proved"),
        (["mx.esimka.example; dkim=pass header.d=evil.example; spf=pass smtp.mailfrom=x@evil.example"], "unknown"),
        (["mx.esimka.example; dmarc=pass header.from=evil.example"], "unknown"),
        (["mx.esimka.example; dmarc=fail header.from=example.org; dkim=pass header.d=example.org"], "failed"),
        (["mx.esimka.example; none"], "unknown"),
        (["mx.esimka.example; dkim=fail (dmarc=pass; header.from=example.org) header.d=example.org"], "unknown"),
        (["mx.elsewhere.example; dmarc=pass header.from=example.org"], "unknown"),
        (["mx.esimka.example; none", VOUCHED], "unknown"),
        ([], "unknown"),
    ],
)
def test_only_our_own_server_vouches(results: list[str], proof: str) -> None:
    lines = "".join(f"Authentication-Results: {result}\n" for result in results).encode()
    assert read_mail(lines + written().as_bytes(), RECEIVER).proof == proof


def test_two_senders_and_a_forged_result_prove_nothing() -> None:
    assert sample("spoofed")[0].proof == "failed"
    mail = f"Authentication-Results: {VOUCHED}\n".encode()
    twice = written(From="ann@example.org, bob@example.org").as_bytes()
    assert read_mail(mail + twice, RECEIVER).proof == "failed"
    assert read_mail(mail + b"From: bob@example.org\n" + written().as_bytes(), RECEIVER).proof == "failed"


def test_thousand_recipients_are_counted_and_few_are_kept() -> None:
    mail = read(written(Cc=", ".join(f"a{number}@example.org" for number in range(1000))))
    assert mail.recipient_count == 1001
    assert len(mail.recipients) == 50


def test_a_zip_is_no_evidence_and_the_same_photo_is_one() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("screenshot.png", PNG)
    message = written()
    message.add_attachment(packed.getvalue(), maintype="image", subtype="png", filename="screenshot.png")
    for _ in range(10):
        message.add_attachment(PNG, maintype="image", subtype="png", filename="photo.png")
    files = read(message).files
    assert [file.refusal for file in files] == ["type"] + [None] * 10
    assert files[0].content == b""
    assert len({file.digest for file in files}) == 2


def test_too_many_and_too_large_files_are_named_and_not_kept() -> None:
    message = written()
    message.add_attachment(PNG + bytes(LARGEST_FILE), maintype="image", subtype="png", filename="large.png")
    for number in range(MOST_FILES + 5):
        message.add_attachment(PNG + bytes([number]), maintype="image", subtype="png", filename=f"{number}.png")
    files = read(message).files
    assert [file.refusal for file in files] == ["size", *[None] * (MOST_FILES - 1), *["count"] * 6]


def test_forwards_within_forwards_end() -> None:
    message = written("the innermost one")
    for _ in range(60):
        outer = written("look")
        outer.add_attachment(message)
        message = outer
    mail = read(message)
    assert mail.own == "look"
    assert "innermost" not in mail.quoted


@pytest.mark.parametrize(
    "raw", [b"", b"\x00\xff\xfe", b"\n\nno header", b"Subject: none\n\nno sender", b"From: \xff\n\n", b"[" * 100_000]
)
def test_what_is_no_mail_is_said_to_be_none(raw: bytes) -> None:
    with pytest.raises(UnreadableMailError):
        read_mail(raw, RECEIVER)


def _broken() -> Iterator[bytes]:
    whole = (SAMPLES / "ka_photo.eml").read_bytes()
    yield from (whole[:cut] for cut in range(600, len(whole), 97))
    yield whole.replace(b"utf-8", b"no-such-charset\xff")
    yield whole.replace(b"=?UTF-8?B?", b"=?x-nonsense?B?!!!")
    yield whole.replace(b"boundary", b"limit")
    yield whole.replace(b"base64", b"x-uuencode")


@pytest.mark.parametrize("raw", list(_broken()))
def test_a_broken_mail_is_read_as_far_as_it_goes(raw: bytes) -> None:
    assert read_mail(raw, RECEIVER).sender == "ann@example.org"


def test_the_same_mail_by_two_ways_is_one_and_another_text_is_another() -> None:
    first, second = written(), written()
    second["Received"] = "from elsewhere"
    assert read(first).digest == read(second).digest
    assert read(first).digest != read(written("something else")).digest


@pytest.mark.parametrize("charset", ["cp1251", "koi8-r", "cp866", "utf-8"])
@pytest.mark.parametrize("declared", [None, "us-ascii", "no-such"])
def test_undeclared_russian_is_readable(charset: str, declared: str | None) -> None:
    assert decoded("не работает".encode(charset), declared) == "не работает"
    assert decoded("Très déçu".encode("cp1252"), declared) == "Très déçu"


@pytest.mark.parametrize(
    "introduction",
    [
        "On Fri, 20 Nov 2026 at 16:00, Shop\n<a@shop.example> wrote:",
        "пт, 20 нояб. 2026 г. в 16:00, eSIMka <a@shop.example> написал(а):",
        "2026 ж. 20 қар. 16:00, eSIMka <a@shop.example> жазды:",
        "2026-11-20 16:00, eSIMka <a@shop.example> წერდა:",
        "-----Original Message-----",
        "-------- Пересылаемое сообщение --------",
        "От: eSIMka <a@shop.example>",
        "-- ",
        "Sent from my iPhone",
    ],
)
def test_quotes_begin_where_mail_programs_begin_them(introduction: str) -> None:
    own, quoted = split_quotes(f"mine\n> marked\nmine too\n\n{introduction}\ntheirs")
    assert own == "mine\nmine too"
    assert "theirs" in quoted
    assert "marked" in quoted


@pytest.mark.parametrize(
    ("text", "refund", "reason"),
    [
        ("Refund me.", True, None),
        ("Can I get a refund?", False, None),
        ("Could you please refund me?", True, None),
        ("I don't want a refund, it is too slow", False, "slow_data"),
        ("It does not work and it is slow. Refund!", True, None),
        ("Возврат не нужен, помогите: не активируется", False, "technical_failure"),
        ("Верните мне мои деньги! Деньги списали, списано дважды", True, "double_charge"),
        ("Можно ли сделать возврат?", False, None),
        ("Ақшамды қайтарыңызшы, өтінемін. Код келмеді", True, "not_delivered"),
        ("დამიბრუნეთ თანხა, გადავიფიქრე", True, "changed_mind"),
    ],
)
def test_only_who_asks_for_money_back_has_asked(text: str, *, refund: bool, reason: str | None) -> None:
    wish = read_wish(read(written(text, Subject="eSIM")))
    assert (wish.refund, wish.reason) == (refund, reason)


def test_numbers_that_are_no_order_numbers() -> None:
    text = "+77011234567, 8999702000000000001, 20.11.2026, 2026-11-20, 1234567.50, №10000017, order10000018"
    assert read_wish(read(written(text))).order_numbers == ("10000017", "10000018")


def test_types_by_content() -> None:
    assert type_of(PNG) == "image/png"
    assert type_of(b"MZ\x90") == "application/vnd.microsoft.portable-executable"
    assert type_of(b"\x00\x00\x00\x18ftypheic") == "image/heic"
    assert type_of(b"<svg onload=alert(1)>") == "application/octet-stream"
    assert type_of(b"") == "application/octet-stream"


def test_html_is_text() -> None:
    html = "<p>one<br>two</p><script>three</script><div class=gmail_quote>four<blockquote>five"
    assert text_of_html(html) == "one\ntwo\n\n> four\n> five"
    assert text_of_html("<div>" * 5000 + "deep") == "deep"
    assert text_of_html("<![if broken" + "<" * 1000) is not None
