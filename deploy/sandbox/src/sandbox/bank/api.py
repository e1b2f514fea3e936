"""The bank's HTTP interface below /epay (docs/wire/epay.md)."""

import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.bank import operations, page, payform
from sandbox.bank.ledger import BankLedger, Transaction
from sandbox.bank.tokens import LIFETIME_SECONDS, LONG_SCOPE, SCOPES, Grant, TokenMint
from sandbox.bank.webhooks import WebhookSender
from sandbox.bank.wire import result_of, status_answer
from sandbox.exchange import Call, Reply, play
from sandbox.faults import FaultBook, Rule, Target
from sandbox.front import Route
from sandbox.money import to_minor
from sandbox.settings import AmountAfterRefund, PartialRefundStatus, Settings

STATUS_PATH = "/epay/api/check-status/payment/transaction/{invoiceID}"
WITH_HTTP_400 = frozenset({"102", "103", "104", "106", "109"})


@dataclass(slots=True)
class BankBehaviour:
    """The open questions ([?] in docs/wire/epay.md); control may answer them differently while running."""

    deduplicate_refunds: bool
    partial_refund_status: PartialRefundStatus
    amount_after_refund: AmountAfterRefund

    @classmethod
    def of(cls, settings: Settings) -> "BankBehaviour":
        """As the settings have it."""
        return cls(
            settings.bank_deduplicate_refunds,
            settings.bank_partial_refund_status,
            settings.bank_amount_after_refund,
        )


