"""The facts of an order as an agent reads them: each with its source and the time when it became true."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from refunds.cases.models.case import Case
from refunds.cases.models.file import CaseFile
from refunds.policy import Price
from shared.contracts import Money

_MEBIBYTE = 1024 * 1024


@dataclass(slots=True, frozen=True)
class Line:
    """A fact. `at`: when it became true (UTC). `source`: who reported it, as the audit trail names people."""

    name: str
    value: str
    source: str
    at: datetime | None


def fact_sheet(file: CaseFile, case: Case) -> list[Line]:
    """All facts, in the order in which they happen. A fact that nobody reported is left out, or shown as unknown."""
    return [line for line in _lines(file.order.row, file, case) if line.at is not None or line.value == "unknown"]


def _lines(row: Any, file: CaseFile, case: Case) -> Iterator[Line]:
    paid = file.order.paid
    amount = "" if paid is None else str(Price.of(paid))
    yield Line("Paid", amount, "bank", row.paid_at)
    for charge in file.order.charges:
        surplus = Price.of(Money(amount=charge.amount_minor, currency=charge.currency))
        yield Line("Charged again", str(surplus), "bank", charge.captured_at)
    yield Line("Profile generated", f"ICCID {row.iccid}" if row.iccid else "yes", "operator", row.generated_at)
    yield Line("Profile failed", row.failure or "yes", "operator", row.failed_at)
    yield Line("Code delivered", row.delivery_channel or "yes", "notifications", row.delivered_at)
    yield Line("Delivery refused", row.delivery_failure or "yes", "mail server", row.delivery_failed_at)
    yield from _profile(row)
    yield Line("Top-up applied", "yes", "operator", row.top_up_applied_at)
    yield Line("Support's finding", (case.finding or "").replace("_", " "), case.found_by or "support", case.found_at)
    yield Line("Service restored", "yes", case.found_by or "support", case.restored_at)
    refund = file.refund(case)
    yield Line("Refund settled", "yes", "bank", refund.settled_at)
    yield Line("Refund refused by the bank", refund.failure or "yes", "bank", refund.failed_at)


def _profile(row: Any) -> Iterator[Line]:
    if row.generated_at is None and row.observed_at is None:
        return
    state, used = row.install_state, row.used_bytes
    known = state is not None and state != "unknown"
    yield Line(
        "On a device", state if known else "unknown", row.install_source or "not reported", row.install_observed_at
    )
    total = "" if row.total_bytes is None else f" of {row.total_bytes / _MEBIBYTE:,.0f} MB"
    usage = "unknown" if used is None else f"{used / _MEBIBYTE:,.1f} MB{total} ({used:,} bytes)"
    yield Line("Data used", usage, row.usage_source or "not reported", row.usage_observed_at)
    yield Line("Downloaded", "QR code scanned or code entered", "operator", row.downloaded_at)
    yield Line("Installed", "first time", "operator", row.installed_at)
    yield Line("Activated", "first use", "operator", row.activated_at)
    yield Line("Deleted from the device", "yes", "operator", row.deleted_at)
    yield Line("Plan ends", "", "operator", row.plan_ends_at)
    yield Line("Last observed for a case", "answered", "operator", row.asked_at)
    yield Line("Not reachable", "operator did not answer", "provisioning", row.unreached_at)
    yield Line("Expired", (row.expiry or "").replace("_", " "), "operator", row.expired_at)
    yield Line("Revoked", "the code no longer works", "operator", row.revoked_at)
    yield Line("Revocation refused", row.revocation_refusal or "yes", "operator", row.revocation_refused_at)
