"""What may differ between two runs of the sandbox; read from the environment by `Settings.from_environment`."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

PartialRefundStatus = Literal["CHARGE", "REFUND"]
AmountAfterRefund = Literal["original", "remaining"]
_CHOICES = {
    "bank_partial_refund_status": ("CHARGE", "REFUND"),
    "bank_amount_after_refund": ("original", "remaining"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting with the value a person gets who sets nothing."""

    host: str = "127.0.0.1"
    http_port: int = 8090
    smtp_port: int = 8025
    imap_port: int = 0
    """0: any free one, which is printed and shown by /health."""
    data_dir: Path | None = None
    """Ledgers are journalled here and reloaded at start; without it they live in memory only."""

    bank_client_id: str = "sandbox"
    bank_client_secret: str = "sandbox-secret"  # noqa: S105 - a stand-in's own invented secret
    bank_terminals: tuple[str, ...] = ("67e34d63-102f-4bd1-898e-370781d0074d",)
    bank_terminal_name: str = "98120001"
    """check-status answers with this number as `terminal` and with the UUID as `terminalID`."""
    bank_deduplicate_refunds: bool = False
    """Whether a repeated externalID is answered without moving money again ([?] in docs/wire/epay.md)."""
    bank_partial_refund_status: PartialRefundStatus = "CHARGE"
    """The status after a partial refund ([?] in docs/wire/epay.md)."""
    bank_amount_after_refund: AmountAfterRefund = "original"
    """What check-status shows as `amount` after a refund ([?]); payoutAmount and orgAmount tell either way."""
    bank_unique_tail: bool = True
    """The last six digits of an invoiceID must be unique too (docs/wire/epay.md)."""
    webhook_attempts: int = 12
    webhook_first_retry_seconds: float = 0.5
    webhook_longest_retry_seconds: float = 60.0
    webhook_timeout_seconds: float = 10.0

    cashbox_api_key: str = "sandbox-cashbox"
    cashbox_login: str = "sandbox"
    cashbox_password: str = "sandbox-secret"  # noqa: S105 - as above
    cashbox_numbers: tuple[str, ...] = ("SWK00000001", "SWK00000002")
    cashbox_seconds: float = 0.005
    """How long the register is busy with each request, so that callers who do not take turns are seen."""
    cashbox_original_in_duplicate: bool = True
    """Whether error 14 carries the original receipt in Data ([S3] both ways in docs/wire/webkassa.md)."""
    cashbox_flat_registration: bool = False
    """CashboxRegistrationNumber instead of the object Cashbox ([S3] both ways)."""
    cashbox_history_filters: bool = True
    """Whether Check/History heeds ExternalCheckNumber, or always lists every receipt."""

    smdp_address: str = "smdp.sandbox.example"
    profile_types: tuple[str, ...] = ()
    """The profile types the operator sells; empty means any."""
    progress_url: str = ""
    """Where handleDownloadProgressInfo is sent; the whole address, in which `{operator}` stands for its name."""
    operators: tuple[str, ...] = ("secondary",)
    """Further operators, below /operators/{name}, each with books of its own."""
    usage_push_url: str = ""
    """Where the usage is pushed when a phone has used data; as progress_url."""
    usage_push_secret: str = "sandbox-push-secret"  # noqa: S105 - a stand-in's own invented secret
    """What signs it; `{operator}` stands for the operator's name, for each has a secret of its own."""
    allowance_bytes: int = 5 * 1024**3
    """What a profile holds, unless control says otherwise for its type."""
    allowance_days: int = 30

    airalo_client_id: str = "airalo-client"
    airalo_client_secret: str = "airalo-secret"  # noqa: S105 - a stand-in's own invented secret
    airalo_packages: tuple[str, ...] = ()
    """The packages the reseller sells; empty means any."""
    airalo_smdp_address: str = "lpa.airalo.sandbox.example"
    airalo_async_seconds: float = 0.1
    """How long an asynchronous order takes."""
    airalo_webhook_attempts: int = 20
    airalo_usage_cache_seconds: float = 1200.0
    airalo_usage_per_minute: int = 10
    """For each ICCID."""
    airalo_tokens_per_minute: int = 3
    airalo_suspension_calls: int = 1200
    """So many calls within the window and the account is suspended (docs/wire/complaints.md)."""
    airalo_suspension_window_seconds: float = 240.0

    telegram_bots: tuple[str, ...] = ("esimka=1000:sandbox-esimka",)
    """The bots: `<name>=<token>`."""
    telegram_webhook_url: str = ""
    """Where updates go before a bot's owner sets a webhook; `/<name>` is added."""
    telegram_webhook_secret: str = ""

    whatsapp_numbers: tuple[str, ...] = ("qazaq-esim=100200300=sandbox-whatsapp-token",)
    """The businesses' numbers: `<name>=<phone_number_id>=<token>`."""
    whatsapp_app_secret: str = "sandbox-whatsapp-secret"  # noqa: S105 - a stand-in's own invented secret
    whatsapp_verify_token: str = "sandbox-whatsapp-verify"  # noqa: S105 - as above
    whatsapp_templates: tuple[str, ...] = ("request_news=ru",)
    """The approved templates: `<name>=<language>`."""
    whatsapp_webhook_url: str = ""
    """Where webhooks go before a number's owner sets one; `/<name>` is added."""
    whatsapp_window_seconds: float = 86400.0
    """So long after a person's message a business may write anything."""

    sms_key: str = "sandbox-sms-key"
    """What the SMS gateway is shown."""

    imap_password: str = "sandbox-mailbox"  # noqa: S105 - a stand-in's own invented secret
    """What every mailbox is opened with."""

    mail_bounce_url: str = ""
    """Where mails that come back are handed in, the whole address; empty: nowhere."""
    mail_bounce_key: str = "sandbox-bounce-key"
    mail_memory_bytes: int = 256 * 1024 * 1024
    """Without a data directory the bodies of the oldest mails are let go beyond this; the ledger stays."""
    request_log_size: int = 2000

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Read `SANDBOX_*`; an unreadable value is a sentence and an end, not a guess."""
        given = {name: environ[f"SANDBOX_{name.upper()}"] for name in cls.__slots__ if _given(environ, name)}
        values: dict[str, object] = {}
        for name, text in given.items():
            default = cls.__dataclass_fields__[name].default
            try:
                values[name] = _read(name, text, default)
            except ValueError as error:
                raise SystemExit(f"SANDBOX_{name.upper()}: {error}") from error
        return cls(**values)  # type: ignore[arg-type] # _read gives each name its own type


def _given(environ: Mapping[str, str], name: str) -> bool:
    return bool(environ.get(f"SANDBOX_{name.upper()}"))


def _read(name: str, text: str, default: object) -> object:
    if name == "data_dir":
        return Path(text)
    if isinstance(default, bool):
        if text.lower() not in {"true", "false", "1", "0"}:
            raise ValueError(f"{text!r} is neither true nor false")
        return text.lower() in {"true", "1"}
    if isinstance(default, int | float):
        return type(default)(text)
    if isinstance(default, tuple):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if text not in _CHOICES.get(name, (text,)):
        raise ValueError(f"{text!r} is not one of {', '.join(_CHOICES[name])}")
    return text
