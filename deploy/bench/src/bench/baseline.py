"""The same calls to operator and mail server, made with no engine: nothing is stored, nothing can be recovered."""

from local_stack.stack import Stack


async def calls_without_an_engine(stack: Stack, count: int) -> float:
    """Orders per second of two processes that do nothing but the calls."""
    raise NotImplementedError(stack, count)
