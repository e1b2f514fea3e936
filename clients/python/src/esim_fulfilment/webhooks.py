"""Verification of webhooks (Standard Webhooks 1.0, with its own library)."""

import json
from collections.abc import Iterable, Mapping

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from esim_fulfilment.errors import InvalidWebhookError
from esim_fulfilment.events import AnyEvent, event_of


def verify_webhook(headers: Mapping[str, str], body: bytes, secrets: str | Iterable[str]) -> AnyEvent:
    """The event of a genuine webhook. Raises InvalidWebhookError.

    `body` is the request's body as it came, unchanged. `secrets` are all secrets of the endpoint that are valid now:
    during a rotation there are two. A webhook older than five minutes is refused, so that nobody can replay it; one
    that is repeated within that time has the same `event.id`.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    candidates = [secrets] if isinstance(secrets, str) else list(secrets)
    if not candidates:
        raise ValueError("at least one secret is needed")
    reason = "no secret matches"
    for secret in candidates:
        webhook = Webhook(secret)
        try:
            webhook.verify(body, lower, json_parse=False)
        except WebhookVerificationError as error:
            reason = str(error)
        except ValueError as error:  # a header or body that is not even text of the right form
            reason = type(error).__name__
        else:
            return _event(lower["webhook-id"], body)
    raise InvalidWebhookError(f"This is no genuine webhook: {reason}.")


def _event(webhook_id: str, body: bytes) -> AnyEvent:
    try:
        return event_of(webhook_id, json.loads(body))
    except (ValueError, TypeError, RecursionError) as error:
        raise InvalidWebhookError(f"The body of webhook {webhook_id} is not an event.") from error
