"""The product's own processes, declared: what to run, where it listens, its settings."""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from local_stack import operators
from local_stack.access import owner_of
from local_stack.paths import shop_names, shops_dir
from local_stack.ports import LOOPBACK
from local_stack.site import Site

#: By name, as the folder of the shops has them.
STOREFRONTS = shop_names(shops_dir())
AGENTS = ("support",)
EPAY_TERMINAL = "67e34d63-102f-4bd1-898e-370781d0074d"
PROVISIONING_DEADLINE_SECONDS = 60
MAIL_DOMAIN = "esim.example"
#: Between two evaluations of the invariants: whoever looks at a stack of their own does not want to wait for them.
EVALUATION_SECONDS = 5
#: The sandbox's register, for the one seller in Kazakhstan.
CASH_REGISTERS = {"qazaq-esim": {"cashbox": "SWK00000001", "login": "sandbox", "password": "sandbox-secret"}}
#: The seller who has a Telegram bot; token and secret are the sandbox's own.
TELEGRAM_SHOP, TELEGRAM_TOKEN, TELEGRAM_SECRET = "esimka", "1000:sandbox-esimka", "sandbox-telegram"
#: The seller who has a WhatsApp number, as the sandbox plays it.
WHATSAPP_SHOP = "qazaq-esim"
WHATSAPP_NUMBER = {
    "phone_number_id": "100200300",
    "token": "sandbox-whatsapp-token",
    "app_secret": "sandbox-whatsapp-secret",
    "verify_token": "sandbox-whatsapp-verify",
    "template": "request_news",
    "template_languages": ["ru"],
}

Environment = Mapping[str, str]


@dataclass(frozen=True)
class Component:
    """One process that serves HTTP."""

    name: str
    command: tuple[str, ...]
    """Arguments for our own Python interpreter."""
    preferred_port: int | None
    ready_path: str
    environment: Callable[[Site], Environment]
    migrate: tuple[str, ...] | None = None
    """Run to its end before the process is started with the stack; None for a component without a database."""
    migrate_environment: Callable[[Site], Environment] = lambda _site: {}
    """Settings of `migrate` that differ from those of the process itself."""
    start_seconds: float = 120.0
    other_ports: tuple[tuple[str, int], ...] = ()
    """Further ports it listens on, as (name, preferred)."""
    pages: tuple[tuple[str, str], ...] = ()
    """What a person may open, as (title, path)."""
    settings_of: Callable[[Site], Mapping[str, Environment]] = lambda _site: {}
    """Settings that the other components get because this one runs, by component (`"*"`: all)."""

    @property
    def has_database(self) -> bool:
        """Whether it has a database of its own, called like itself."""
        return self.migrate is not None


def _service(name: str, port: int, extra: Callable[[Site], Environment]) -> Component:
    return Component(
        name=name,
        command=("-m", name, "serve"),
        migrate=("-m", name, "migrate"),
        preferred_port=port,
        ready_path="/health/ready",
        environment=lambda site: {**_common(name, site), **extra(site)},
        migrate_environment=lambda site: _owner(name, site),
        pages=(("API", "/docs"), ("events", "/asyncapi"), ("health", "/health/ready")),
    )


def _common(name: str, site: Site) -> Environment:
    return {
        "DATABASE_URL": site.databases[name],
        "KAFKA_BOOTSTRAP_SERVERS": site.bootstrap_servers,
        **_kafka_user(name, site),
        "SHOPS_DIR": str(site.shops),
        "TOPIC_PREFIX": "",
        "HTTP_HOST": LOOPBACK,
        "HTTP_PORT": str(site.ports[name]),
        "SEAL_PRIVATE_KEY": site.seal_keys[name],
        "PRIVACY_KEY": _privacy_key(site),
        "OPERATIONS_KEYS": json.dumps(site.operations_keys),
        "SANDBOX": "true",
        "TRACE_FILE": str(site.directory / "traces" / f"{name}.jsonl"),
        "LOG_LEVEL": "INFO",
    }


def _owner(name: str, site: Site) -> Environment:
    """The schema's owner and the topics': what the service itself may not do."""
    return {"DATABASE_URL": site.owner_databases[name], **_kafka_user(owner_of(name), site)}


