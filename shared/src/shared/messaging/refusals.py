"""What brokers refuse us, in words for `/health/ready` and the log: a missing right must not look like a quiet day."""

from collections.abc import Iterable

from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
)


def refusal(error: BaseException, doing: str = "read") -> str | None:
    """What the broker refuses, or None where the error says something else."""
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
    """That the broker's rights do not let us do that with these topics."""
    right = {"read": "Read", "write": "Write"}[doing]
    return f"the broker refuses to {doing} {', '.join(sorted(topics)) or 'a topic'}: grant {right} and Describe"


def _topics(error: BaseException) -> list[str]:
    """Aiokafka gives the topic, several of them, or nothing."""
    [named] = error.args or ((),)
    return [named] if isinstance(named, str) else [str(one) for one in named]
