"""A sandbox deployment, which accepts keys for tests, is never connected to the bank's production."""

from collections.abc import Callable

import pytest
from pydantic import ValidationError

from payments.settings import Settings
from shared.testing.documents import JsonObject

GIVEN: JsonObject = {
    "database_url": "postgresql+psycopg://nobody@localhost/nowhere",
    "kafka_bootstrap_servers": "localhost:1",
    "epay_oauth_url": "https://test-epay-oauth.epayment.kz/oauth2/token",
    "epay_api_url": "https://test-epay-api.epayment.kz",
    "epay_client_id": "shop",
    "epay_client_secret": "secret",
    "epay_terminal": "67e34d63-102f-4bd1-898e-370781d0074d",
    "public_url": "http://localhost:8002",
    "storefront_keys": {},
}
REAL = {"epay_oauth_url": "https://epay-oauth.homebank.kz/oauth2/token", "epay_api_url": "https://epay-api.homebank.kz"}


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("spelled", [str, lambda url: url.replace("homebank.kz", "HomeBank.KZ.")])
def test_production_of_the_bank_and_keys_for_tests_exclude_each_other(name: str, spelled: Callable[[str], str]) -> None:
    with pytest.raises(ValidationError, match=f"SANDBOX: {name.upper()}"):
        Settings(**GIVEN | {name: spelled(REAL[name]), "sandbox": True})
    assert not Settings(**GIVEN | REAL).sandbox


def test_the_banks_test_contour_and_our_sandbox_are_allowed() -> None:
    assert Settings(**GIVEN, sandbox=True).sandbox
    assert Settings(**GIVEN | {"epay_api_url": "http://nothomebank.kz"}, sandbox=True).sandbox


def test_production_refuses_the_setting() -> None:
    with pytest.raises(ValidationError, match="SANDBOX=True is for tests"):
        Settings(**GIVEN, sandbox=True, environment="production")
