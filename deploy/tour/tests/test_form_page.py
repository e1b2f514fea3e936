from urllib.parse import parse_qs

import httpx
import pytest

from tour import form_page
from tour.expectations import UnmetError
from tour.form_page import FormPage
from tour.html_tree import parse

PAGE = """<!doctype html><html><head><title>Order</title><style>h1 {}</style></head><body>
<h1>Your code<br>is ready</h1>
<div id="code"><form method="post" action="/account/T/code"><input type="hidden" name="form" value="F">
<button type="submit">Show</button></form></div>
<ol id="timeline"><li><time>10:00</time>
Paid</li><li hidden>secret</li><li>Sent</li></ol>
<section id="contact"><form method="post" action="contact"><input type="hidden" name="form" value="F">
<input id="email" name="email"><select name="why"><option value="a">A<option value="b" selected>B</select>
<textarea name="words">some words</textarea><button>Send</button></form></section>
<section id="data"><form method="post" action="/account/T/data"><button name="kind" value="export">x</button>
<button class="second wide" name="kind" value="erase">y</button></form></section>
<dl><dd>no</dd><dd class="code">R-1</dd></dl><p id="lonely"><button>nothing</button></p>
"""


def tab(*answers: httpx.Response) -> tuple[FormPage, list[httpx.Request]]:
    requests: list[httpx.Request] = []
    waiting = iter(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return next(waiting)

    client = httpx.AsyncClient(transport=httpx.MockTransport(answer), follow_redirects=True)
    return FormPage(client), requests


def html(text: str = PAGE, status: int = 200) -> httpx.Response:
    return httpx.Response(status, html=text)


def test_elements_are_found_as_a_style_sheet_would_name_them() -> None:
    tree = parse(PAGE)
    for selector in ("h1", "#code button", "#data button[value=erase]", "button.wide", "dd.code", "section#contact"):
        assert tree.find(selector) is not None, selector
    for selector in ("h2", "#code #email", "#data button[value=block]", "img.qr", "#nothing"):
        assert tree.find(selector) is None, selector
    with pytest.raises(ValueError, match="not a selector"):
        tree.find("h1 > b")


def test_a_persons_reading_has_a_line_for_each_block_and_nothing_hidden() -> None:
    tree = parse(PAGE)
    timeline = tree.find("#timeline")
    assert timeline is not None
    assert timeline.text().splitlines() == ["10:00 Paid", "Sent"]
    assert "Order" not in tree.text()
    code = tree.find("dd.code")
    assert code is not None
    assert code.text() == "R-1"


async def test_a_form_is_sent_with_what_it_holds_what_was_filled_in_and_the_button() -> None:
    page, requests = tab(html(), html(), html(), html(), html("<h1>Forgotten</h1>"))
    assert await page.goto("http://shop/account/T?said=wait") == 200
    await page.click("#code button")
    assert (requests[-1].method, str(requests[-1].url)) == ("POST", "http://shop/account/T/code")
    assert parse_qs(requests[-1].content.decode()) == {"form": ["F"]}
    await page.goto("http://shop/account/T")
    await page.fill("#email", "new@example.org")
    await page.click("#contact button")
    assert str(requests[-1].url) == "http://shop/account/contact"
    sent = {"form": ["F"], "email": ["new@example.org"], "why": ["b"], "words": ["some words"]}
    assert parse_qs(requests[-1].content.decode()) == sent
    await page.click("#data button[value=erase]")
    assert parse_qs(requests[-1].content.decode()) == {"kind": ["erase"]}
    assert await page.text("h1") == "Forgotten"


async def test_a_form_with_files_is_sent_as_a_browser_does() -> None:
    form = '<form method="post" action="up" enctype="multipart/form-data"><input type="hidden" name="form" value="F">'
    page, requests = tab(html(form + '<input type="file" id="file" name="file"><button>Send</button></form>'), html())
    await page.goto("http://shop/account/T")
    await page.attach("#file", "a.png", b"\x89PNG")
    await page.click("button")
    assert requests[-1].headers["content-type"].startswith("multipart/form-data; boundary=")
    body = requests[-1].content
    assert b'name="form"\r\n\r\nF' in body
    assert b'name="file"; filename="a.png"' in body
    assert body.count(b'name="file"') == 1
    assert b"\x89PNG" in body


async def test_a_page_that_would_follow_by_itself_is_fetched_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(form_page, "_PAUSE_SECONDS", 0)
    page, requests = tab(html(), html(), html(PAGE + "<details>done</details>"))
    await page.goto("http://shop/proof")
    await page.wait("details")
    assert [str(one.url) for one in requests] == ["http://shop/proof"] * 3


async def test_what_a_page_lacks_is_unmet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(form_page, "SECONDS", -1)
    page, _ = tab(html(status=404))
    assert await page.goto("http://shop/account/T") == 404
    with pytest.raises(UnmetError, match=r"“h2” at http://shop/account/T"):
        await page.text("h2")
    with pytest.raises(UnmetError, match="a form around"):
        await page.click("#lonely button")
    with pytest.raises(UnmetError, match="not within"):
        await page.wait("details")
    assert await page.scrolls_sideways() is None, "nobody knows"
