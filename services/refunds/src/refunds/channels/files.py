"""Downloads the files that buyers send to a channel, then handles the messages that they came with."""

from collections.abc import Awaitable, Callable, Sequence

from refunds.channels.metrics import ChannelMetrics
from refunds.channels.models import FilePayload, SentFile
from refunds.channels.rules.files import message_with_file
from refunds.channels.service import Conversations, Incoming
from refunds.channels.store import Chats
from shared.database import Tx
from shared.outcomes import Outcome, Refused
from shared.tasks import Task, TaskResult

#: Downloads a file of a storefront by its id; the last argument is the trace. Refused: it is too large, or gone.
Fetch = Callable[[str, str, str | None], Awaitable[Outcome[bytes]]]


def schedule_file(
    tx: Tx, chats: Chats, kind: str, storefront: str, message_id: int, file: SentFile, trace: str | None
) -> None:
    """Download the file when this transaction commits. `kind`: of the channel's DownloadFile."""
    sealed = chats.seal(file.model_dump_json().encode())
    payload = FilePayload(storefront=storefront, message_id=message_id, sealed=sealed)
    tx.schedule(kind, f"{storefront}/{message_id}", payload, trace=trace)


class DownloadFile:
    """The task of one file."""

    concurrency = 2
    payload = FilePayload

    def __init__(
        self, kind: str, fetch: Fetch, conversations: Conversations, chats: Chats, metrics: ChannelMetrics
    ) -> None:
        self.kind = kind
        self._fetch = fetch
        self._conversations = conversations
        self._chats = chats
        self._metrics = metrics

    async def perform(self, task: Task[FilePayload]) -> Outcome[bytes]:
        """Download the file."""
        file = self._opened(task.payload)
        if file is None:
            return Refused("sealed", "the file's id was sealed with another key")
        return await self._fetch(task.payload.storefront, file.file_id, task.continues)

    async def record(self, tx: Tx, results: Sequence[TaskResult[bytes, FilePayload]]) -> None:
        """Continue the conversations with the files, or with why they cannot be kept. Chats are locked in order."""
        opened = [(result, self._opened(result.task.payload)) for result in results]
        readable = [(result, file) for result, file in opened if file is not None]
        for result, file in sorted(readable, key=lambda pair: pair[1].chat_id):
            payload = result.task.payload
            incoming = Incoming(
                payload.storefront,
                file.chat_id,
                payload.message_id,
                message_with_file(file, result.outcome),
                result.task.continues,
                language_known=file.language is not None,
            )
            outcome = await self._conversations.handle(tx, incoming)
            self._metrics.updates.labels(payload.storefront, outcome).inc()

    def _opened(self, payload: FilePayload) -> SentFile | None:
        opened = self._chats.open(payload.sealed)
        return None if opened is None else SentFile.model_validate_json(opened)
