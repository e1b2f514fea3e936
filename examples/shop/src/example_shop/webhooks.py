"""The endpoint that the service sends webhooks to."""

from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response

from esim_fulfilment import InvalidWebhookError
from example_shop.context import Shop
from example_shop.hearing import hear

router = APIRouter()
#: An event is a few kilobytes.
_LONGEST_BODY = 256 * 1024


@router.post("/webhooks")
async def receive(request: Request) -> Response:
    """204 once the webhook is stored. 400 where it is not genuine; 503 while no secret is there yet."""
    shop: Shop = request.app.state.shop
    secrets = shop.webhook_secrets()
    if not secrets:
        return PlainTextResponse("not registered yet", HTTPStatus.SERVICE_UNAVAILABLE, {"retry-after": "2"})
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LONGEST_BODY:
            return PlainTextResponse("too large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    try:
        hear(shop.store, shop.bell, request.headers, body, secrets)
    except InvalidWebhookError as error:
        return PlainTextResponse(str(error), HTTPStatus.BAD_REQUEST)
    return Response(status_code=HTTPStatus.NO_CONTENT)
