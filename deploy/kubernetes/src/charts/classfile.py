"""Java class files, as far as a schema can be read from them: methods, their types and their annotations.

The Java Virtual Machine Specification, chapter 4. Nothing is run.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Annotations: TypeAlias = Mapping[str, Mapping[str, Any]]
#: Sizes of the entries of the constant pool (table 4.4-A), by tag; 1 (Utf8) has a length of its own.
_SIZES = {3: 4, 4: 4, 5: 8, 6: 8, 7: 2, 8: 2, 9: 4, 10: 4, 11: 4, 12: 4, 15: 3, 16: 2, 17: 4, 18: 4, 19: 2, 20: 2}
_UTF8, _INTEGER, _LONG, _DOUBLE, _CLASS, _STRING = 1, 3, 5, 6, 7, 8
_LDC, _ARETURN, _GOTO = 0x12, 0xB0, 0xA7
_ENUM, _STATIC, _BRIDGE = 0x4000, 0x0008, 0x0040


@dataclass(frozen=True)
class Method:
    """A method: its generic signature where it has one, its annotations by class name, the texts it may return."""

    name: str
    descriptor: str
    signature: str
    annotations: Annotations
    hidden: bool
    """Static, or made by the compiler for a parent's wider type."""
    returned: tuple[str, ...] = ()


@dataclass(frozen=True)
class ClassFile:
    """A class: names with slashes, as in the file."""

    name: str
    parent: str
    enum: bool
    constants: tuple[str, ...]
    """Names of an enum's constants."""
    methods: tuple[Method, ...]
    annotations: Annotations


@dataclass
class _Reader:
    data: bytes
    at: int = 0
    pool: list[tuple[int, Any]] = field(default_factory=list)

    def take(self, form: str) -> Any:
        (value,) = struct.unpack_from(f">{form}", self.data, self.at)
        self.at += struct.calcsize(f">{form}")
        return value

    def constant(self) -> Any:
        return self.value(self.take("H"))

    def value(self, index: int) -> Any:
        tag, content = self.pool[index]
        return self.value(content) if tag in (_CLASS, _STRING) else content

    def skip(self, count: int) -> None:
        self.at += count


def parse(data: bytes) -> ClassFile:
    """Read a class file. Raises struct.error or IndexError when it is none."""
    reader = _Reader(data, at=8)
    _pool(reader)
    flags = reader.take("H")
    name, parent = reader.constant(), reader.constant()
    reader.skip(2 * reader.take("H"))  # interfaces
    constants = tuple(one.name for one in _members(reader) if one.descriptor == f"L{name};")
    methods = tuple(_members(reader))
    attributes = _attributes(reader)
    annotations = _annotations(reader, attributes.get("RuntimeVisibleAnnotations"))
    return ClassFile(name, parent, bool(flags & _ENUM), constants, methods, annotations)


def _pool(reader: _Reader) -> None:
    count = reader.take("H")
    reader.pool = [(0, "")] * count
    index = 1
    while index < count:
        tag = reader.take("B")
        if tag == _UTF8:
            length = reader.take("H")
            content: Any = reader.data[reader.at : reader.at + length].decode("utf-8", "replace")
            reader.skip(length)
        elif tag in (_CLASS, _STRING):
            content = reader.take("H")
        elif tag in (_INTEGER, _LONG, _DOUBLE):
            content = reader.take({_INTEGER: "i", _LONG: "q", _DOUBLE: "d"}[tag])
        else:
            content = None
            reader.skip(_SIZES[tag])
        reader.pool[index] = (tag, content)
        index += 2 if tag in (_LONG, _DOUBLE) else 1


def _members(reader: _Reader) -> list[Method]:
    """Fields or methods; both have the same form."""
    found = []
    for _ in range(reader.take("H")):
        flags, name, descriptor = reader.take("H"), reader.constant(), reader.constant()
        attributes = _attributes(reader)
        signature = descriptor
        if (place := attributes.get("Signature")) is not None:
            signature = reader.value(struct.unpack_from(">H", reader.data, place[0])[0])
        annotations = _annotations(reader, attributes.get("RuntimeVisibleAnnotations"))
        returned = _returned(reader, attributes.get("Code"))
        found.append(Method(name, descriptor, signature, annotations, bool(flags & (_STATIC | _BRIDGE)), returned))
    return found


def _attributes(reader: _Reader) -> dict[str, tuple[int, int]]:
    """Where each attribute is, by name: (offset, length)."""
    found = {}
    for _ in range(reader.take("H")):
        name, length = reader.constant(), reader.take("I")
        found[name] = (reader.at, length)
        reader.skip(length)
    return found


def _returned(reader: _Reader, place: tuple[int, int] | None) -> tuple[str, ...]:
    """Texts that the code returns as they are: `ldc` before `areturn`, or before the `goto` out of a `switch`."""
    if place is None:
        return ()
    (length,) = struct.unpack_from(">I", reader.data, place[0] + 4)
    code = reader.data[place[0] + 8 : place[0] + 8 + length]
    triples = zip(code, code[1:], code[2:], strict=False)
    indexes = [index for first, index, last in triples if first == _LDC and last in (_ARETURN, _GOTO)]
    return tuple(reader.value(index) for index in indexes if reader.pool[index][0] == _STRING)


def _annotations(reader: _Reader, place: tuple[int, int] | None) -> Annotations:
    if place is None:
        return {}
    inner = _Reader(reader.data, place[0], reader.pool)
    return dict(_annotation(inner) for _ in range(inner.take("H")))


def _annotation(reader: _Reader) -> tuple[str, dict[str, Any]]:
    name = reader.constant().strip("L;").rpartition("/")[2]
    return name, {reader.constant(): _element(reader) for _ in range(reader.take("H"))}


def _element(reader: _Reader) -> Any:
    """The value of an annotation's element (section 4.7.16.1)."""
    tag = chr(reader.take("B"))
    if tag == "e":
        reader.skip(2)
        return reader.constant()
    if tag == "@":
        return _annotation(reader)[1]
    if tag == "[":
        return [_element(reader) for _ in range(reader.take("H"))]
    return reader.constant()