def _kafka_user(user: str, site: Site) -> Environment:
    if user not in site.kafka_passwords:
        return {}
    return {"KAFKA_USERNAME": user, "KAFKA_PASSWORD": site.kafka_passwords[user]}


def _ordering(site: Site) -> Environment:
    others = ("payments", "provisioning", "notifications", "refunds")
    return {
        **_agents(site),
        "STOREFRONT_KEYS": json.dumps(site.storefront_keys),
        "NOTIFICATIONS_SEAL_PUBLIC_KEY": site.seal_public_key("notifications"),
        "ACCOUNT_URL": site.url("notifications"),
        "UPDATES_TOPICS": json.dumps(list(STOREFRONTS)),
        "PRIVACY_SOURCES": json.dumps({name: site.url(name) for name in others}),
        # The shops of a local stack are on this machine.
        "WEBHOOK_PRIVATE_NETWORKS": json.dumps(["127.0.0.0/8", "::1/128"]),
    }


def _agents(site: Site) -> Environment:
    return {"AGENT_KEYS": json.dumps(site.agent_keys)}


def _payments(site: Site) -> Environment:
    return {
        **_agents(site),
        "STOREFRONT_KEYS": json.dumps(site.storefront_keys),
        "EPAY_OAUTH_URL": f"{site.url('sandbox')}/epay/oauth2/token",
        "EPAY_API_URL": f"{site.url('sandbox')}/epay/api",
        "EPAY_CLIENT_ID": "sandbox",
        "EPAY_CLIENT_SECRET": "sandbox-secret",
        "EPAY_TERMINAL": EPAY_TERMINAL,
        "CASH_REGISTERS": json.dumps(CASH_REGISTERS),
        "WEBKASSA_URL": f"{site.url('sandbox')}/webkassa",
        "WEBKASSA_API_KEY": "sandbox-cashbox",
        "PUBLIC_URL": site.url("payments"),
    }


def _provisioning(site: Site) -> Environment:
    return {
        **_agents(site),
        **operators.of_provisioning(site),
        "PROVISIONING_DEADLINE_SECONDS": str(PROVISIONING_DEADLINE_SECONDS),
        "NOTIFICATIONS_SEAL_PUBLIC_KEY": site.seal_public_key("notifications"),
    }


def _notifications(site: Site) -> Environment:
    return {
        **_agents(site),
        "SMTP_HOST": LOOPBACK,
        "SMTP_PORT": str(site.ports["smtp"]),
        "MAIL_DOMAIN": MAIL_DOMAIN,
        "PUBLIC_URL": site.url("notifications"),
        "LINK_KEY": base64.b64encode(_secret(site, "links")).decode(),
        "BOUNCE_KEY": _secret(site, "bounces").hex(),
        "REPLY_KEY": base64.b64encode(_secret(site, "replies")).decode(),
        "REFUNDS_URL": site.url("refunds"),
        "REFUNDS_KEYS": json.dumps(site.storefront_keys),
        "ORDERING_URL": site.url("ordering"),
        "ORDERING_KEYS": json.dumps(site.storefront_keys),
        "SMS_URL": f"{site.url('sandbox')}/sms/messages",
        "SMS_KEY": _secret(site, "sms").hex(),
        "STOREFRONT_KEYS": json.dumps(site.storefront_keys),
    }


def _refunds(site: Site) -> Environment:
    others = ("ordering", "payments", "provisioning", "notifications")
    return {
        **_agents(site),
        "STOREFRONT_KEYS": json.dumps(site.storefront_keys),
        "TELEGRAM_BOTS": json.dumps({TELEGRAM_SHOP: {"token": TELEGRAM_TOKEN, "secret": TELEGRAM_SECRET}}),
        "TELEGRAM_API_URL": f"{site.url('sandbox')}/telegram",
        "WHATSAPP_NUMBERS": json.dumps({WHATSAPP_SHOP: WHATSAPP_NUMBER}),
        "WHATSAPP_API_URL": f"{site.url('sandbox')}/whatsapp/v23.0",
        "PUBLIC_URL": site.url("refunds"),
        "REPLY_KEY": base64.b64encode(_secret(site, "replies")).decode(),
        "NOTIFICATIONS_SEAL_PUBLIC_KEY": site.seal_public_key("notifications"),
        "SERVICES": json.dumps({name: site.url(name) for name in others}),
        "SERVICES_KEY": site.agent_keys[AGENTS[0]],
        "SUPPORT_MAIL_KEYS": json.dumps(support_mail_keys(site)),
    }


