"""The bank's JSON, field by field (docs/wire/epay.md): check-status and the postLink webhook."""

import hashlib
from typing import Any

from sandbox.bank.ledger import Transaction
from sandbox.money import to_major
from sandbox.settings import AmountAfterRefund

RESULTS = {
    "100": "SUCCESS",
    "101": "REJECT",
    "102": "Invoice ID not found",
    "103": "ERROR",
    "104": "Terminal absent in token",
    "106": "Wrong terminal",
    "107": "In progress, try again later",
    "109": "Terminal does not belong to client",
}
_RESULT_OF_STATUS = {"NEW": "107", "3D": "107", "FINGERPRINT": "107", "FAILED": "101", "REJECT": "101"}


def result_of(transaction: Transaction) -> str:
    """The resultCode for a transaction in its present status."""
    return _RESULT_OF_STATUS.get(transaction.status, "100")


def status_answer(
    code: str, transaction: Transaction | None, terminal_name: str, after_refund: AmountAfterRefund
) -> dict[str, Any]:
    """The body of check-status."""
    answer: dict[str, Any] = {"resultCode": code, "resultMessage": RESULTS.get(code, "ERROR")}
    if transaction is not None:
        answer["transaction"] = _transaction(transaction, terminal_name, after_refund)
    return answer


def _transaction(transaction: Transaction, terminal_name: str, after_refund: AmountAfterRefund) -> dict[str, Any]:
    returned = transaction.refunded if after_refund == "remaining" else 0
    return {
        "id": transaction.id,
        "createdDate": transaction.created_at,
        "invoiceID": transaction.invoice_id,
        "amount": to_major(transaction.amount - returned),
        "amountBonus": 0,
        "payoutAmount": to_major(transaction.refunded),
        "orgAmount": to_major(transaction.amount),
        "approvalCode": transaction.approval_code,
        "data": transaction.data,
        "currency": transaction.currency,
        "terminal": terminal_name,
        "terminalID": transaction.terminal,
        "accountID": transaction.account_id,
        "description": transaction.description,
        "language": transaction.language,
        "cardMask": transaction.card_mask,
        "cardType": "VISA",
        "issuer": "SANDBOX BANK",
        "reference": transaction.reference,
        "reason": transaction.reason,
        "reasonCode": str(transaction.reason_code),
        "intReference": transaction.id.replace("-", "")[:16].upper(),
        "secure": transaction.secure,
        "secureDetails": "",
        "statusID": transaction.status,
        "statusName": transaction.status,
        "name": transaction.name,
        "email": transaction.email,
        "phone": transaction.phone,
        "cardID": transaction.card_id,
    }


def webhook_body(transaction: Transaction) -> dict[str, Any]:
    """The body of postLink or failurePostLink: not signed; only secret_hash is echoed."""
    succeeded = transaction.status not in {"FAILED", "REJECT"}
    body: dict[str, Any] = {
        "id": transaction.id,
        "invoiceId": transaction.invoice_id,
        "code": "ok" if succeeded else "error",
        "reason": transaction.reason,
        "reasonCode": transaction.reason_code,
        "amount": to_major(transaction.amount),
        "currency": transaction.currency,
        "terminal": transaction.terminal,
        "accountId": transaction.account_id,
        "description": transaction.description,
        "language": transaction.language,
        "name": transaction.name,
        "email": transaction.email,
        "phone": transaction.phone,
        "dateTime": transaction.created_at,
        "reference": transaction.reference,
        "issuer": "SANDBOX BANK",
        "cardMask": transaction.card_mask,
        "cardType": "VISA",
        "secure": "yes" if transaction.secure else "no",
        "secureDetails": "",
        "secret_hash": transaction.secret_hash,
        "ip": "192.0.2.1",
        "ipCountry": "Kazakhstan",
        "ipCity": "Almaty",
        "ipRegion": "Almaty",
        "ipDistrict": "",
        "ipLatitude": 43.25,
        "ipLongitude": 76.92,
    }
    if succeeded:
        return body | {"approvalCode": transaction.approval_code, "cardId": transaction.card_id}
    return body | {"invoiceIdAlt": transaction.invoice_id, "tokenRecipient": ""}


def card_id(number: str) -> str:
    """A stable id for a card, which is not its number."""
    digest = hashlib.sha256(number.encode()).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}"
