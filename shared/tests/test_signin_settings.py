"""How people get in, as settings say."""

import pytest
from pydantic import ValidationError

from shared.signin.settings import SignInSettings
from shared.testing.documents import FieldValue

ROLES = {"the-bosses": "operator", "everybody": "viewer"}


def _settings(**given: FieldValue) -> SignInSettings:
    return SignInSettings(database_url="x", kafka_bootstrap_servers="x", **given)


def test_without_a_provider_people_have_accounts_here() -> None:
    access = _settings(public_url="https://here.example", session_hours=3).access(ROLES)
    assert (access.public_url, access.session_hours, access.provider) == ("https://here.example", 3, None)


def test_the_provider_and_its_roles_in_their_order() -> None:
    provider = (
        _settings(
            public_url="https://here.example",
            oidc_issuer="https://people.example",
            oidc_client_id="here",
            oidc_client_secret="hidden",
            oidc_role_claim="groups",
        )
        .access(ROLES)
        .provider
    )
    assert provider is not None
    assert (provider.issuer, provider.client_id, provider.role_claim) == ("https://people.example", "here", "groups")
    assert provider.client_secret.get_secret_value() == "hidden"
    assert list(provider.roles.items()) == list(ROLES.items())  # the first that somebody has counts


@pytest.mark.parametrize(("missing", "setting"), [("oidc_client_id", "OIDC_CLIENT_ID"), ("public_url", "PUBLIC_URL")])
def test_half_a_provider_is_refused(missing: str, setting: str) -> None:
    given = {"oidc_issuer": "https://people.example", "oidc_client_id": "here", "public_url": "https://here.example"}
    with pytest.raises(ValidationError, match=f"OIDC_ISSUER needs {setting}"):
        _settings(**{name: value for name, value in given.items() if name != missing})
