"""What is known of an order, as an agent reads it: each fact with who said it and how old that is."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from refunds.desk.records import File
from refunds.domain.cases import Case
from refunds.domain.policy import Price
from refunds.pages.rendering import person
from shared.contracts import Money
from shared.signin.rendering import distance, local

_MEBIBYTE = 1024 * 1024


@dataclass(slots=True, frozen=True)
class Line:
    """A fact. `at` is when it became true, `age` how long ago; empty where neither makes sense."""

    name: str
    value: str
    source: str
    at: str
    age: str


def fact_sheet(file: File, case: Case, now: datetime, zone: ZoneInfo) -> list[Line]:
    """All that is known, in the order of an order's life. What nobody said is left out, or said to be unknown."""
    row = file.order.row

    def line(name: str, value: str, source: str, at: datetime | None) -> Line:
        return Line(name, value, source, local(at, zone), "" if at is None else distance(at, now))

    return [line(*told) for told in _told(row, file, case) if told[3] is not None or told[1] == "unknown"]


def _told(row: Any, file: File, case: Case) -> Iterator[tuple[str, str, str, datetime | None]]:
    paid = Money(amount=row.paid_minor, currency=row.currency) if row.paid_minor is not None else None
    amount = "" if paid is None else str(Price.of(paid))
    yield "Paid", amount, "bank", row.paid_at
    for charge in file.order.charges:
        surplus = Price.of(Money(amount=charge.amount_minor, currency=charge.currency))
        yield "Charged again", str(surplus), "bank", charge.captured_at
    yield "Profile generated", f"ICCID {row.iccid}" if row.iccid else "yes", "operator", row.generated_at
    yield "Profile failed", row.failure or "yes", "operator", row.failed_at
    yield "Code delivered", row.delivery_channel or "yes", "notifications", row.delivered_at
    yield "Delivery refused", row.delivery_failure or "yes", "mail server", row.delivery_failed_at
    yield from _profile(row)
    yield "Top-up applied", "yes", "operator", row.top_up_applied_at
    yield "Support's finding", (case.finding or "").replace("_", " "), person(case.found_by or "support"), case.found_at
    yield "Service restored", "yes", person(case.found_by or "support"), case.restored_at
    outcome = file.outcome(case)
    yield "Refund settled", "yes", "bank", outcome.settled_at
    yield "Refund refused by the bank", outcome.failure or "yes", "bank", outcome.failed_at


def _profile(row: Any) -> Iterator[tuple[str, str, str, datetime | None]]:
    if row.generated_at is None and row.observed_at is None:
        return
    state, used = row.install_state, row.used_bytes
    known = state is not None and state != "unknown"
    yield "On a device", state if known else "unknown", row.install_source or "nobody said", row.install_observed_at
    total = "" if row.total_bytes is None else f" of {row.total_bytes / _MEBIBYTE:,.0f} MB"
    usage = "unknown" if used is None else f"{used / _MEBIBYTE:,.1f} MB{total} ({used:,} bytes)"
    yield "Data used", usage, row.usage_source or "nobody said", row.usage_observed_at
    yield "Downloaded", "QR code scanned or code entered", "operator", row.downloaded_at
    yield "Installed", "first time", "operator", row.installed_at
    yield "Activated", "first use", "operator", row.activated_at
    yield "Deleted from the device", "yes", "operator", row.deleted_at
    yield "Plan ends", "", "operator", row.plan_ends_at
    yield "Last looked at for a case", "answered", "operator", row.asked_at
    yield "Could not be asked", "operator away", "provisioning", row.unreached_at
    yield "Expired", (row.expiry or "").replace("_", " "), "operator", row.expired_at
    yield "Revoked", "code works no longer", "operator", row.revoked_at
    yield "Revocation refused", row.revocation_refusal or "yes", "operator", row.revocation_refused_at
