"""SQL: the last answer of each watched service."""

from collections.abc import Mapping
from typing import Any

from operations.services.models import ServiceView
from shared.database import Tx

_ANSWERS = "SELECT * FROM answers WHERE service = ANY(CAST(:names AS text[]))"


async def last_answers(tx: Tx, urls: Mapping[str, str]) -> list[ServiceView]:
    """All watched services in the order of the setting; one without an answer yet is not ready."""
    answers = {row.service: row._asdict() for row in await tx.execute(_ANSWERS, names=sorted(urls))}
    return [
        ServiceView.model_validate({**_UNKNOWN, "service": name, **answers.get(name, {}), "url": url})
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
    "problem": "not polled yet",
}
