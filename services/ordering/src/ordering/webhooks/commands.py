"""`python -m ordering webhooks`: endpoints and deliveries, for operations people."""

import asyncio
import json
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, TypeAdapter

from ordering.webhooks import store
from ordering.webhooks.actions import redeliver
from ordering.webhooks.models import Redelivery
from ordering.webhooks.views import DeliveryView, EndpointView
from shared.contracts.base import Slug
from shared.database import Database
from shared.values.moment import Moment

_MOMENT: TypeAdapter[datetime] = TypeAdapter(Moment)
_SHOP: TypeAdapter[str] = TypeAdapter(Slug)
_LIMIT: TypeAdapter[int] = TypeAdapter(Annotated[int, Field(ge=1, le=1000)])


def parser() -> ArgumentParser:
    """The commands and their arguments."""
    result = ArgumentParser(prog="python -m ordering webhooks", description="Webhook endpoints and deliveries.")
    actions = result.add_subparsers(dest="action", required=True)
    endpoints = actions.add_parser("endpoints", help="list webhook endpoints, without secrets, as JSON lines")
    endpoints.add_argument("--shop", type=_shop, help="of this shop only")
    deliveries = actions.add_parser("deliveries", help="the newest deliveries of an endpoint, as JSON lines")
    deliveries.add_argument("endpoint", type=UUID)
    deliveries.add_argument("--state", choices=["waiting", "delivered", "failed", "stopped"])
    deliveries.add_argument("--limit", type=_limit, default=50, help="1 to 1000")
    again = actions.add_parser("redeliver", help="send updates of a shop again, under the same ids")
    again.add_argument("shop", type=_shop)
    again.add_argument("--endpoint", type=UUID, help="to this endpoint only")
    again.add_argument("--update", type=UUID, help="this update only")
    again.add_argument("--since", type=_moment, help="written at or after 2026-11-21T09:30:00Z")
    again.add_argument("--until", type=_moment, help="written before that time")
    again.add_argument("--undelivered", action="store_true", help="only what no attempt has delivered")
    return result


def run(arguments: Sequence[str], database: Database) -> int:
    """Run a command; the exit code."""
    asyncio.run(_run(parser().parse_args(arguments), database))
    return 0


async def _run(args: Namespace, database: Database) -> None:
    try:
        await _ACTIONS[args.action](database, args)
    finally:
        await database.close()


async def _endpoints(database: Database, args: Namespace) -> None:
    async with database.reading() as tx:
        for endpoint in await store.list_endpoints(tx, args.shop):
            _show({"storefront": endpoint.storefront, **EndpointView.of(endpoint).model_dump(mode="json")})


async def _deliveries(database: Database, args: Namespace) -> None:
    async with database.reading() as tx:
        for row in await store.delivery_log(tx, args.endpoint, state=args.state, before=None, most=args.limit):
            _show(DeliveryView(**row).model_dump(mode="json"))


async def _redeliver(database: Database, args: Namespace) -> None:
    # The tasks of the endpoints are created by the running service, which looks for due deliveries every second.
    chosen = Redelivery(args.endpoint, args.update, args.since, args.until, undelivered=args.undelivered)
    made, after = 0, None
    while True:
        answer = await redeliver(database, args.shop, chosen, after)
        made, after = made + answer.deliveries, answer.continue_after
        if after is None:
            break
    _show({"deliveries": made})


def _moment(text: str) -> datetime:
    return _MOMENT.validate_python(text)  # pydantic's error is a ValueError, which argparse expects


def _shop(text: str) -> str:
    return _SHOP.validate_python(text)


def _limit(text: str) -> int:
    return _LIMIT.validate_python(text)


def _show(line: Any) -> None:
    print(json.dumps(line))  # noqa: T201 - the output of a command


_ACTIONS = {"endpoints": _endpoints, "deliveries": _deliveries, "redeliver": _redeliver}
