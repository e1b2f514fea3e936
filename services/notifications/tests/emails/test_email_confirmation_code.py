"""The code that confirms a buyer's request, by e-mail and by SMS."""

from collections.abc import Callable
from typing import get_args
from zoneinfo import ZoneInfo

import pytest

from notifications.emails.models.content import Rendered
from notifications.emails.models.events import OpenedConfirmation
from notifications.emails.rules.notes import sms_text
from notifications.emails.rules.texts import LocaleFormat, texts
from shared.contracts import Language, OrderEvent
from shared.contracts.ordering import Purpose


def test_a_code_says_what_it_is_for_until_when_and_not_to_share_it(
    event_email: Callable[..., Rendered],
) -> None:
    for rendered in (event_email("code"), event_email("code", "ru")):
        assert "048151" in rendered.text
        assert "048151" in rendered.html
        assert "048151" not in rendered.subject
    text = event_email("code").text
    for wanted in ("your data are to be deleted", "Tell it to nobody", "20\u00a0November 2026, 17:15"):
        assert wanted in text


@pytest.mark.parametrize("language", get_args(Language))
@pytest.mark.parametrize("purpose", get_args(Purpose))
def test_a_code_by_sms_says_the_same_in_short(
    events: dict[str, OrderEvent], purpose: Purpose, language: Language
) -> None:
    fact = events["code"].model_copy(update={"purpose": purpose})
    assert isinstance(fact, OpenedConfirmation)
    text = sms_text(fact, "Qazaq eSIM", LocaleFormat(language, ZoneInfo("Asia/Almaty")))
    for wanted in ("048151", "Qazaq eSIM", "10000001", "17:15", texts(language)["code"][f"what_{purpose}"]):
        assert wanted in text
    assert "{" not in text
    assert len(text) <= 268  # four parts in the alphabets that are not Latin
