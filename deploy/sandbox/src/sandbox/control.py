"""The control interface below /control: faults, ledgers, webhooks, the phone, reset."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, HTTPException, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from sandbox.bank.ledger import Transaction
from sandbox.bank.payform import Outcome, settle
from sandbox.control_airalo import airalo_routes
from sandbox.control_cashbox import cashbox_routes
from sandbox.control_imap import imap_routes
from sandbox.control_operator import operator_of, operator_routes
from sandbox.control_telegram import telegram_routes
from sandbox.control_whatsapp import whatsapp_routes
from sandbox.faults import Rule, RuleSet
from sandbox.ledger import CamelModel
from sandbox.listing import listing
from sandbox.serving import stands

Since = Annotated[str, Query(description="a seq from an earlier answer, or an ISO 8601 time")]
Rules = Annotated[list[Rule] | RuleSet | Rule, Body(description="one rule, a list, or {rules: […]}")]


class ResendWebhook(CamelModel, extra="forbid"):
    """Send a webhook once more, altered if so wished."""

    invoice_id: str = Field(alias="invoiceID")
    times: int = Field(default=1, ge=1, le=1000)
    fields: dict[str, Any] = Field(default_factory=dict)
    url: str = ""


class Settle(CamelModel, extra="forbid"):
    """How a payment in progress ends."""

    invoice_id: str = Field(alias="invoiceID")
    status: Literal["CHARGE", "AUTH", "FAILED"] = "CHARGE"
    reason_code: int = 484
    reason: str = "Declined"


class BankBehaviourChange(BaseModel):
    """Other answers to the bank's open questions."""

    model_config = ConfigDict(extra="forbid")

    deduplicate_refunds: bool | None = None
    partial_refund_status: Literal["CHARGE", "REFUND"] | None = None
    amount_after_refund: Literal["original", "remaining"] | None = None


def control_router() -> APIRouter:
    """The routes of the control interface."""
    router = APIRouter(prefix="/control", tags=["control"])
    _fault_routes(router)
    _bank_routes(router)
    operator_routes(router)
    airalo_routes(router)
    cashbox_routes(router)
    telegram_routes(router)
    whatsapp_routes(router)
    imap_routes(router)
    _ledger_routes(router)
    return router


def _fault_routes(router: APIRouter) -> None:
    @router.get("/faults")
    async def show_faults() -> dict[str, Any]:
        return {"rules": stands().faults.as_json()}

    @router.put("/faults")
    async def replace_faults(rules: Rules) -> dict[str, Any]:
        stands().faults.clear()
        return _add(rules)

    @router.post("/faults", status_code=201)
    async def add_faults(rules: Rules) -> dict[str, Any]:
        return _add(rules)

    @router.delete("/faults")
    async def clear_faults() -> dict[str, Any]:
        stands().faults.clear()
        return {"rules": []}

    @router.delete("/faults/{rule_id}")
    async def remove_fault(rule_id: int) -> dict[str, Any]:
        if not stands().faults.remove(rule_id):
            raise HTTPException(404, "no such rule")
        return {"rules": stands().faults.as_json()}

    def _add(rules: list[Rule] | RuleSet | Rule) -> dict[str, Any]:
        several = rules.rules if isinstance(rules, RuleSet) else rules
        added = [stands().faults.add(rule) for rule in (several if isinstance(several, list) else [several])]
        return {"rules": [active.as_json() for active in added]}


