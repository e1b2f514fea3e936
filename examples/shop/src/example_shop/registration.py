"""The shop's own webhook endpoint: registered once, and enabled again where it was disabled while the shop was down."""

import asyncio
import logging

from esim_fulfilment import FulfilmentError
from example_shop.context import WEBHOOK_SECRET, Shop

log = logging.getLogger(__name__)
#: The service may start later than the shop; it is asked again after a second, then less and less often.
_AGAIN_SECONDS, _LONGEST_SECONDS = 1.0, 30.0


async def register(shop: Shop) -> None:
    """Register the endpoint; repeated until the service has answered. With secrets in the settings nothing is done."""
    again = _AGAIN_SECONDS
    while not shop.settings.webhook_secrets:
        try:
            await _ensure(shop)
        except FulfilmentError as error:
            log.warning("The webhook endpoint is not registered yet: %s", error)
            await asyncio.sleep(again)
            again = min(again * 2, _LONGEST_SECONDS)
        else:
            return


async def _ensure(shop: Shop) -> None:
    """One enabled endpoint with this shop's address, whose secret this shop has."""
    url = f"{shop.settings.public_url}/webhooks"
    ours = next((each for each in await shop.client.webhook_endpoints() if each.url == url), None)
    if ours is None:
        created = await shop.client.create_webhook_endpoint(url, description="example shop")
        shop.store.keep_secret(WEBHOOK_SECRET, created.secret)
        return
    if shop.store.secret(WEBHOOK_SECRET) is None:  # the answer with the secret was lost: a new one counts at once
        rotated = await shop.client.rotate_webhook_secret(ours.endpoint_id, older_secrets_valid_hours=0)
        shop.store.keep_secret(WEBHOOK_SECRET, rotated.secret)
    if not ours.enabled:
        await shop.client.change_webhook_endpoint(ours.endpoint_id, enabled=True)
        await shop.client.redeliver_webhooks(endpoint_id=ours.endpoint_id, undelivered_only=True)
