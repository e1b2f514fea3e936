"""The recurring job of the channels: deletes chats and updates whose time is over."""

from refunds.channels.store import delete_expired
from shared.database import Database
from shared.supervision import Loop

_EVERY_SECONDS = 3600.0


async def clean(database: Database, loop: Loop) -> None:
    """Delete expired rows every hour, until cancelled."""

    async def step() -> None:
        async with database.transaction("chats") as tx:
            await delete_expired(tx, loop.progress)

    await loop.repeat(step, _EVERY_SECONDS, "chat_cleaning_failed")
