"""Receipts as Webkassa writes them: its envelope, its times in Almaty's clock, its two ways to name the register."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sandbox.cashbox.ledger import Check
from sandbox.exchange import Reply
from sandbox.money import to_major

ALMATY = ZoneInfo("Asia/Almaty")


def local_time(moment: str, style: str = "%d.%m.%Y %H:%M:%S") -> str:
    """A moment of the ledger as the register's clock shows it."""
    return datetime.fromisoformat(moment).astimezone(ALMATY).strftime(style)


def answer(data: object) -> Reply:
    """Success."""
    return Reply.of(200, {"Data": data, "Errors": []})


def error(code: int, text: str, data: object = None, status: int = 200) -> Reply:
    """A business error: HTTP 200 all the same."""
    return Reply.of(status, {"Data": data, "Errors": [{"Code": code, "Text": text}]})


def check_data(check: Check, *, flat: bool) -> dict[str, Any]:
    """`Data` of a receipt; `flat`: CashboxRegistrationNumber instead of the object Cashbox."""
    register: dict[str, Any] = {"CashboxUniqueNumber": check.cashbox}
    if flat:
        register |= {"CashboxRegistrationNumber": check.registration_number}
    else:
        register |= {"Cashbox": {"UniqueNumber": check.cashbox, "RegistrationNumber": check.registration_number}}
    return {
        "CheckNumber": check.check_number,
        "DateTime": local_time(check.issued_at),
        "OfflineMode": False,
        "ShiftNumber": check.shift_number,
        "OperationType": check.operation_type,
        "Total": to_major(check.total),
        "TicketUrl": check.ticket_url,
        "TicketPrintUrl": f"{check.ticket_url}?print=1",
        "ExternalCheckNumber": check.external_check_number,
        "ExternalOrderNumber": check.external_order_number,
        **register,
    }
