"""Describes what brokers refuse, for `/health/ready` and the log, so that a missing right does not go unnoticed."""

from collections.abc import Iterable

from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
)


def refusal(error: BaseException, doing: str = "read") -> str | None:
    """What the broker refuses; None where the error is no refusal."""
    if isinstance(error, TopicAuthorizationFailedError):
        return not_allowed(doing, _topics(error))
    if isinstance(error, GroupAuthorizationFailedError):
        [group] = error.args or ("",)
        return f"the broker refuses the consumer group {group}: grant Read and Describe on it"
    if isinstance(error, ClusterAuthorizationFailedError):
        return "the broker refuses to produce: grant Write on the topics that this service owns"
    if isinstance(error, SaslAuthenticationFailed):
        return "the broker refuses the user or its password"
    return None


def not_allowed(doing: str, topics: Iterable[str]) -> str:
    """A sentence: the broker's rights do not allow this with these topics."""
    right = {"read": "Read", "write": "Write"}[doing]
    return f"the broker refuses to {doing} {', '.join(sorted(topics)) or 'a topic'}: grant {right} and Describe"


def _topics(error: BaseException) -> list[str]:
    """The topics of the error: aiokafka names one, several or none."""
    [named] = error.args or ((),)
    return [named] if isinstance(named, str) else [str(topic) for topic in named]