def _operations(site: Site) -> Environment:
    others = ("ordering", "payments", "provisioning", "notifications", "refunds")
    return {
        "SERVICES": json.dumps({name: site.url(name) for name in others}),
        "OPERATIONS_KEY": site.operations_keys["operations"],
        "AGENT_KEY": site.agent_keys[AGENTS[0]],
        "SEARCH_KEY": hashlib.sha256(f"search {site.seal_keys['operations']}".encode()).hexdigest(),
        "PUBLIC_URL": site.url("operations"),
        "EVALUATION_SECONDS": str(EVALUATION_SECONDS),
    }


def _secret(site: Site, purpose: str) -> bytes:
    """32 bytes that stay the same for this site, and that only notifications and who works with it know."""
    return hashlib.sha256(f"{purpose} {site.seal_keys['notifications']}".encode()).digest()


def support_mail_keys(site: Site) -> dict[str, str]:
    """By storefront: what hands in the shop's mails."""
    seal_key = site.seal_keys["refunds"]
    return {name: hashlib.sha256(f"mail {name} {seal_key}".encode()).hexdigest() for name in STOREFRONTS}


def _privacy_key(site: Site) -> str:
    """What ordering shows when it exports what the others hold of a buyer."""
    return hashlib.sha256(f"privacy {site.seal_keys['ordering']}".encode()).hexdigest()


def _sandbox(site: Site) -> Environment:
    return {
        "SANDBOX_HOST": LOOPBACK,
        "SANDBOX_HTTP_PORT": str(site.ports["sandbox"]),
        "SANDBOX_SMTP_PORT": str(site.ports["smtp"]),
        "SANDBOX_DATA_DIR": str(site.directory / "sandbox"),
        "SANDBOX_BANK_TERMINALS": EPAY_TERMINAL,
        "SANDBOX_TELEGRAM_BOTS": f"{TELEGRAM_SHOP}={TELEGRAM_TOKEN}",
        "SANDBOX_TELEGRAM_WEBHOOK_URL": f"{site.url('refunds')}/telegram",
        "SANDBOX_TELEGRAM_WEBHOOK_SECRET": TELEGRAM_SECRET,
        "SANDBOX_WHATSAPP_WEBHOOK_URL": f"{site.url('refunds')}/whatsapp",
        "SANDBOX_SMS_KEY": _secret(site, "sms").hex(),
        "SANDBOX_MAIL_BOUNCE_URL": f"{site.url('notifications')}/bounces",
        "SANDBOX_MAIL_BOUNCE_KEY": _secret(site, "bounces").hex(),
        **operators.of_sandbox(site),
    }


SANDBOX = Component(
    name="sandbox",
    command=("-m", "sandbox", "serve"),
    preferred_port=8090,
    ready_path="/health",
    environment=_sandbox,
    other_ports=(("smtp", 8025),),
    pages=(("mail", "/mail"), ("SMS", "/sms"), ("control", "/docs")),
)

SERVICES = (
    _service("ordering", 8001, _ordering),
    _service("payments", 8002, _payments),
    _service("provisioning", 8003, _provisioning),
    _service("notifications", 8004, _notifications),
    _service("refunds", 8005, _refunds),
)

OPERATIONS = replace(
    _service("operations", 8006, _operations),
    pages=(
        ("what happens in the shops", "/console"),
        ("API", "/docs"),
        ("events", "/asyncapi"),
        ("health", "/health/ready"),
    ),
)
"""Watches the services and is none of them."""

PRODUCT = (SANDBOX, *SERVICES, OPERATIONS)
"""In the order of starting; stopped in the reverse order."""
