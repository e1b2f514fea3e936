"""Devices that support eSIM, as their manufacturers state it."""

from collections.abc import Mapping
from datetime import date
from functools import cached_property
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from shared.values.opaque import Url

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]


class Entry(BaseModel):
    """Part of the file. Unknown fields are refused, because they are usually typing errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(Entry):
    """A manufacturer's public statement. `checked`: the day on which a person compared the file with it; None: nobody.

    `says` is in our own words.
    """

    url: Annotated[str, Url()]
    says: Line
    checked: date | None = None


class Exceptions(Entry):
    """Versions of a device without eSIM, or with less of it, and where they are sold (ISO 3166-1 alpha-2)."""

    regions: tuple[Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")], ...] = ()
    note: Line


class Models(Entry):
    """Models of one maker that the same statement is about. `since`: the year in which they were first sold."""

    maker: Line
    names: tuple[Line, ...] = Field(min_length=1)
    since: Annotated[int, Field(ge=2015, le=2099)]
    source: str
    exceptions: tuple[Exceptions, ...] = ()


class DeviceList(Entry):
    """The whole file."""

    sources: Mapping[str, Source]
    models: tuple[Models, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _agrees(self) -> "DeviceList":
        if missing := {entry.source for entry in self.models} - self.sources.keys():
            raise ValueError(f"no source {', '.join(sorted(missing))}")
        names = [(entry.maker.lower(), name.lower()) for entry in self.models for name in entry.names]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"{twice[0][0]} {twice[0][1]} is there twice")
        return self

    @cached_property
    def devices(self) -> "tuple[Device, ...]":
        """Every model with its source."""
        return tuple(
            Device(
                maker=entry.maker,
                model=name,
                since=entry.since,
                exceptions=entry.exceptions,
                source=self.sources[entry.source],
            )
            for entry in self.models
            for name in entry.names
        )


class Device(BaseModel):
    """A device that supports eSIM."""

    model_config = ConfigDict(frozen=True)

    maker: Annotated[str, Field(examples=["Apple"])]
    model: Annotated[str, Field(examples=["iPhone XS"])]
    since: Annotated[int, Field(description="the year in which it was first sold", examples=[2018])]
    exceptions: Annotated[
        tuple[Exceptions, ...],
        Field(
            description="versions without eSIM, or with less of it",
            examples=[[{"regions": ["CN"], "note": "Versions for China mainland have no eSIM."}]],
        ),
    ]
    source: Source


class DeviceAnswer(BaseModel):
    """The devices that the search found. One that is not listed is not known here; it may support eSIM all the same."""

    devices: tuple[Device, ...]
