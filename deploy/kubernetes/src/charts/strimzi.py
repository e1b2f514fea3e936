"""Schemas of Strimzi's resources, read from Strimzi's own model: the classes that its operator reads them with.

Strimzi publishes its definitions with its releases only. Its model (`io.strimzi:api`, from Maven Central) is what they
are generated from, and says the same: properties, types, versions, what is required. Kubernetes' own types inside
(network policy peers, resources) have Kubernetes' own schemas.
"""

import json
import re
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from charts.classfile import ClassFile, Method, parse
from charts.tools import KUBERNETES
from local_stack.locks import locked
from local_stack.maven import artifact, download
from local_stack.paths import cache_dir

STRIMZI_VERSION = "1.2.0"
API = "v1"
_KINDS = {
    "Kafka": "kafka/Kafka",
    "KafkaNodePool": "nodepool/KafkaNodePool",
    "KafkaTopic": "topic/KafkaTopic",
    "KafkaUser": "user/KafkaUser",
}
_MODEL = "io/strimzi/api/kafka/model"
_PLAIN = {
    "I": "integer",
    "J": "integer",
    "S": "integer",
    "D": "number",
    "F": "number",
    "Z": "boolean",
    "java/lang/Integer": "integer",
    "java/lang/Long": "integer",
    "java/lang/Short": "integer",
    "java/lang/Double": "number",
    "java/lang/Float": "number",
    "java/lang/Boolean": "boolean",
    "java/lang/String": "string",
}
_SECONDS = 300.0


def strimzi_schemas() -> Mapping[tuple[str, str, str], Mapping[str, Any]]:
    """By (group, version, kind). Raises LocalStackError without Maven."""
    with zipfile.ZipFile(_jar()) as archive:
        model = _Model(archive)
        return {("kafka.strimzi.io", API, kind): model.resource(path) for kind, path in _KINDS.items()}


def _jar() -> Path:
    jar = cache_dir() / f"strimzi-api-{STRIMZI_VERSION}.jar"
    with locked(jar.with_suffix(".lock"), _SECONDS):
        if not jar.exists():
            with tempfile.TemporaryDirectory(dir=cache_dir()) as scratch:
                found = download(
                    "Strimzi's model",
                    artifact(f"io.strimzi:api:{STRIMZI_VERSION}"),
                    Path(scratch),
                    "api-*.jar",
                    log=jar.with_suffix(".log"),
                    seconds=_SECONDS,
                )
                found[0].rename(jar)
    return jar


