"""What a task carries: one model per kind of task, stored as JSON in the column `work.payload`."""

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

P = TypeVar("P", bound="TaskPayload")


class TaskPayload(BaseModel):
    """Base class of payloads. Frozen; fields that this release does not know are ignored (rows of newer releases).

    Stored: the fields that were set, by their aliases where they have some. A field with a default is left out of the
    stored JSON when nobody set it, so that rows look the same as those of earlier releases.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class NoPayload(TaskPayload):
    """The key says everything."""


class UnreadablePayloadError(Exception):
    """A stored payload does not fit its model. The message names fields and faults, and holds no value."""


def stored(payload: BaseModel | Mapping[str, Any] | None) -> str:
    """The JSON object that is stored for a payload."""
    if isinstance(payload, BaseModel):
        return payload.model_dump_json(by_alias=True, exclude_unset=True)
    return json.dumps(payload or {}, default=dict)


def parse(model: type[P], payload: Mapping[str, Any]) -> P:
    """Read a stored payload. Raises UnreadablePayloadError."""
    try:
        return model.model_validate(payload)
    except ValidationError as error:
        faults = (
            f"{'.'.join(str(part) for part in fault['loc']) or 'payload'} ({fault['type']})"
            for fault in error.errors(include_url=False, include_context=False, include_input=False)
        )
        raise UnreadablePayloadError(f"its payload cannot be read: {', '.join(faults)}") from None
