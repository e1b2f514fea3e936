"""The bot, put together: nothing of it runs where no storefront has one."""

import base64
from datetime import timedelta
from functools import partial

from refunds.cases import CaseService
from refunds.cases.rules.fingerprints import Fingerprints
from refunds.channels.answers import Answers
from refunds.channels.routes import telegram_router
from refunds.channels.service import Bot
from refunds.channels.store import Chats, clean
from refunds.channels.tasks import SendMessage, TelegramMetrics
from refunds.settings import Settings
from shared.kernel.service import Service


def add_telegram(service: Service, settings: Settings, case_service: CaseService, fingerprints: Fingerprints) -> None:
    """Webhooks, answers, sending and forgetting, for every storefront that has a bot."""
    secret = base64.b64decode(settings.seal_private_key.get_secret_value())
    chats = Chats(service.opener, secret, timedelta(days=settings.telegram_keep_days))
    service.runs(partial(clean, service.database))
    if not settings.telegram_bots:
        return
    metrics = TelegramMetrics(service.metrics.registry)
    tokens = {storefront: bot.token for storefront, bot in settings.telegram_bots.items()}
    sending = SendMessage(chats, tokens, settings.telegram_api_url, service.tracing, metrics)
    service.performs(sending)
    service.closes(sending.close)
    # Before the board, which writes the due work of a transaction.
    service.database.participants.insert(0, Answers(chats))
    bot = Bot(case_service, chats, fingerprints)
    secrets = {storefront: known.secret for storefront, known in settings.telegram_bots.items()}
    service.serves(telegram_router(service.database, bot, secrets, metrics))
