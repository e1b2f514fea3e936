"""`POST /telegram/{storefront}`: where Telegram delivers updates."""

import hmac
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Body, Header, Request
from pydantic import SecretStr, ValidationError

from refunds.channels.models import Update
from refunds.channels.service import Bot
from refunds.channels.tasks import TelegramMetrics
from shared.database import Database
from shared.kernel.problems import Problem, field_errors
from shared.telemetry.logging import get_logger
from shared.values.opaque import Credential, Named

log = get_logger(__name__)


def telegram_router(
    database: Database, bot: Bot, secrets: Mapping[str, SecretStr], metrics: TelegramMetrics
) -> APIRouter:
    """The webhook of each storefront that has a bot; `secrets` are what `setWebhook` was given as secret_token."""
    routes = APIRouter(tags=["telegram"])

    @routes.post("/telegram/{storefront}")
    async def hear(
        storefront: Named,
        body: Annotated[dict[str, Any], Body()],
        request: Request,
        x_telegram_bot_api_secret_token: Annotated[Credential, Header()] = "",
    ) -> dict[str, bool]:
        """Answered with 200 once it is stored; Telegram sends again until then, and is heard once."""
        _genuine(secrets, storefront, x_telegram_bot_api_secret_token)
        update = _read(body)
        async with database.transaction() as tx:
            outcome = await bot.hear(tx, storefront, update, request.state.trace)
        metrics.updates.labels(storefront, outcome).inc()
        return {"ok": True}

    return routes


def _genuine(secrets: Mapping[str, SecretStr], storefront: str, token: str) -> None:
    """Raises Problem: 404 without a bot, 401 where the secret is not the one given to Telegram."""
    secret = secrets.get(storefront)
    if secret is None:
        raise Problem(HTTPStatus.NOT_FOUND, "no-bot", "This storefront has no Telegram bot.")
    if not hmac.compare_digest(secret.get_secret_value().encode(), token.encode()):
        raise Problem(
            HTTPStatus.UNAUTHORIZED,
            "wrong-secret",
            "X-Telegram-Bot-Api-Secret-Token is not the secret_token that this bot's webhook was set with.",
        )


def _read(body: dict[str, Any]) -> Update:
    """An update; one whose message we cannot read counts as one without. Raises Problem (422) where it has no id."""
    try:
        return Update.model_validate(body)
    except ValidationError as error:
        try:
            numbered = Update.model_validate({"update_id": body.get("update_id")})
        except ValidationError:
            raise Problem(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "invalid-request",
                "Some fields are missing or wrong; see errors.",
                errors=field_errors(error.errors()),
            ) from None
        # Telegram would send it again for a day, and it would be no better.
        log.warning("telegram_update_unreadable", update_id=numbered.update_id)
        return numbered
