"""The wiring: which ledger, which faults and which stand-in belong together."""

import itertools
from pathlib import Path

from sandbox.airalo.api import Airalo
from sandbox.airalo.ledger import AiraloLedger
from sandbox.bank.api import Bank
from sandbox.bank.ledger import BankLedger
from sandbox.bank.webhooks import WebhookSender
from sandbox.cashbox.api import Cashbox
from sandbox.cashbox.ledger import CashboxLedger
from sandbox.faults import FaultBook
from sandbox.front import RequestLog, Route
from sandbox.imap.ledger import ImapLedger
from sandbox.ledger import Journal
from sandbox.mail.bounce import Bouncer
from sandbox.mail.smtp import CatcherHandler
from sandbox.mail.store import MailStore
from sandbox.settings import Settings
from sandbox.smdp.api import PRIMARY, Operator
from sandbox.smdp.ledger import OWN_RANGE, OperatorLedger
from sandbox.sms.api import SmsGateway
from sandbox.sms.ledger import SmsLedger
from sandbox.telegram.api import Telegram
from sandbox.telegram.ledger import TelegramLedger
from sandbox.whatsapp.api import WhatsApp
from sandbox.whatsapp.ledger import WhatsAppLedger


class Stands:
    """All stand-ins of one sandbox. To be made inside a running event loop."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.faults = FaultBook()
        self.requests = RequestLog(settings.request_log_size)
        bank_ledger = BankLedger(_journal(settings, "bank"), unique_tail=settings.bank_unique_tail)
        webhooks = WebhookSender(settings, bank_ledger, self.faults)
        self.bank = Bank(settings, bank_ledger, self.faults, webhooks)
        self._changes = itertools.count(1)
        self.operators = {
            name: self._operator(name, number) for number, name in enumerate([PRIMARY, *settings.operators])
        }
        self.operator = self.operators[PRIMARY]
        resold = AiraloLedger(_journal(settings, "airalo-orders"), _journal(settings, "airalo-sims"))
        self.airalo = Airalo(settings, resold, self.faults)
        books = (_journal(settings, name) for name in ("cashbox", "cashbox-shifts", "cashbox-violations"))
        self.cashbox = Cashbox(settings, CashboxLedger(*books), self.faults)
        self.telegram = Telegram(settings, TelegramLedger(_journal(settings, "telegram")), self.faults)
        self.whatsapp = WhatsApp(settings, WhatsAppLedger(_journal(settings, "whatsapp")), self.faults)
        self.sms = SmsGateway(settings, SmsLedger(_journal(settings, "sms")), self.faults)
        self.imap = ImapLedger(_journal(settings, "imap"))
        self.mails = MailStore(settings.data_dir, settings.mail_memory_bytes)
        self.bouncer = Bouncer(settings)
        self.mail_handler = CatcherHandler(self.mails, self.faults, self.bouncer)

    def _operator(self, name: str, number: int) -> Operator:
        journal = _journal(self.settings, "operator" if name == PRIMARY else f"operator-{name}")
        own_range = str(int(OWN_RANGE) + 10 * number)
        return Operator(name, self.settings, OperatorLedger(journal, own_range, self._changes), self.faults)

    def load(self) -> None:
        """Take up where an earlier run stopped."""
        self.bank.ledger.load()
        for operator in self.operators.values():
            operator.ledger.load()
        self.airalo.ledger.load()
        self.cashbox.ledger.load()
        self.telegram.ledger.load()
        self.whatsapp.ledger.load()
        self.sms.ledger.load()
        self.imap.load()
        self.mails.load()
        self.bank.webhooks.resume()

    def routes(self) -> list[Route]:
        """The paths that go straight to a stand-in."""
        operators = [route for operator in self.operators.values() for route in operator.routes()]
        others = (self.airalo, self.cashbox, self.telegram, self.whatsapp, self.sms)
        return [*self.bank.routes(), *operators, *(route for other in others for route in other.routes())]

    def reset(self) -> None:
        """Empty ledgers, no faults, the behaviour the settings ask for."""
        self.faults.clear()
        self.requests.clear()
        self.bank.reset()
        for operator in self.operators.values():
            operator.reset()
        self.airalo.reset()
        self.cashbox.reset()
        self.telegram.ledger.clear()
        self.whatsapp.reset()
        self.sms.ledger.book.clear()
        self.imap.clear()
        self.mails.clear()

    async def close(self) -> None:
        """Stop what runs in the background and let go of the files."""
        await self.bank.webhooks.close()
        await self.bouncer.close()
        self.bank.ledger.book.close()
        for operator in self.operators.values():
            await operator.phone.close()
            operator.ledger.book.close()
        await self.airalo.webhooks.close()
        self.airalo.ledger.close()
        self.cashbox.ledger.close()
        await self.telegram.close()
        await self.whatsapp.close()
        self.sms.ledger.book.close()
        self.imap.book.close()
        self.mails.close()


def _journal(settings: Settings, name: str) -> Journal:
    directory: Path | None = settings.data_dir
    return Journal(directory / f"{name}.jsonl" if directory else None)
