"""The export of PP 6.2: what all five services hold of a buyer, as JSON and as a page that a person can read."""

import asyncio
from collections.abc import Mapping, Sequence
from html import escape
from http import HTTPStatus
from typing import Any
from uuid import UUID

import httpx

from shared.kernel.outbound import OutboundClient, read_json
from shared.kernel.problems import Problem
from shared.telemetry.tracing import Tracing

_SECONDS = 10.0
#: What one service may hold of one buyer.
_MOST_BYTES = 32 * 1024 * 1024
#: Questions to one service at a time.
_AT_ONCE = 4


class Collector:
    """Asks the other services over HTTP: `GET {url}/privacy/buyers/{buyer_id}`."""

    def __init__(self, sources: Mapping[str, str], key: str, tracing: Tracing) -> None:
        self._sources = sources
        self._tracing = tracing
        self._client = OutboundClient(
            seconds=_SECONDS, headers={"Authorization": f"Bearer {key}"}, most_bytes=_MOST_BYTES
        )

    async def collect(self, buyers: Sequence[UUID], trace: str | None) -> dict[str, Any]:
        """What each service holds of these buyers, by kind: an export is whole, or there is none.

        Raises Problem (503) where a service does not answer.
        """
        room = asyncio.Semaphore(_AT_ONCE)

        async def ask(name: str, url: str, buyer_id: UUID) -> dict[str, list[Any]]:
            async with room:
                return await self._ask(name, url, buyer_id, trace)

        held: dict[str, dict[str, Any]] = {}
        for name, url in sorted(self._sources.items()):
            parts = held.setdefault(name, {})
            for answer in await asyncio.gather(*(ask(name, url, buyer_id) for buyer_id in buyers)):
                for kind, rows in answer.items():
                    parts.setdefault(kind, []).extend(rows)
        return held

    async def _ask(self, name: str, url: str, buyer_id: UUID, trace: str | None) -> dict[str, list[Any]]:
        span = self._tracing.start_call(name, "export", trace)
        span.asks("GET", url)
        headers = {"traceparent": span.traceparent} if span.traceparent else {}
        try:
            answer = await self._client.get(f"{url.rstrip('/')}/privacy/buyers/{buyer_id}", headers=headers)
            span.answered(answer.status_code)
            answer.raise_for_status()
            found: dict[str, list[Any]] = read_json(answer)
        except (httpx.HTTPError, ValueError) as error:
            span.end(type(error).__name__)
            raise Problem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "export-incomplete",
                f"{name} did not answer, and an export has to be complete; try again in a minute.",
                headers={"Retry-After": "60"},
            ) from None
        span.end()
        return found

    async def close(self) -> None:
        """Hang up."""
        await self._client.aclose()


def page(held: Mapping[str, Any]) -> str:
    """The export as a plain HTML page; every value is escaped."""
    sections = "".join(f"<h2>{escape(service)}</h2>{_shown(parts)}" for service, parts in held.items())
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Your data</title>'
        '<meta name="viewport" content="width=device-width"><style>body{font:16px/1.5 system-ui;max-width:60rem;'
        "margin:2rem auto;padding:0 1rem}table{border-collapse:collapse;width:100%;margin:.5rem 0 1.5rem}"
        "th,td{border:1px solid #bbb;padding:.3rem .5rem;text-align:left;vertical-align:top;overflow-wrap:anywhere}"
        f"</style></head><body><h1>What we hold about you</h1>{sections}</body></html>"
    )


def _shown(value: Any) -> str:
    match value:
        case dict() if value:
            rows = "".join(
                f'<tr><th scope="row">{escape(str(k))}</th><td>{_shown(v)}</td></tr>' for k, v in value.items()
            )
            return f"<table>{rows}</table>"
        case list() if value:
            return "".join(_shown(one) for one in value)
        case None | [] | {}:
            return "<p>nothing</p>"
    return escape(str(value))