class Bank:
    """Epay."""

    def __init__(self, settings: Settings, ledger: BankLedger, faults: FaultBook, webhooks: WebhookSender) -> None:
        self._settings = settings
        self._faults = faults
        self._mint = TokenMint(settings.bank_client_secret)
        self.ledger = ledger
        self.webhooks = webhooks
        self.behaviour = BankBehaviour.of(settings)

    def reset(self) -> None:
        """Empty books, and the settings' behaviour again."""
        self.webhooks.cancel_all()
        self.ledger.clear()
        self.behaviour = BankBehaviour.of(self._settings)

    def routes(self) -> list[Route]:
        """The bank's paths."""
        return [
            Route.of("POST", "/epay/oauth2/token", self.token),
            Route.of("GET", STATUS_PATH, self.check_status),
            Route.of("POST", "/epay/payform/pay", self.pay),
            Route.of("POST", "/epay/payform/page", page.page),
            Route.of("GET", "/epay/payform/payment-api.js", page.script),
            Route.of("POST", "/epay/api/operation/{id}/refund", self.refund),
            Route.of("POST", "/epay/api/operation/{id}/cancel", self.cancel),
            Route.of("POST", "/epay/api/operation/{id}/charge", self.charge),
        ]

    async def token(self, call: Call) -> Reply:
        """A token for a payment, or for status and operations."""
        form = call.form()
        fields = {"invoiceID": form.get("invoiceID"), "scope": form.get("scope"), "terminal": form.get("terminal")}
        return await play(self._faults, "bank.token", fields, lambda: self._token(form), _refused_token)

    def _token(self, form: dict[str, str]) -> Reply:
        if form.get("grant_type") != "client_credentials":
            return _oauth_error(400, "unsupported_grant_type", "grant_type must be client_credentials")
        secret = form.get("client_secret", "").encode()
        right = hmac.compare_digest(secret, self._settings.bank_client_secret.encode())
        if form.get("client_id") != self._settings.bank_client_id or not right:
            return _oauth_error(401, "invalid_client", "Client authentication failed")
        scope = form.get("scope", "").strip()
        if scope not in SCOPES:
            return _oauth_error(400, "invalid_scope", "The requested scope is invalid")
        grant = self._grant(form, scope)
        if isinstance(grant, str):
            return _oauth_error(400, "invalid_request", grant)
        return Reply.of(
            200,
            {
                "access_token": self._mint.mint(grant),
                "expires_in": LIFETIME_SECONDS,
                "refresh_token": "",
                "scope": scope,
                "token_type": "Bearer",
            },
        )

    def _grant(self, form: dict[str, str], scope: str) -> Grant | str:
        terminal = form.get("terminal", "")
        expires = time.time() + LIFETIME_SECONDS
        invoice_id = form.get("invoiceID", "")
        if not invoice_id and scope == LONG_SCOPE:
            return Grant(scope=scope, terminal=terminal, expires=expires)
        if not (invoice_id.isascii() and invoice_id.isdigit() and len(invoice_id) in payform.INVOICE_DIGITS):
            return "invoiceID must be 6 to 15 digits"
        amount = to_minor(form.get("amount"))
        if not amount:
            return "amount is not an amount of money"
        if not form.get("currency"):
            return "currency is missing"
        if terminal not in self._settings.bank_terminals:
            return "terminal does not belong to client"
        return Grant(
            scope=scope,
            terminal=terminal,
            expires=expires,
            invoice_id=invoice_id,
            amount=amount,
            currency=form["currency"],
            secret_hash=form.get("secret_hash", ""),
            post_link=form.get("postLink", ""),
            failure_post_link=form.get("failurePostLink", ""),
        )

    async def check_status(self, call: Call) -> Reply:
        """How a payment stands."""
        invoice_id = call.args[0]

        def perform() -> Reply:
            grant = self._bearer(call)
            return _UNAUTHORIZED if grant is None else self._status(invoice_id, grant)

        def refuse(rule: Rule) -> Reply:
            code = str(rule.code or 103)
            transaction = self.ledger.by_invoice(invoice_id) if code in {"100", "101", "107"} else None
            return self._status_reply(code, transaction, rule.status)

        return await play(self._faults, "bank.check_status", {"invoiceID": invoice_id}, perform, refuse)

    def _status(self, invoice_id: str, grant: Grant) -> Reply:
        transaction = self.ledger.by_invoice(invoice_id)
        if not grant.terminal:
            return self._status_reply("104", None)
        if grant.terminal not in self._settings.bank_terminals:
            return self._status_reply("109", None)
        if transaction is None:
            return self._status_reply("102", None)
        if transaction.terminal != grant.terminal:
            return self._status_reply("106", None)
        return self._status_reply(result_of(transaction), transaction)

    def _status_reply(self, code: str, transaction: Transaction | None, status: int | None = None) -> Reply:
        usual = 400 if code in WITH_HTTP_400 else 200
        name, after_refund = self._settings.bank_terminal_name, self.behaviour.amount_after_refund
        return Reply.of(status or usual, status_answer(code, transaction, name, after_refund))

    async def refund(self, call: Call) -> Reply:
        """POST operation/{id}/refund."""
        args = call.query_args()

        def act(transaction: Transaction) -> None:
            operations.refund(
                self.ledger,
                transaction,
                amount=args.get("amount"),
                external_id=args.get("externalID"),
                deduplicate=self.behaviour.deduplicate_refunds,
                partial_status=self.behaviour.partial_refund_status,
            )

        return await self._operate(call, "bank.refund", act)

    async def cancel(self, call: Call) -> Reply:
        """POST operation/{id}/cancel."""
        return await self._operate(call, "bank.cancel", lambda found: operations.cancel(self.ledger, found))

    async def charge(self, call: Call) -> Reply:
        """POST operation/{id}/charge."""
        return await self._operate(call, "bank.charge", lambda found: operations.charge(self.ledger, found))

    async def _operate(self, call: Call, target: Target, act: Callable[[Transaction], None]) -> Reply:
        transaction = self.ledger.by_id(call.args[0])
        invoice_id = transaction.invoice_id if transaction else None

        def perform() -> Reply:
            grant = self._bearer(call)
            if grant is None:
                return _UNAUTHORIZED
            if transaction is None or transaction.terminal != grant.terminal:
                return _operation_error(100, "transaction not found")
            try:
                act(transaction)
            except payform.RefusedError as refused:
                return _operation_error(refused.code, refused.message)
            return Reply.of(200, {"code": 0, "message": "success"})

        fields = {"id": call.args[0], "invoiceID": invoice_id, **call.query_args()}
        return await play(self._faults, target, fields, perform, _refused_operation)

    async def pay(self, call: Call) -> Reply:
        """The buyer presses "pay" on the bank's page."""
        request = call.json() or {}
        payment, card = request.get("payment"), request.get("card")
        if not isinstance(payment, dict) or not isinstance(card, dict):
            return _operation_error(100, "a JSON object with the objects payment and card is expected")
        fields = {"invoiceID": payment.get("invoiceId"), "invoiceId": payment.get("invoiceId")}
        return await play(
            self._faults,
            "bank.pay",
            fields,
            lambda: self._pay(payment, card, None),
            lambda rule: self._pay(
                payment, card, payform.Outcome("FAILED", rule.code or 484, rule.message or "Declined")
            ),
        )

    def _pay(self, payment: dict[str, Any], card: dict[str, Any], forced: payform.Outcome | None) -> Reply:
        auth = payment.get("auth")
        grant = self._mint.read(str(auth.get("access_token", ""))) if isinstance(auth, dict) else None
        if grant is None:
            return _UNAUTHORIZED
        try:
            amount = payform.validate(payment, grant)
        except payform.RefusedError as refused:
            return _operation_error(refused.code, refused.message)
        if self.ledger.taken(grant.invoice_id):
            return _operation_error(100, "invoiceID, or its last six digits, has been used before")
        outcome = forced or payform.decide(card)
        transaction = payform.open_transaction(payment, card, grant, amount, outcome)
        self.ledger.record(transaction)
        if transaction.status != "NEW":
            self.webhooks.announce(transaction)
        failed = transaction.status == "FAILED"
        return Reply.of(
            200,
            {
                "status": transaction.status,
                "invoiceId": transaction.invoice_id,
                "transactionId": transaction.id,
                "redirect": payment.get("failureBackLink" if failed else "backLink"),
                "reason": transaction.reason,
                "reasonCode": transaction.reason_code,
            },
        )

    def _bearer(self, call: Call) -> Grant | None:
        kind, _, token = call.headers.get("authorization", "").partition(" ")
        grant = self._mint.read(token.strip()) if kind.lower() == "bearer" else None
        return grant if grant is not None and grant.scope == LONG_SCOPE else None


def _oauth_error(status: int, error: str, description: str) -> Reply:
    return Reply.of(status, {"error": error, "error_description": description})


def _operation_error(code: int, message: str) -> Reply:
    return Reply.of(400, {"code": code, "message": message})


_UNAUTHORIZED = Reply.of(401, {"code": 401, "message": "the access token is missing, wrong or expired"})


def _refused_token(rule: Rule) -> Reply:
    return _oauth_error(rule.status or 401, "invalid_client", rule.message or "Client authentication failed")


def _refused_operation(rule: Rule) -> Reply:
    message = "" if rule.message is None else rule.message
    return Reply.of(rule.status or 400, {"code": rule.code or 100, "message": message})
