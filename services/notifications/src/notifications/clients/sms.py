"""An SMS gateway over HTTP: POST `{"to", "from", "text", "id"}` with `Authorization: Bearer <key>`.

| the gateway answers | outcome |
|---|---|
| 2xx | `Done`: accepted now, or earlier under the same id |
| 409 | `Done`: accepted earlier under this id, for a number or text that has changed since |
| 400, 404, 422 | `Refused`: it cannot reach this number |
| 401, 403, 429, 503; no connection | `NotSent` |
| anything else, no answer | `Unknown`: repeated under the same id, which the gateway accepts once |
"""

from dataclasses import dataclass, field
from http import HTTPStatus
from uuid import UUID

import httpx
from pydantic import SecretStr

from shared.ids import uuid_for
from shared.kernel.outbound import NEVER_SENT, OutboundClient
from shared.outcomes import Done, NotSent, Refused, Unknown

_NOT_SENT = {401, 403, 429, 503}
_REFUSED = {400, 404, 422}


@dataclass(frozen=True, slots=True)
class TextMessage:
    """`to` is in E.164. `id` is the same in every repetition of a message: the gateway sends each id once."""

    id: UUID
    to: str = field(repr=False)
    sender: str
    text: str = field(repr=False)


def message_id(confirmation_id: UUID) -> UUID:
    """The id of the message with a confirmation's code.

    It differs from the confirmation's id, because the gateway sees the code and must not be able to confirm with it.
    """
    return uuid_for("sms", str(confirmation_id))


class SmsGateway:
    """The gateway at `url`. `timeout_seconds` limits connecting and each silence (see OutboundClient)."""

    def __init__(self, url: str, key: SecretStr, *, timeout_seconds: float) -> None:
        self._url = url
        self._client = OutboundClient(
            seconds=timeout_seconds, headers={"Authorization": f"Bearer {key.get_secret_value()}"}
        )

    async def send(self, message: TextMessage, trace: str | None) -> Done[None] | Refused | NotSent | Unknown:
        """Try once; repeating it under the same id is safe. `trace` is the traceparent that the call continues."""
        body = {"to": message.to, "from": message.sender, "text": message.text, "id": str(message.id)}
        headers = {"traceparent": trace} if trace else {}
        try:
            response = await self._client.post(self._url, json=body, headers=headers)
        except NEVER_SENT as error:
            return NotSent(f"no connection to the SMS gateway: {type(error).__name__}")
        except httpx.HTTPError as error:
            return Unknown(f"no answer of the SMS gateway: {type(error).__name__}")
        status = response.status_code
        if response.is_success or status == HTTPStatus.CONFLICT:
            return Done(None)
        if status in _REFUSED:
            return Refused(str(status), "the SMS gateway cannot reach this number")
        if status in _NOT_SENT:
            return NotSent(f"the SMS gateway answered {status}")
        return Unknown(f"the SMS gateway answered {status}")

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
