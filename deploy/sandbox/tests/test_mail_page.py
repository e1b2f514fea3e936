"""The mail catcher's web page and JSON interface."""

import base64
from email.message import EmailMessage
from email.utils import make_msgid

import aiosmtplib
import pytest

from sandbox.testing import RunningSandbox

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


async def send(sb: RunningSandbox, content: EmailMessage | bytes, to: str = "aigerim@example.kz") -> None:
    raw = content if isinstance(content, bytes) else content.as_bytes()
    async with aiosmtplib.SMTP(hostname=sb.smtp_host, port=sb.smtp_port, start_tls=False) as client:
        await client.sendmail("shop@example.kz", [to], raw)


def qr_mail(subject: str = "Ваш eSIM <готов>") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Qazaq eSIM <shop@example.kz>"
    message["To"] = "aigerim@example.kz"
    message["Subject"] = subject
    cid = make_msgid(domain="shop")
    message.set_content("Привет")
    message.add_alternative(f'<p>Привет</p><img src="cid:{cid[1:-1]}"><script>alert(1)</script>', subtype="html")
    html = message.get_payload()[1]  # type: ignore[index] # a multipart message's payload is its parts
    assert isinstance(html, EmailMessage)
    html.add_related(PNG, "image", "png", cid=cid, filename="qr.png")
    message.add_attachment(b"%PDF-1", maintype="application", subtype="pdf", filename="чек.pdf")
    return message


async def test_json_has_every_part(sb: RunningSandbox) -> None:
    await send(sb, qr_mail())
    (mail,) = await sb.mails()
    assert mail["text"].strip() == "Привет"
    assert "cid:" in mail["html"]
    picture, receipt = mail["attachments"]
    assert base64.b64decode(picture["content_base64"]) == PNG
    assert picture["content_type"] == "image/png"
    assert f"cid:{picture['content_id']}" in mail["html"]
    assert (receipt["name"], receipt["content_type"], receipt["inline"]) == ("чек.pdf", "application/pdf", False)


async def test_the_html_part_is_closed_in(sb: RunningSandbox) -> None:
    await send(sb, qr_mail())
    page = (await sb.client.get("/mail/1")).text
    assert '<iframe src="/mail/1/html" sandbox="allow-popups"' in page
    assert "Ваш eSIM &lt;готов&gt;" in page
    part = await sb.client.get("/mail/1/html")
    assert "sandbox" in part.headers["content-security-policy"]
    assert "cid:" not in part.text
    (path,) = [piece.split('"')[0] for piece in part.text.split('src="')[1:]]
    picture = await sb.client.get(path)
    assert (picture.status_code, picture.headers["content-type"], picture.content) == (200, "image/png", PNG)
    receipt = await sb.client.get("/mail/1/part/1")
    assert (receipt.headers["content-type"], receipt.content) == ("application/octet-stream", b"%PDF-1")


async def test_the_list_is_newest_first_and_searchable(sb: RunningSandbox) -> None:
    assert "No mail yet" in (await sb.client.get("/mail")).text
    await send(sb, qr_mail("First"))
    await send(sb, qr_mail("Second"), to="bolat@example.kz")
    page = (await sb.client.get("/mail")).text
    assert page.index("Second") < page.index("First")
    found = (await sb.client.get("/mail/", params={"to": "BOLAT"})).text
    assert "Second" in found
    assert "First" not in found
    assert "No mail for" in (await sb.client.get("/mail?to=<script>")).text
    assert "<script>" not in (await sb.client.get("/mail?to=<script>")).text


async def test_paging(sb: RunningSandbox) -> None:
    for number in range(101):
        sb.stands.mails.add("s@example.kz", ["a@example.kz"], f"Subject: n{number}\r\n\r\n".encode())
    assert "n0<" not in (await sb.client.get("/mail")).text
    assert "n0<" in (await sb.client.get("/mail?page=2")).text
    assert (await sb.client.get("/mail?page=0")).status_code == 422


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"no headers at all",
        b"Subject: =?utf-8?b?!!!?=\r\n\r\nx",
        b"Subject: =?no-such-charset?q?x?=\r\n\r\nx",
        b"Content-Type: text/html; charset=nonsense\r\n\r\n\xff\xfe",
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\nno parts",
        b"Content-Type: multipart/mixed\r\n\r\n--b\r\n\r\nx",
        b"Content-Transfer-Encoding: base64\r\n\r\n%%%",
        b"Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nx",
        b"Subject: folded\r\n header\r\nTo: \xd0\x9f\r\n\r\n\xd0\x9f",
        b'Content-Type: image/png; name="=?x?="\r\n\r\nx',
        b"Content-ID: <a\r\n\r\nx",
    ],
)
async def test_a_broken_mail_is_still_shown(sb: RunningSandbox, raw: bytes) -> None:
    await send(sb, raw)
    for path in ("/mail", "/mail/1", "/mail/1/html", "/mail/1/raw", "/mail/api/messages/1"):
        assert (await sb.client.get(path)).status_code == 200


async def test_what_is_not_there(sb: RunningSandbox) -> None:
    await send(sb, qr_mail())
    for path in ("/mail/2", "/mail/0", "/mail/2/html", "/mail/2/raw", "/mail/1/cid/x", "/mail/1/part/9"):
        assert (await sb.client.get(path)).status_code == 404
    assert (await sb.client.get("/mail/x")).status_code == 422
