"""The buyer's own e-mail that an answer follows, as refunds sealed it."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from shared.values.text import Cleaned

_MessageId = Annotated[str, Field(pattern=r"^[!-;=?-~]{3,900}$")]


class Thread(BaseModel):
    """Message-IDs without brackets, and the subject that the buyer chose."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    message_id: _MessageId
    references: tuple[_MessageId, ...] = ()
    subject: Annotated[str, Cleaned(200)] = Field("", repr=False)

    @property
    def headers(self) -> tuple[str, ...]:
        """The header fields of the answer (RFC 5322 section 3.6.4), folded."""
        before = [one for one in self.references if one != self.message_id]
        chain = "\r\n ".join(f"<{one}>" for one in (*before, self.message_id))
        return f"In-Reply-To: <{self.message_id}>", f"References: {chain}"

    def answering(self, subject: str) -> str:
        """The subject of the answer: the buyer's own, since mail programs sort by it; or the given one."""
        own = self.subject.strip()
        if not own:
            return subject
        return own if own.lower().startswith("re:") else f"Re: {own}"
