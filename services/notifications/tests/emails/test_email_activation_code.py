"""The e-mail with an activation code."""

from collections.abc import Callable

import pytest

from notifications.emails.models.content import Rendered
from notifications.storefronts import Storefronts
from shared.shops.files import ShopFiles
from shared.testing.shops import EXAMPLES
from shared.values.activation_code import ActivationCode

STORES = Storefronts(ShopFiles(EXAMPLES))
CodeEmail = Callable[..., Rendered]


@pytest.mark.parametrize("language", ["en", "ru", "kk", "ka"])
def test_an_activation_code_comes_with_everything_that_its_buyer_needs(
    code_email: CodeEmail, activation_code: ActivationCode, language: str
) -> None:
    rendered = code_email(language=language, confirmation_code="4471")
    until = {
        "en": "19\u00a0May 2027",
        "ru": "19\u00a0мая 2027\u00a0г.",
        "kk": "2027\u00a0ж. 19\u00a0мамыр",
        "ka": "19\u00a0მაისი, 2027",
    }[language]
    for content in (rendered.text, rendered.html):
        for wanted in (
            "smdp.example",
            activation_code.matching_id,
            activation_code.text,
            "4471",
            "8999702000000000018",
            "fast.t-m",
            "10000001",
            "support@esimka.example",
            "FR, DE",
            until,
            activation_code.apple_link,
            activation_code.android_link,
        ):
            assert wanted in content
    roaming = {"en": "data roaming", "ru": "в роуминге", "kk": "роумингте", "ka": "როუმინგი"}[language]
    assert roaming in rendered.text
    assert roaming in rendered.html
    [picture] = rendered.pictures
    assert f'src="cid:{picture.cid}"' in rendered.html
    assert "10000001" in rendered.subject


def test_without_a_confirmation_code_none_is_mentioned(code_email: CodeEmail) -> None:
    rendered = code_email()
    assert "Confirmation code" not in rendered.text + rendered.html


def test_a_language_that_we_do_not_write_is_written_in_english(code_email: CodeEmail) -> None:
    assert code_email(language="xx") == code_email(language="en")


def test_receipt_and_account_are_linked_where_they_are_known(code_email: CodeEmail) -> None:
    assert "receipt" not in code_email().text
    rendered = code_email(apn=None, receipt_url="https://ofd.example/t/1", account="https://shop.example/account/x")
    for content in (rendered.text, rendered.html):
        assert "https://ofd.example/t/1" in content
        assert "https://shop.example/account/x" in content


@pytest.mark.parametrize("slug", STORES)
def test_each_storefront_writes_in_its_own_name(code_email: CodeEmail, slug: str) -> None:
    rendered = code_email(slug)
    assert STORES[slug].name in rendered.text
    assert STORES[slug].support in rendered.html


def test_names_cannot_bring_markup(code_email: CodeEmail) -> None:
    rendered = code_email(name="<img src=x> & {letter} {0} {{ 7*7 }}")
    assert "<img src=x>" not in rendered.html
    assert "&lt;img src=x&gt; &amp; {letter} {0} {{ 7*7 }}" in rendered.html
    assert "<img src=x> & {letter} {0} {{ 7*7 }}" in rendered.text