def _bank_routes(router: APIRouter) -> None:
    def transaction_of(invoice_id: str) -> Transaction:
        transaction = stands().bank.ledger.by_invoice(invoice_id)
        if transaction is None:
            raise HTTPException(404, "no transaction of that invoiceID")
        return transaction

    @router.post("/webhooks/resend")
    async def resend_webhook(request: ResendWebhook) -> dict[str, Any]:
        transaction = transaction_of(request.invoice_id)
        sent = stands().bank.webhooks.resend(transaction, request.fields, times=request.times, url=request.url)
        if not sent:
            raise HTTPException(409, "the shop gave no address for this webhook")
        return {"scheduled": request.times}

    @router.post("/bank/settle")
    async def settle_payment(request: Settle) -> dict[str, Any]:
        transaction = transaction_of(request.invoice_id)
        if transaction.status not in {"NEW", "3D"}:
            raise HTTPException(409, f"the payment is already {transaction.status}")
        failed = request.status == "FAILED"
        outcome = Outcome("FAILED", request.reason_code, request.reason)
        settle(transaction, outcome if failed else Outcome(request.status, 0, "success"))
        stands().bank.ledger.record(transaction)
        stands().bank.webhooks.announce(transaction)
        return transaction.model_dump(by_alias=True)

    @router.put("/bank/behaviour")
    async def change_bank(request: BankBehaviourChange) -> dict[str, Any]:
        for name, value in request.model_dump(exclude_none=True).items():
            setattr(stands().bank.behaviour, name, value)
        return {name: getattr(stands().bank.behaviour, name) for name in BankBehaviourChange.model_fields}


def _ledger_routes(router: APIRouter) -> None:
    @router.get("/ledger/bank")
    async def bank_ledger(since: Since = "") -> Response:
        book = stands().bank.ledger.book
        return listing("transactions", _pick(book.since(_seq(since)), since), {"seq": str(book.seq)})

    @router.get("/ledger/operator")
    async def operator_ledger(since: Since = "", operator: str = "") -> Response:
        """The profiles of one operator, or of all."""
        chosen = [operator_of(operator)] if operator else list(stands().operators.values())
        books = [one.ledger.book for one in chosen]
        lines = [line for _, line in sorted(pair for book in books for pair in book.changed(_seq(since)))]
        return listing("profiles", _pick(lines, since), {"seq": str(max(book.seq for book in books))})

    @router.get("/ledger/cashbox")
    async def cashbox_ledger(since: Since = "") -> Response:
        ledger = stands().cashbox.ledger
        lists = {"shifts": ledger.shifts.since(0), "violations": ledger.violations.since(0)}
        more = {name: f"[{b','.join(lines).decode()}]" for name, lines in lists.items()}
        checks = _pick(ledger.book.since(_seq(since)), since)
        return listing("checks", checks, {**more, "seq": str(ledger.book.seq)})

    @router.get("/ledger/sms")
    async def sms_ledger(since: Since = "") -> Response:
        book = stands().sms.ledger.book
        return listing("messages", _pick(book.since(_seq(since)), since), {"seq": str(book.seq)})

    @router.get("/ledger/mail")
    async def mail_ledger(since: Since = "") -> Response:
        mails = stands().mails
        counts = ",".join(f'"{name}":{count}' for name, count in mails.counts().items())
        lines = _pick(mails.lines_since(_seq(since)), since)
        return listing("messages", lines, {"counts": "{" + counts + "}", "seq": str(mails.last_id)})

    @router.get("/requests")
    async def requests(path: str = "", limit: Annotated[int, Query(ge=1)] = 100) -> dict[str, Any]:
        return {"requests": stands().requests.as_json(path, limit)}

    @router.post("/reset")
    async def reset() -> dict[str, str]:
        stands().reset()
        return {"status": "empty"}


def _seq(since: str) -> int:
    if since.isascii() and since.isdigit():
        return int(since)
    if since:
        _time(since)
    return 0


def _pick(lines: list[bytes], since: str) -> Iterable[bytes]:
    """With a time as `since`: the lines of which any time of change is later."""
    if not since or since.isdigit():
        return lines
    moment = _time(since)
    return (line for line in lines if any(text >= moment for text in _times(line)))


def _times(line: bytes) -> Iterable[str]:
    return (part[:26].decode("ascii", "replace") for part in line.split(b'At":"')[1:] + line.split(b'"at":"')[1:])


def _time(since: str) -> str:
    try:
        moment = datetime.fromisoformat(since.replace(" ", "+"))
    except ValueError as error:
        raise HTTPException(422, "since is neither a seq nor an ISO 8601 time") from error
    if moment.tzinfo is None:
        raise HTTPException(422, "since has no time zone")
    return moment.astimezone(UTC).isoformat(timespec="microseconds")[:26]