class _Model:
    """The classes of the jar, as schemas."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._names = set(archive.namelist())
        self._known: dict[str, Any] = {}
        where = files("kubernetes_validate") / "kubernetes-json-schema"
        definitions = where / f"v{KUBERNETES}.0-local-strict" / "_definitions.json"
        self._kubernetes: Mapping[str, Any] = json.loads(definitions.read_text(encoding="utf-8"))["$defs"]

    def resource(self, path: str) -> Mapping[str, Any]:
        """A kind's schema: apiVersion, kind, metadata and its specification; charts set no status."""
        kind = path.rpartition("/")[2]
        spec = self._of(f"{_MODEL}/{path}Spec")
        return {
            "type": "object",
            "required": ["apiVersion", "kind", "metadata", "spec"],
            "additionalProperties": False,
            "properties": {
                "apiVersion": {"const": f"kafka.strimzi.io/{API}"},
                "kind": {"const": kind},
                "metadata": {"type": "object", "required": ["name"]},
                "spec": spec,
            },
            "$defs": self._kubernetes,
        }

    def _of(self, name: str) -> Any:
        """The schema of a class of Strimzi's."""
        if name not in self._known:
            self._known[name] = {}  # a class that holds itself holds anything there
            self._known[name] = self._class(self._read(name))
        return self._known[name]

    def _read(self, name: str) -> ClassFile:
        return parse(self._archive.read(f"{name}.class"))

    def _class(self, found: ClassFile) -> Any:
        if found.enum:
            getters = [one for one in found.methods if "JsonValue" in one.annotations]
            return {"enum": list(getters[0].returned if getters else found.constants)}
        if (subtypes := found.annotations.get("JsonSubTypes")) is not None:
            kinds = [(one["name"], one["value"].strip("L;")) for one in subtypes["value"]]
            field = found.annotations["JsonTypeInfo"]["property"]
            return {"oneOf": [self._object(self._read(name), {field: kind}) for kind, name in kinds]}
        return self._object(found, {})

    def _object(self, found: ClassFile, constants: Mapping[str, str]) -> dict[str, Any]:
        properties: dict[str, Any] = {}
        required = list(constants)
        for method in self._getters(found):
            name = method.annotations.get("JsonProperty", {}).get("value") or _decapitalised(method.name)
            if name in properties:  # a parent's, with a wider type
                continue
            properties[name] = self._type(method.signature.rpartition(")")[2]) | _limits(method)
            if method.annotations.get("JsonProperty", {}).get("required") == 1 or _is_for(
                method.annotations.get("RequiredInVersions", {}).get("value")
            ):
                required.append(name)
        properties |= {name: {"const": value} for name, value in constants.items()}
        return {
            "type": "object",
            "properties": properties,
            "required": sorted(set(required)),
            "additionalProperties": False,
        }

    def _getters(self, found: ClassFile) -> Iterator[Method]:
        """Of the class and those it extends, as far as they are in this version of the API."""
        while True:
            for method in found.methods:
                versions = method.annotations.get("PresentInVersions", {}).get("value")
                getter = re.fullmatch(r"(get|is)[A-Z].*", method.name) and method.descriptor.startswith("()")
                ignored = "JsonIgnore" in method.annotations or "JsonAnyGetter" in method.annotations
                hidden = method.hidden or method.name == "getAdditionalProperties"
                if getter and not ignored and not hidden and (versions is None or _is_for(versions)):
                    yield method
            if f"{found.parent}.class" not in self._names:
                return
            found = self._read(found.parent)

    def _type(self, signature: str) -> dict[str, Any]:
        """The schema of a Java type: `Ljava/util/List<Lio/strimzi/...;>;`."""
        if signature in _PLAIN:
            return {"type": _PLAIN[signature]}
        outer, _, inner = signature.removeprefix("L").removesuffix(";").partition("<")
        inner = inner.removesuffix(">")
        if outer in _PLAIN:
            return {"type": _PLAIN[outer]}
        if outer in ("java/util/List", "java/util/Set", "java/util/Collection"):
            return {"type": "array", "items": self._type(inner)}
        if outer == "java/util/Map":
            value = inner.removeprefix("Ljava/lang/String;")
            plain = value == "Ljava/lang/Object;"
            return {"type": "object"} if plain else {"type": "object", "additionalProperties": self._type(value)}
        if f"{outer}.class" in self._names:
            return dict(self._of(outer))
        return self._kubernetes_type(outer)

    def _kubernetes_type(self, name: str) -> dict[str, Any]:
        kind = name.rpartition("/")[2]
        ends = [one for one in self._kubernetes if one.rpartition(".")[2] == kind and ".api.core." in one]
        ends += [one for one in self._kubernetes if one.rpartition(".")[2] == kind and one not in ends]
        return {"$ref": f"#/$defs/{ends[0]}"} if ends else {}


def _decapitalised(getter: str) -> str:
    name = re.sub(r"^(get|is)", "", getter)
    return name[0].lower() + name[1:]


def _is_for(versions: str | None) -> bool:
    """Whether our version is among `v1beta2`, `v1+` or `v1beta2-v1`: the oldest first, v1 is the newest."""
    if not versions:
        return False
    return versions in (API, f"{API}+") or versions.endswith(("+", f"-{API}"))


def _limits(method: Method) -> dict[str, Any]:
    annotations = method.annotations
    found = {
        "pattern": annotations.get("Pattern", {}).get("value"),
        "minimum": annotations.get("Minimum", {}).get("value"),
        "maximum": annotations.get("Maximum", {}).get("value"),
        "minItems": annotations.get("MinimumItems", {}).get("value"),
    }
    return {key: value for key, value in found.items() if value is not None}
