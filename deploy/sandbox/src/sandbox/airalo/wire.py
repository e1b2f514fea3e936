"""What the reseller writes: orders, eSIMs and usage as the API's documents show them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.airalo.ledger import Order, Sim
from sandbox.clock import now
from sandbox.exchange import Reply

GIGABYTE_MB = 1024
INVALID = "the parameter is invalid"
CODES = {
    11: "Insufficient Airalo Credit. Please deposit to your account and try again.",
    13: "The requested operator is currently undergoing maintenance. Please try again later.",
    33: "Insufficient stock of eSIMs remaining. Please try again later.",
    34: "The requested eSIM package is invalid or it is currently out of stock. Please try again later.",
    43: "Bad request.",
    53: "Unexpected error occurred.",
    73: "The eSIM has been recycled. You cannot top it up any more.",
}


def moment() -> str:
    """A time as this API writes it: UTC, with neither zone nor fraction."""
    return now()[:19].replace("T", " ")


def success(data: object, status: int = 200) -> Reply:
    """The envelope of an answer."""
    return Reply.of(status, {"data": data, "meta": {"message": "success"}})


def problem(code: int, reason: str = "", status: int = 422) -> Reply:
    """A business error: HTTP 422 `{code, reason}`."""
    return Reply.of(status, {"code": code, "reason": reason or CODES.get(code, "Unexpected error occurred.")})


def invalid(**fields: str) -> Reply:
    """A request that is not understood."""
    return Reply.of(422, {"data": fields, "meta": {"message": INVALID}})


def message(status: int, text: str) -> Reply:
    """What the gateway says: 401, 403, 404, 429."""
    return Reply.of(status, {"data": [], "meta": {"message": text}})


def order_document(order: Order, sims: list[Sim], address: str, package: tuple[int, int]) -> dict[str, Any]:
    """An order as `POST /orders` answers it; a top-up brings no eSIMs."""
    megabytes, days = package
    shown: dict[str, Any] = {
        "id": order.id,
        "code": order.code,
        "package_id": order.package_id,
        "quantity": str(order.quantity),
        "type": order.type,
        "description": order.description,
        "esim_type": "Prepaid",
        "validity": days,
        "package": f"{order.package_id}-{megabytes // GIGABYTE_MB} GB - {days} Days",
        "data": f"{megabytes // GIGABYTE_MB} GB",
        "price": 9.5,
        "currency": "USD",
        "created_at": order.created_at,
        "manual_installation": "",
        "qrcode_installation": "",
        "installation_guides": {"en": "https://airalo.sandbox.example/installation-guide"},
    }
    return shown | ({"sims": [sim_document(sim, address) for sim in sims]} if order.type == "sim" else {})


def sim_document(sim: Sim, address: str) -> dict[str, Any]:
    """An eSIM with its code."""
    code = f"LPA:1${address}${sim.matching_id}"
    return {
        "id": sim.id,
        "created_at": sim.created_at,
        "iccid": sim.iccid,
        "lpa": address,
        "imsis": None,
        "matching_id": sim.matching_id,
        "qrcode": code,
        "qrcode_url": f"https://airalo.sandbox.example/qr?expires=1&id={sim.id}",
        "direct_apple_installation_url": f"https://esimsetup.apple.com/esim_qrcode_provisioning?carddata={code}",
        "airalo_code": None,
        "apn_type": "manual",
        "apn_value": "singleall",
        "is_roaming": True,
        "confirmation_code": None,
        "recycled": sim.status == "RECYCLED",
        "recycled_at": None,
    }


def usage_document(sim: Sim) -> dict[str, Any]:
    """The usage of an eSIM, in MB."""
    return {
        "remaining": max(0, sim.total - sim.used),
        "total": sim.total,
        "expired_at": sim.expired_at,
        "is_unlimited": sim.is_unlimited,
        "status": sim.status,
        "remaining_voice": 0,
        "remaining_text": 0,
        "total_voice": 0,
        "total_text": 0,
    }


def expiry(days: int) -> str:
    """So many days from now."""
    return (datetime.now(UTC) + timedelta(days=days)).strftime("%Y-%m-%d %H:%M:%S")
