"""Texts that shops wrote, made fit for an event."""


def printable(submission_id: str) -> str:
    """The submission id with `U+FFFD` in place of control characters, which an event cannot carry.

    The id itself may be the reason of the refusal.
    """
    return "".join(character if character.isprintable() else "\ufffd" for character in submission_id)
