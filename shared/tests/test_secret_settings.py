"""A blank secret opens no door, and production starts with nothing that is for tests."""

from typing import Annotated

import pytest
from pydantic import BaseModel, Field, SecretStr, ValidationError

from shared.kernel.auth import ApiKeys, bearer_token
from shared.kernel.problems import Problem
from shared.kernel.settings import ServiceSettings
from shared.secret_settings import TestOnly
from shared.testing.documents import FieldValue, JsonObject

GOOD = "a secret that is long enough"
BASE: JsonObject = {"database_url": "x", "kafka_bootstrap_servers": "x"}


class Operator(BaseModel):
    adapter: Annotated[str, TestOnly("instant")] = "real"
    credentials: dict[str, SecretStr] = Field(default_factory=dict)


class Settings(ServiceSettings):
    """A service's own."""

    mail: Annotated[str, TestOnly("instant")] = "smtp"
    link_key: SecretStr | None = None
    agent_keys: dict[str, SecretStr] = Field(default_factory=dict)
    operators: list[Operator] = Field(default_factory=list)


def refused(**given: FieldValue) -> str:
    with pytest.raises(ValidationError) as raised:
        Settings(**BASE, **given)
    return str(raised.value)


@pytest.mark.parametrize("environment", ["development", "test", "production"])
@pytest.mark.parametrize(
    ("given", "message_part"),
    [
        ({"operations_keys": {"operations": ""}}, "OPERATIONS_KEYS[operations] is blank"),
        ({"agent_keys": {"anna": GOOD, "boris": "  "}}, "AGENT_KEYS[boris] is blank"),
        ({"agent_keys": {"anna": GOOD, "boris": GOOD}}, "AGENT_KEYS gives two of its holders the same key"),
        ({"seal_private_key": ""}, "SEAL_PRIVATE_KEY is blank"),
        ({"privacy_key": "\t"}, "PRIVACY_KEY is blank"),
        ({"link_key": ""}, "LINK_KEY is blank"),
        ({"operators": [{"credentials": {"secret": ""}}]}, "OPERATORS[0].credentials[secret] is blank"),
        ({"kafka_username": "ordering"}, "KAFKA_USERNAME needs KAFKA_PASSWORD"),
    ],
    ids=str,
)
def test_blank_secrets_are_refused_by_name(environment: str, given: JsonObject, message_part: str) -> None:
    message = refused(environment=environment, **{"seal_private_key": GOOD, **given})
    assert message_part in message
    assert GOOD not in message.partition("[type=")[0]


@pytest.mark.parametrize(
    ("given", "message_part"),
    [
        ({}, "SEAL_PRIVATE_KEY is not set"),
        ({"seal_private_key": GOOD, "mail": "instant"}, "MAIL=instant is for tests"),
        (
            {"seal_private_key": GOOD, "operators": [{"adapter": "instant"}]},
            "OPERATORS[0].ADAPTER=instant is for tests",
        ),
        ({"seal_private_key": GOOD, "agent_keys": {"anna": "short"}}, "AGENT_KEYS[anna] is shorter than 16"),
    ],
    ids=str,
)
def test_production_refuses_what_tests_may_have(given: JsonObject, message_part: str) -> None:
    Settings(**BASE, **given)
    assert message_part in refused(environment="production", **given)


def test_production_starts_with_secrets_of_its_own() -> None:
    given: JsonObject = {"seal_private_key": GOOD, "agent_keys": {"anna": GOOD, "boris": GOOD + "er"}}
    assert Settings(**BASE, environment="production", **given).environment == "production"


@pytest.mark.parametrize(
    ("header", "token"),
    [
        (None, ""),
        ("", ""),
        ("Bearer", ""),
        ("Bearer ", ""),
        ("bearer  abc ", "abc"),
        ("BEARER abc", "abc"),
        ("abc", "abc"),
        ("Basic abc", "Basic abc"),
    ],
)
def test_the_scheme_is_read_in_any_case(header: str | None, token: str) -> None:
    assert bearer_token(header) == token


def test_a_blank_key_is_no_key() -> None:
    with pytest.raises(ValueError, match="anna"):
        ApiKeys({"anna": SecretStr(" ")})
    keys = ApiKeys({"anna": SecretStr(GOOD)})
    assert keys.holder(f"bearer {GOOD}") == "anna"
    for header in (None, "", "Bearer", "Bearer ", "Bearer nobody", f"Basic {GOOD}"):
        with pytest.raises(Problem):
            keys.holder(header)
