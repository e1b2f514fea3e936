"""The reseller's HTTP interface below /airalo/v2 (Airalo Partner API v2, docs/wire/airalo.md).

There is no idempotency key: every order that arrives is a new one. `GET /orders?filter[description]=` finds those whose
description holds the text, wherever in it.
"""

import secrets
from collections.abc import Callable
from typing import Any

from sandbox.airalo import wire
from sandbox.airalo.behaviour import Spelling
from sandbox.airalo.ledger import AiraloLedger, Order, Sim
from sandbox.airalo.limits import Limits
from sandbox.airalo.webhooks import AiraloWebhooks
from sandbox.exchange import Call, Handler, Reply, play
from sandbox.faults import FaultBook, Rule, Target
from sandbox.front import Route
from sandbox.settings import Settings

BASE = "/airalo/v2"
MOST_AT_ONCE = 50
Answer = Callable[[Call, dict[str, Any]], Reply]


class Airalo:
    """The reseller. Control may change `stock`, `credit`, `maintenance`, `refunds` and the shape of webhooks."""

    def __init__(self, settings: Settings, ledger: AiraloLedger, faults: FaultBook) -> None:
        self._settings = settings
        self._faults = faults
        self.ledger = ledger
        self.webhooks = AiraloWebhooks(settings, faults)
        self.limits = Limits(settings)
        self._tokens: set[str] = set()
        self._usage: dict[str, tuple[float, dict[str, Any]]] = {}
        self._as_set()

    def _as_set(self) -> None:
        self.stock: dict[str, int] = {}
        self.credit = True
        self.maintenance = False
        self.refunds = "approve"
        self.nested = True
        self.spelling = Spelling()
        self._tokens.clear()
        self._usage.clear()
        self.limits.clear()

    def routes(self) -> list[Route]:
        """The reseller's paths."""
        return [
            Route.of("POST", f"{BASE}/token", self._open("airalo.token", self._token)),
            Route.of("POST", f"{BASE}/orders", self._guard("airalo.orders", self._order)),
            Route.of("GET", f"{BASE}/orders", self._guard("airalo.order_list", self._list)),
            Route.of("POST", f"{BASE}/orders-async", self._async),
            Route.of("POST", f"{BASE}/orders/topups", self._guard("airalo.topups", self._top_up)),
            Route.of("GET", BASE + "/sims/{iccid}", self._guard("airalo.sims", self._sim)),
            Route.of("GET", BASE + "/sims/{iccid}/usage", self._guard("airalo.usage", self._usage_of)),
            Route.of("POST", f"{BASE}/refund", self._guard("airalo.refund", self._refund)),
        ]

    def reset(self) -> None:
        """Empty books, nobody suspended."""
        self.ledger.clear()
        self.webhooks.cancel_all()
        self._as_set()

    def forget_tokens(self) -> None:
        """Every token is over: the next call is answered with 401."""
        self._tokens.clear()

    # --- who may call, and what strikes ---------------------------------------------------------------------------

    def _open(self, target: Target, answer: Answer) -> Handler:
        async def handle(call: Call) -> Reply:
            return self.limits.struck() or await self._play(target, call, answer)

        return handle

    def _guard(self, target: Target, answer: Answer) -> Handler:
        async def handle(call: Call) -> Reply:
            return self._turned_away(call) or await self._play(target, call, answer)

        return handle

    def _turned_away(self, call: Call) -> Reply | None:
        token = call.headers.get("authorization", "").removeprefix("Bearer ")
        return self.limits.struck() or (None if token in self._tokens else wire.message(401, "Unauthenticated."))

    async def _play(self, target: Target, call: Call, answer: Answer) -> Reply:
        body = _body(call)
        if body is None:
            return wire.invalid(body="The body is neither JSON nor form data.")
        fields = {
            "iccid": call.args[0] if call.args else body.get("iccid"),
            "description": body.get("description") or call.query_args().get("filter[description]"),
            "package_id": body.get("package_id"),
        }
        return await play(self._faults, target, fields, lambda: answer(call, body), _refused)

    def _token(self, _call: Call, body: dict[str, Any]) -> Reply:
        if not self.limits.may_have_token():
            return wire.message(429, "Too Many Attempts.")
        settings = self._settings
        given = (body.get("client_id"), body.get("client_secret"), body.get("grant_type"))
        if given != (settings.airalo_client_id, settings.airalo_client_secret, "client_credentials"):
            return Reply.of(401, {"data": {"client_id": "Invalid client."}, "meta": {"message": wire.INVALID}})
        token = secrets.token_urlsafe(32)
        self._tokens.add(token)
        return wire.success({"token_type": "Bearer", "expires_in": 86400, "access_token": token})

    # --- orders ---------------------------------------------------------------------------------------------------

    def _order(self, _call: Call, body: dict[str, Any]) -> Reply:
        wrong = self._wrong(body)
        if wrong is not None:
            return wrong
        order, sims = self._sell(body, None)
        return wire.success(self._order_document(order, sims))

    async def _async(self, call: Call) -> Reply:
        turned_away = self._turned_away(call)
        if turned_away is not None:
            return turned_away
        url = str((_body(call) or {}).get("webhook_url") or "")
        reachable = not url or await self.webhooks.probe(url)

        def accept(_call: Call, body: dict[str, Any]) -> Reply:
            if not reachable:
                return wire.invalid(webhook_url="The webhook url does not answer a HEAD request with 200.")
            if _quantity(body) is None or not body.get("package_id"):
                return wire.invalid(quantity="The quantity is invalid.")
            request_id = secrets.token_urlsafe(18)
            self.webhooks.after(self._settings.airalo_async_seconds, lambda: self._settle(request_id, url, body))
            return wire.success({"request_id": request_id, "accepted_at": wire.moment()}, 202)

        return await self._play("airalo.orders_async", call, accept)

    def _settle(self, request_id: str, url: str, body: dict[str, Any]) -> None:
        """An accepted order is carried out, and the shop gets the webhook."""
        wrong = self._wrong(body)
        answer_body: dict[str, Any] = {"request_id": request_id}
        if wrong is not None:
            answer_body |= Call("", "", (), "", {}, wrong.body).json() or {}
        else:
            order, sims = self._sell(body, request_id)
            document = self._order_document(order, sims)
            answer_body |= {"data": document, "meta": {"message": "success"}} if self.nested else document
        if url:
            self.webhooks.announce(request_id, url, str(body.get("description") or ""), answer_body)

    def _wrong(self, body: dict[str, Any]) -> Reply | None:
        package = str(body.get("package_id") or "")
        if not package:
            return wire.invalid(package_id="The package_id is required.")
        if _quantity(body) is None:
            return wire.invalid(quantity=f"The quantity must be a whole number from 1 to {MOST_AT_ONCE}.")
        sold = self._settings.airalo_packages
        reasons = {
            13: self.maintenance,
            11: not self.credit,
            34: bool(sold) and package not in sold,
            33: self.stock.get(package, MOST_AT_ONCE) < (_quantity(body) or 1),
        }
        return next((wire.problem(code) for code, holds in reasons.items() if holds), None)

    def _sell(self, body: dict[str, Any], request_id: str | None) -> tuple[Order, list[Sim]]:
        package, quantity = str(body["package_id"]), _quantity(body) or 1
        if package in self.stock:
            self.stock[package] -= quantity
        order = self._new_order("sim", body, quantity, request_id)
        if order.status == "failed":
            self.ledger.record(order)
            return order, []
        total, days = self._package()
        sims = [
            Sim(
                id=order.id * 100 + number,
                iccid=self.ledger.new_iccid(),
                order_id=order.id,
                matching_id=self.ledger.new_matching_id(),
                package_id=package,
                created_at=order.created_at,
                total=total,
                validity=days,
            )
            for number in range(quantity)
        ]
        order.iccids = [sim.iccid for sim in sims]
        self.ledger.record(order, *sims)
        return order, sims

    def _new_order(self, kind: Any, body: dict[str, Any], quantity: int, request_id: str | None) -> Order:
        number, at = self.ledger.next_id(), wire.moment()
        return Order(
            id=number,
            code=f"{at[:10].replace('-', '')}-{number:06d}",
            type=kind,
            package_id=str(body["package_id"]),
            quantity=quantity,
            description=str(body.get("description") or ""),
            status="failed" if self.spelling.fails else "completed",
            created_at=at,
            request_id=request_id,
        )

    def _list(self, call: Call, _body: dict[str, Any]) -> Reply:
        asked = call.query_args()
        limit, page = _number(asked.get("limit"), 25), _number(asked.get("page"), 1)
        wanted = asked.get("filter[description]", "").lower()
        found = [order for order in self.ledger.orders if wanted in order.description.lower()]
        found.sort(key=lambda order: -order.id)
        included = set(asked.get("include", "").split(","))
        shown = [self._listed(order, included) for order in found[(page - 1) * limit : page * limit]]
        meta = {"message": "success", "current_page": page, "per_page": limit, "total": len(found)}
        return Reply.of(200, {"data": shown, "links": {}, "meta": meta})

    def _listed(self, order: Order, included: set[str]) -> dict[str, Any]:
        sims = [sim for iccid in order.iccids if (sim := self.ledger.sims.get(iccid))]
        document = wire.order_document(order, sims, self._settings.airalo_smdp_address, self._package())
        if "sims" not in included:
            document.pop("sims", None)
        if "status" in included:
            document["status"] = {"name": order.status.title(), "slug": order.status}
        return self.spelling.order(document)

    def _order_document(self, order: Order, sims: list[Sim]) -> dict[str, Any]:
        """An order as the answer to its request tells it; a status only where it failed."""
        document = wire.order_document(order, sims, self._settings.airalo_smdp_address, self._package())
        if order.status != "completed":
            document["status"] = {"name": order.status.title(), "slug": order.status}
        return self.spelling.order(document)

    def _package(self) -> tuple[int, int]:
        return self._settings.allowance_bytes // 2**20, self._settings.allowance_days

    def _top_up(self, _call: Call, body: dict[str, Any]) -> Reply:
        sim = self.ledger.sims.get(str(body.get("iccid") or ""))
        if sim is None:
            return wire.invalid(iccid="The iccid is invalid or it has not been found.")
        if not body.get("package_id"):
            return wire.invalid(package_id="The package_id is required.")
        if sim.status == "RECYCLED":
            return wire.problem(73)
        order = self._new_order("topup", body, 1, None)
        order.iccids = [sim.iccid]
        if order.status == "failed":
            self.ledger.record(order)
            return wire.success(self._order_document(order, []))
        total, days = self._package()
        sim.total += total
        sim.validity += days
        self.ledger.record(order, sim)
        return wire.success(self._order_document(order, []))

    # --- eSIMs ----------------------------------------------------------------------------------------------------

    def _sim(self, call: Call, _body: dict[str, Any]) -> Reply:
        sim = self.ledger.sims.get(call.args[0])
        if sim is None:
            return wire.message(404, "The requested eSIM was not found.")
        return wire.success(self.spelling.sim(wire.sim_document(sim, self._settings.airalo_smdp_address)))

    def _usage_of(self, call: Call, _body: dict[str, Any]) -> Reply:
        """Cached for 20 minutes, and 10 calls a minute for each ICCID."""
        iccid = call.args[0]
        if not self.limits.may_ask_usage(iccid):
            return wire.message(429, "Too Many Attempts.")
        sim = self.ledger.sims.get(iccid)
        if sim is None:
            return wire.message(404, "The requested eSIM was not found.")
        known = self._usage.get(iccid)
        if known is None or self.limits.time() - known[0] >= self._settings.airalo_usage_cache_seconds:
            self._usage[iccid] = known = (self.limits.time(), wire.usage_document(sim))
        return wire.success(self.spelling.usage(known[1]))

    def _refund(self, _call: Call, body: dict[str, Any]) -> Reply:
        """A request, not a refund: control says whether it is granted."""
        iccids = body.get("iccids")
        if not isinstance(iccids, list) or not iccids or not all(isinstance(one, str) for one in iccids):
            return wire.invalid(iccids="The iccids are required.")
        if not body.get("reason"):
            return wire.invalid(reason="The reason is required.")
        sims = [self.ledger.sims.get(iccid) for iccid in iccids]
        known = [sim for sim in sims if sim is not None]
        if len(known) < len(sims):
            return wire.invalid(iccids="An iccid is invalid or it has not been found.")
        refund_id = str(secrets.randbelow(10**6))
        for sim in known:
            sim.refund_id = sim.refund_id or refund_id
            self._decide(sim)
        return wire.success({"refund_id": refund_id, "created_at": wire.moment()[:16]}, 202)

    def _decide(self, sim: Sim) -> None:
        order = self.ledger.orders.get(str(sim.order_id))
        if order is None:
            return
        if self.refunds == "approve" and sim.status == "NOT_ACTIVE":
            sim.status, order.status = "RECYCLED", "refunded"
        self.ledger.record(order, sim)

    def decide_refunds(self, answer: str) -> None:
        """From now on, and for what was asked for already."""
        self.refunds = answer
        for sim in list(self.ledger.sims):
            if sim.refund_id is not None:
                self._decide(sim)


def _body(call: Call) -> dict[str, Any] | None:
    if call.method != "POST":
        return {}
    if call.headers.get("content-type", "").startswith("application/json"):
        return call.json()
    return dict(call.form())


def _quantity(body: dict[str, Any]) -> int | None:
    text = str(body.get("quantity", ""))
    return int(text) if text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MOST_AT_ONCE else None


def _number(text: str | None, default: int) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and int(text[:9]) > 0 else default


def _refused(rule: Rule) -> Reply:
    return wire.problem(rule.code or 53, rule.message or "", rule.status or 422)
