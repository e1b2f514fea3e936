"""Doors that people use: sign-in, the account page, refund requests, agents' actions; also all at once."""

import asyncio
import re

from hostile import values
from hostile.context import Context

_TOKEN = re.compile(r'name="token" value="([^"]+)"')
_SITES = (("refunds", "/agents"), ("operations", "/console"))
_AT_ONCE = 30

#: A number that no order of a run gets.
_NO_ORDER = "99999999"


async def sign_in(context: Context) -> None:
    """A name and a password that are wrong in some way, sometimes from thirty browsers at once."""
    rng = context.rng
    service, base = rng.choice(_SITES)
    if service not in context.target.services:
        return
    url = f"{context.target.site.url(service)}{base}/sign-in"
    shown = await context.sender.send("the sign-in page", "GET", url)
    found = _TOKEN.search(shown.text) if shown is not None else None
    form = {
        "name": values.text(rng)[:300].encode("utf-8", "replace"),
        "password": values.text(rng)[:2000].encode("utf-8", "replace"),
        "token": found[1] if found and rng.random() < 0.8 else "forged",
    }
    times = _AT_ONCE if rng.random() < 0.05 else 1
    cookies = dict(shown.cookies) if shown is not None else {}
    headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
    await asyncio.gather(
        *(context.sender.send("a sign-in", "POST", url, data=form, headers=headers) for _ in range(times))
    )


async def account_page(context: Context) -> None:
    """The buyer's page with a guessed, altered or unprintable token."""
    rng = context.rng
    token = rng.choice(["AAAA", "a" * 300, "%00", "%ff%fe", "..%2f..", rng.randbytes(30).hex()])
    base = f"{context.target.site.url('notifications')}/account/{token}"
    action = rng.choice(["", "/code", "/resend", "/refund", "/contact", "/data", "/confirm", "/events"])
    method = "GET" if action in ("", "/events") else "POST"
    form = {name: values.text(rng)[:500].encode("utf-8", "replace") for name in ("form", "reason", "code", "email")}
    given = {"data": form} if method == "POST" else {}
    await context.sender.send("the account page", method, base + action, **given)


async def refund_request(context: Context) -> None:
    """A request for a real order or for none, with anything in its fields."""
    rng = context.rng
    shop = rng.choice(context.target.shops)
    good = {
        "reason": rng.choice(["changed_mind", "technical_failure", "other"]),
        "channel": "account",
        "full_name": "H",
        "email": "h@hostile.example",
        "phone": "+77010000000",
        "payment_date": "2026-11-01",
        "circumstances": "words",
        "evidence": ["words"],
    }
    # Of a good order only by a shop that does not own it: what becomes of good orders is judged.
    order = next((one.order.id for one in context.paid if one.order.shop.slug != shop), _NO_ORDER)
    path = rng.choice([f"/orders/{order}/refund-requests", f"/orders/{order}/cancellation", "/claims"])
    await context.sender.send(
        "a refund request",
        "POST",
        context.target.site.url("refunds") + path,
        json=values.spoiled(rng, good),
        headers=context.bearer(context.target.site.storefront_keys[shop]),
    )


async def readiness(context: Context) -> None:
    """Three hundred questions at once whether a service is ready: all are answered, and it is."""
    service = context.rng.choice(context.target.services)
    url = f"{context.target.site.url(service)}/health/ready"
    await asyncio.gather(
        *(context.sender.send("readiness", "GET", url) for _ in range(context.rng.choice([1, 1, 300])))
    )
