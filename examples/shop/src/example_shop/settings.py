"""Settings, read from environment variables."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from esim_fulfilment import Addresses


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that differs between two installations."""

    #: The API key of the shop, which also says which of the sellers this is.
    key: str
    addresses: Addresses
    #: The address of this shop as its buyers and the webhooks reach it.
    public_url: str
    #: The script of the bank's payment page.
    bank_script: str
    database: Path
    host: str
    port: int
    #: Secrets of a webhook endpoint that a person has registered; without one the shop registers its own.
    webhook_secrets: tuple[str, ...]
    #: The sandbox's mailbox and the traces, shown on the page for developers; empty in production.
    mailbox_url: str
    traces_url: str

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Raises KeyError for a variable that is missing and has no default."""
        host, port = environ.get("SHOP_HOST", "127.0.0.1"), int(environ.get("SHOP_PORT", "8000"))
        return cls(
            key=environ["ESIM_API_KEY"],
            addresses=Addresses.from_environment(environ),
            public_url=environ.get("SHOP_URL", f"http://{host}:{port}").rstrip("/"),
            bank_script=environ["BANK_SCRIPT_URL"],
            database=Path(environ.get("SHOP_DATABASE", "shop.sqlite")),
            host=host,
            port=port,
            webhook_secrets=tuple(filter(None, environ.get("WEBHOOK_SECRETS", "").split(","))),
            mailbox_url=environ.get("MAILBOX_URL", ""),
            traces_url=environ.get("TRACES_URL", ""),
        )
