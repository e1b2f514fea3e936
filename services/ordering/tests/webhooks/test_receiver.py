"""The client of shops' servers, against real sockets: hanging, redirecting, flooding, and moving ones."""

import asyncio
import ssl
import time
from collections.abc import Callable
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest
import trustme
from hypothesis import example, given
from hypothesis import strategies as st

from ordering.clients.webhook_receiver import KEPT_BYTES, SECONDS, Answer, WebhookReceiver
from ordering.webhooks.rules import refused_url

if TYPE_CHECKING:
    from services.ordering.tests.webhooks.conftest import Arrived, Behaviour, StartServer

LOOPBACK = [ip_network("127.0.0.0/8")]
#: Made once: reading the authorities takes milliseconds.
CONTEXT = ssl.create_default_context()
BODY = b'{"type": "order.paid", "data": {}}'


async def post(receiver: WebhookReceiver, url: str) -> Answer:
    async with receiver.connect(url) as connection:
        return await connection.post({"webhook-id": "1"}, BODY)


async def test_any_answer_is_read_and_its_first_kilobyte_kept(
    shop_server: "StartServer", responding: "Callable[..., Behaviour]"
) -> None:
    server = await shop_server(responding(503, "é".encode() * 900 + b"\x00end", retry_after="120"))
    result = await post(WebhookReceiver(private_networks=LOOPBACK), server.url)
    assert (result.status, result.failure, result.retry_after) == (503, None, "120")
    assert result.text == "é" * (KEPT_BYTES // 2)
    [request] = server.arrived
    assert (request.target, request.body, request.headers["content-type"]) == ("/hooks", BODY, "application/json")


async def test_a_redirect_is_not_followed(shop_server: "StartServer", responding: "Callable[..., Behaviour]") -> None:
    inner = await shop_server()
    server = await shop_server(responding(307, location=inner.url))
    result = await post(WebhookReceiver(private_networks=LOOPBACK), server.url)
    assert result.status == 307
    assert inner.arrived == []


async def test_a_receiver_that_hangs_or_answers_byte_by_byte_costs_no_more_than_the_whole_time(
    shop_server: "StartServer",
) -> None:
    async def hang(_request: "Arrived", _writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async def drip(_request: "Arrived", writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"x-more: 1\r\n")
            await writer.drain()
            await asyncio.sleep(0.05)

    assert SECONDS == 10
    for behaviour in (hang, drip):
        server = await shop_server(behaviour)
        began = time.monotonic()
        result = await post(WebhookReceiver(private_networks=LOOPBACK, seconds=1), server.url)
        assert (result.status, result.failure) == (None, "timeout")
        assert result.latency_ms >= 1000
        assert time.monotonic() - began < 30, "a busy machine, but not for ever"


async def test_an_answer_of_200_megabytes_is_not_read(shop_server: "StartServer") -> None:
    sent = 0

    async def flood(_request: "Arrived", writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 200000000\r\n\r\n")
        part = b"a" * 64_000
        while sent < 200_000_000:
            writer.write(part)
            await writer.drain()
            sent += len(part)

    server = await shop_server(flood)
    result = await post(WebhookReceiver(private_networks=LOOPBACK), server.url)
    assert (result.status, result.failure) == (200, None)
    assert result.text == "a" * KEPT_BYTES
    assert sent < 50_000_000, "sockets hold some megabytes, the rest was never sent"


async def test_an_answer_that_unpacks_to_a_flood_is_not_unpacked(shop_server: "StartServer") -> None:
    import gzip  # noqa: PLC0415 - by this test only

    bomb = gzip.compress(b"\x00" * 50_000_000)

    async def respond(_request: "Arrived", writer: asyncio.StreamWriter) -> None:
        writer.write(
            f"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {len(bomb)}\r\n\r\n".encode() + bomb
        )

    server = await shop_server(respond)
    result = await post(WebhookReceiver(private_networks=LOOPBACK), server.url)
    assert (result.status, result.failure) == (200, None)
    assert len(result.text) <= KEPT_BYTES


async def test_what_is_no_http_is_a_broken_answer(shop_server: "StartServer") -> None:
    async def rubbish(_request: "Arrived", writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x00\x01\x02 SSH-2.0\r\n\r\n")
        writer.close()

    server = await shop_server(rubbish)
    result = await post(WebhookReceiver(private_networks=LOOPBACK), server.url)
    assert (result.status, result.failure) == (None, "broken-answer")


@pytest.mark.parametrize(
    ("url", "addresses", "failure"),
    [
        ("https://shop.example/", ["10.1.2.3"], "private-address"),
        ("https://shop.example/", ["8.8.8.8", "127.0.0.1"], "private-address"),
        ("https://shop.example/", ["::ffff:169.254.169.254"], "private-address"),
        ("https://shop.example/", ["fe80::1%eth0"], "private-address"),
        ("https://shop.example/", [], "unresolved"),
        ("http://shop.example/", ["8.8.8.8"], "insecure-url"),
    ],
)
async def test_an_address_that_is_not_public_is_never_called(url: str, addresses: list[str], failure: str) -> None:
    receiver = WebhookReceiver(resolve=lambda _host, _port: addresses)
    assert await receiver.check(url) == failure
    result = await post(receiver, url)
    assert (result.status, result.failure) == (None, failure)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "[::1]", "[::ffff:7f00:1]"])
async def test_every_way_to_write_loopback_is_refused(host: str, shop_server: "StartServer") -> None:
    server = await shop_server()
    receiver = WebhookReceiver()
    result = await post(receiver, f"https://{host}:{server.port}/")
    assert result.failure in {"private-address", "unresolved"}
    assert server.connections == 0


async def test_a_host_that_changes_its_address_after_the_check_changes_nothing(shop_server: "StartServer") -> None:
    checked, other = await shop_server(), None
    other = await shop_server(host="127.0.0.2")
    answers = iter([["127.0.0.1"], ["127.0.0.2"], ["10.0.0.1"]])
    receiver = WebhookReceiver(
        private_networks=[ip_network("127.0.0.1/32")], resolve=lambda _host, _port: next(answers)
    )
    async with receiver.connect(f"http://rebinding.example:{checked.port}/hooks") as connection:
        results = [await connection.post({"webhook-id": "1"}, BODY) for _ in range(3)]
    assert [result.status for result in results] == [204, 204, 204]
    assert [request.headers["host"] for request in checked.arrived] == [f"rebinding.example:{checked.port}"] * 3
    assert checked.connections == 1, "one connection, to the checked address"
    assert (await post(receiver, f"http://rebinding.example:{other.port}/hooks")).failure == "private-address"
    assert other.arrived == []


async def test_the_next_address_is_tried_where_one_does_not_connect(shop_server: "StartServer") -> None:
    server = await shop_server()
    receiver = WebhookReceiver(private_networks=LOOPBACK, resolve=lambda _host, _port: ["127.0.0.9", "127.0.0.1"])
    assert (await post(receiver, server.url)).status == 204
    only = WebhookReceiver(private_networks=LOOPBACK, resolve=lambda _host, _port: ["127.0.0.9"])
    assert (await post(only, server.url)).failure == "not-connected"


async def test_the_certificate_is_checked_against_the_host_and_not_the_address(shop_server: "StartServer") -> None:
    authority = trustme.CA()
    trusted = ssl.create_default_context()
    authority.configure_trust(trusted)
    names: list[str | None] = []
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("shop.example").configure_cert(tls)
    tls.sni_callback = lambda _socket, name, _context: names.append(name)
    server = await shop_server(tls=tls)
    receiver = WebhookReceiver(private_networks=LOOPBACK, resolve=lambda _host, _port: ["127.0.0.1"], verify=trusted)
    assert (await post(receiver, f"https://shop.example:{server.port}/hooks")).status == 204
    assert names == ["shop.example"]
    stranger = await post(receiver, f"https://other.example:{server.port}/hooks")
    assert (stranger.status, stranger.failure) == (None, "untrusted-certificate")
    system = WebhookReceiver(private_networks=LOOPBACK, resolve=lambda _host, _port: ["127.0.0.1"])
    assert (await post(system, f"https://shop.example:{server.port}/hooks")).failure == "untrusted-certificate"
    assert len(server.arrived) == 1


#: What the type of the field lets through: no white space and no control characters.
URLS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=1, max_size=80)


@given(rest=URLS)
@example(rest="a..b/")
@example(rest="xn--/")
@example(rest="[::1]:443/")
@example(rest="ab\\@127.0.0.1/")
@example(rest="%31%32%37.0.0.1/")
@example(rest="１２７.0.0.1/")
async def test_no_url_that_is_accepted_raises_or_is_called_without_a_check(rest: str) -> None:
    resolved: list[str] = []

    def resolve(host: str, _port: int) -> list[str]:
        resolved.append(host)
        return ["127.0.0.1"]

    url = "https://" + rest
    if refused_url(url, plain_allowed=False) is None:
        receiver = WebhookReceiver(resolve=resolve, verify=CONTEXT, seconds=5)
        failure = await receiver.check(url)
        assert failure in {"impossible-url", "private-address", "unresolved"}
        if failure != "impossible-url":
            assert (await post(receiver, url)).status is None
        await receiver.close()
