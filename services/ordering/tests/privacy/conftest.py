"""A buyer of a running shop."""

from typing import TYPE_CHECKING

import pytest
from services.ordering.tests.privacy.buyers import NOTIFICATIONS, PRIVACY_KEY, Buyer

from ordering.app import build
from ordering.settings import Settings
from shared.testing.stage import Stage

if TYPE_CHECKING:
    from services.ordering.tests.conftest import StartShop


@pytest.fixture
async def buyer(stage: Stage, shop_of: "StartShop") -> Buyer:
    settings = {
        "agent_keys": {"support": "agents-key"},
        "notifications_seal_public_key": NOTIFICATIONS.public_key,
        "privacy_key": PRIVACY_KEY.get_secret_value(),
    }
    shop = await shop_of(build, Settings, **settings)
    return Buyer(stage, shop, (await shop.place(key="first")).json())
