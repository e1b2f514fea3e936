"""The services, as each answered when it was last asked."""

from collections.abc import Mapping
from typing import Any

from operations.views import ServiceView
from shared.database import Tx

_ANSWERS = "SELECT * FROM answers WHERE service = ANY(CAST(:names AS text[]))"


async def every(tx: Tx, urls: Mapping[str, str]) -> list[ServiceView]:
    """All that are watched, in the order of the setting; one that was never asked is not ready."""
    found = {row.service: row._asdict() for row in await tx.execute(_ANSWERS, names=sorted(urls))}
    return [
        ServiceView.model_validate({**_UNKNOWN, "service": name, **found.get(name, {}), "url": url})
        for name, url in urls.items()
    ]


_UNKNOWN: Mapping[str, Any] = {
    "asked_at": None,
    "ready": False,
    "not_ready_since": None,
    "checks": {},
    "summary": None,
    "summary_at": None,
    "operators": None,
    "problem": "not asked yet",
}
