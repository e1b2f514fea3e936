"""The example shop, declared: `make up` starts it beside the product, and names it first."""

from local_stack.ports import LOOPBACK
from local_stack.product import Component, Environment
from local_stack.site import Site
from local_stack.zipkin import PAGE_PORT, WITH_TRACES

#: The seller whose terms return the money for an eSIM that is not installed (RC 1): so a newcomer sees a whole circle.
STOREFRONT = "e-sim-onl"


def shop_environment(site: Site, storefront: str) -> Environment:
    """What a shop's own program needs: its key and the addresses. Raises KeyError for an unknown storefront."""
    services = ("ordering", "payments", "notifications", "refunds")
    return {
        "ESIM_API_KEY": site.storefront_keys[storefront],
        **{f"{name.upper()}_URL": site.url(name) for name in services},
        "SANDBOX_URL": site.url("sandbox"),
    }


def _environment(site: Site) -> Environment:
    return {
        **shop_environment(site, STOREFRONT),
        "SHOP_HOST": LOOPBACK,
        "SHOP_PORT": str(site.ports["shop"]),
        "SHOP_URL": site.url("shop"),
        "SHOP_DATABASE": str(site.directory / "shop" / "shop.sqlite"),
        "BANK_SCRIPT_URL": f"{site.url('sandbox')}/epay/payform/payment-api.js",
        "MAILBOX_URL": f"{site.url('sandbox')}/mail",
        "TRACES_URL": site.url(PAGE_PORT) if PAGE_PORT in site.ports else "",
    }


SHOP = Component(
    name="shop",
    command=("-m", "example_shop"),
    preferred_port=8000,
    ready_path="/health",
    environment=_environment,
    pages=(("buy an eSIM by clicking", "/"), ("its webhooks", "/developers")),
)

WITH_SHOP = (SHOP, *WITH_TRACES)
"""What `make up` starts."""
