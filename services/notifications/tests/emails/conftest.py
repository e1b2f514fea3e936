"""Sample e-mails: one about an activation code, and one about each kind of event."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from notifications.emails.models.content import Rendered
from notifications.emails.samples import CODE, SAMPLES, code_sample, note_sample
from notifications.storefronts import Storefronts
from shared.contracts import OrderEvent
from shared.shops.files import ShopFiles
from shared.testing.documents import FieldValue
from shared.testing.shops import EXAMPLES
from shared.values.activation_code import ActivationCode

STORES = Storefronts(ShopFiles(EXAMPLES))


@pytest.fixture
def activation_code() -> ActivationCode:
    """The code in `code_email`."""
    return CODE


@pytest.fixture
def code_email() -> Callable[..., Rendered]:
    """Renders an e-mail with an activation code: by storefront, language, and fields of ActivationCodeEmail."""

    def render(slug: str = "esimka", language: str = "en", **fields: object) -> Rendered:
        return code_sample(STORES[slug], language, **fields)

    return render


@pytest.fixture
def events() -> dict[str, OrderEvent]:
    """By kind of e-mail: the event that it is about."""
    return dict(SAMPLES)


@pytest.fixture
def event_email() -> Callable[..., Rendered]:
    """Renders the e-mail of that kind about its event; named fields of the event, and of the shop, are replaced."""

    def render(kind: str, language: str = "en", **changed: FieldValue) -> Rendered:
        store = replace(STORES["qazaq-esim"], **changed.pop("store", {}))
        return note_sample(store, kind, language, **changed)

    return render
