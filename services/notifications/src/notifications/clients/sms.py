"""An SMS gateway over HTTP: POST `{"to", "from", "text", "id"}` with `Authorization: Bearer <key>`.

| the gateway | means |
|---|---|
| 2xx | accepted, now or under this id before |
| 409 | this id was accepted before, for a number or text that has changed since |
| 400, 404, 422 | this number cannot be reached |
| 401, 403, 429, 503; no connection | not now: nothing was taken |
| anything else, no answer | unknown: asked again under the same id, which the gateway takes once |
"""

from http import HTTPStatus

import httpx
from pydantic import SecretStr

from notifications.clients.mail import Accepted, Answer, NotNow, Refused, Uncertain
from notifications.clients.texting import TextMessage
from shared.kernel.outbound import OutboundClient

_NOT_NOW = {401, 403, 429, 503}
_REFUSED = {400, 404, 422}
_NOTHING_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class SmsGateway:
    """A gateway at `url`. `timeout_seconds`: for connecting, and for each silence (see OutboundClient)."""

    def __init__(self, url: str, key: SecretStr, *, timeout_seconds: float) -> None:
        self._url = url
        self._client = OutboundClient(
            seconds=timeout_seconds, headers={"Authorization": f"Bearer {key.get_secret_value()}"}
        )

    async def send(self, message: TextMessage, trace: str | None) -> Answer:
        """Try once."""
        body = {"to": message.to, "from": message.sender, "text": message.text, "id": str(message.id)}
        headers = {"traceparent": trace} if trace else {}
        try:
            answer = await self._client.post(self._url, json=body, headers=headers)
        except _NOTHING_SENT as error:
            return NotNow(f"the SMS gateway: {type(error).__name__}")
        except httpx.HTTPError as error:
            return Uncertain(f"no answer of the SMS gateway: {type(error).__name__}")
        status = answer.status_code
        if answer.is_success or status == HTTPStatus.CONFLICT:
            return Accepted()
        if status in _REFUSED:
            return Refused(status)
        if status in _NOT_NOW:
            return NotNow(f"the SMS gateway: {status}")
        return Uncertain(f"the SMS gateway: {status}")

    async def close(self) -> None:
        """Hang up."""
        await self._client.aclose()
