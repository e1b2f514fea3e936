"""Each chart's values.schema.json, by which Helm refuses a bad value before anything is rendered.

Shapes follow from the charts' own default values, so that nothing is allowed which nothing reads; `_NARROWER` says more
where a type says too little. A service's `settings` are its own settings class (names, types, limits): a misspelt or
impossible setting is refused by Helm, and so is a secret one among the plain ones.
"""

import importlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from charts.catalogue import CHARTS, INSTALLABLE, LIBRARY, SERVICES, UMBRELLA
from shared.kernel.settings import ServiceSettings

Schema = dict[str, Any]
#: What the charts themselves set, from other values than `settings`.
_OURS = frozenset(
    {"HTTP_HOST", "HTTP_PORT", "TOPIC_PARTITIONS", "TOPIC_REPLICATION", "TRACE_SAMPLE_RATIO", "OTLP_ENDPOINT"}
    | {f"KAFKA_{name}" for name in ("BOOTSTRAP_SERVERS", "USERNAME", "MECHANISM", "TLS", "CA_FILE")}
)
#: URLs that hold a password.
_SECRET = frozenset({"database_url"})
#: Without these the service does not start, or does nothing of use.
REQUIRED: Mapping[str, tuple[str, ...]] = {
    "payments": ("EPAY_TERMINAL", "EPAY_OAUTH_URL", "EPAY_API_URL", "EPAY_CLIENT_ID", "PUBLIC_URL"),
    "notifications": ("SMTP_HOST", "MAIL_DOMAIN", "PUBLIC_URL"),
    "refunds": ("PUBLIC_URL",),
}
_TEXTS: Schema = {"type": "object", "additionalProperties": {"type": "string"}}
_OBJECTS: Schema = {"type": "array", "items": {"type": "object"}}
_PORT: Schema = {"type": "integer", "minimum": 1, "maximum": 65535}
_CIDRS: Schema = {"type": "array", "items": {"type": "string", "pattern": r"^[0-9a-fA-F.:]+/[0-9]{1,3}$"}}
_COUNT: Schema = {"type": "integer", "minimum": 1}
_NAME = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SERVICES: Schema = {"type": "array", "items": {"enum": list(SERVICES)}, "uniqueItems": True}
_NARROWER: Mapping[str, Schema] = {
    "nameOverride": {"type": "string", "pattern": f"^({_NAME})?$", "maxLength": 50},
    "replicaCount": _COUNT,
    "image.digest": {"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
    "image.pullPolicy": {"enum": ["Always", "IfNotPresent", "Never"]},
    "kafka.bootstrapServers": {"type": "string", "pattern": "^[^\\s:,]+:[0-9]+(,[^\\s:,]+:[0-9]+)*$"},
    "kafka.mechanism": {"enum": ["SCRAM-SHA-512", "SCRAM-SHA-256"]},
    "kafka.partitions": _COUNT,
    "kafka.replication": _COUNT,
    "telemetry.otlpEndpoint": {"type": "string", "pattern": "^(https?://[^\\s]+)?$"},
    "telemetry.sampleRatio": {"type": "number", "minimum": 0, "maximum": 1},
    "shops": {
        "type": "object",
        "propertyNames": {
            "pattern": r"^[a-z0-9-]{1,40}/(shop\.toml|plans\.toml|brand/brand\.toml|policy/[0-9A-Za-z.-]+\.toml)$"
        },
        "additionalProperties": {"type": "string"},
    },
    "files": {
        "type": "array",
        "items": {
            "type": "object",
            "required": ["name", "secret", "mountPath"],
            "additionalProperties": False,
            "properties": {
                "name": {"type": "string", "pattern": f"^{_NAME}$"},
                "secret": {"type": "string"},
                "mountPath": {"type": "string", "pattern": "^/"},
            },
        },
    },
    "disruptionBudget.maxUnavailable": {
        "anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": "^[0-9]+%$"}]
    },
    "autoscaling.by": {"enum": ["none", "lag", "cpu"]},
    "autoscaling.minReplicas": _COUNT,
    "autoscaling.maxReplicas": _COUNT,
    "autoscaling.lag.threshold": _COUNT,
    "autoscaling.cpu.utilization": {"type": "integer", "minimum": 1, "maximum": 100},
    "service.port": _PORT,
    "extraPorts": {
        "type": "array",
        "items": {
            "type": "object",
            "required": ["name", "port", "cidrs"],
            "additionalProperties": False,
            "properties": {
                "name": {"type": "string", "pattern": f"^{_NAME}$", "maxLength": 15},
                "port": _PORT,
                "cidrs": _CIDRS | {"minItems": 1},
            },
        },
    },
    "ingress.host": {
        "type": "string",
        "pattern": r"^([a-z0-9*]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+)?$",
    },
    "ingress.paths": {"type": "array", "items": {"type": "string", "pattern": "^/"}, "uniqueItems": True},
    "calls": _SERVICES,
    "calledBy": _SERVICES,
    "networkPolicy.internal": {
        "type": "array",
        "items": {
            "type": "object",
            "required": ["name", "port"],
            "additionalProperties": False,
            "properties": {
                "name": {"type": "string", "pattern": "^[^\\r\\n]+$"},
                "namespace": {"type": "string"},
                "podLabels": _TEXTS,
                "port": _PORT,
            },
        },
    },
    "networkPolicy.external": {
        "type": "array",
        "items": {
            "type": "object",
            "required": ["name", "ports", "cidrs"],
            "additionalProperties": False,
            "properties": {
                "name": {"type": "string", "pattern": "^[^\\r\\n]+$"},
                "ports": {"type": "array", "items": _PORT, "minItems": 1},
                "cidrs": _CIDRS | {"minItems": 1},
                "except": _CIDRS,
            },
        },
    },
    "monitoring.interval": {"type": "string", "pattern": "^[0-9]+(ms|s|m)$"},
    "tolerations": _OBJECTS,
    "migration.resources": {"type": "object"},
    "resources": {"type": "object"},
    "affinity": {"type": "object"},
    # infrastructure
    "kafka.pools": {
        "type": "array",
        "minItems": 1,
        "items": {
            "type": "object",
            "required": ["name", "roles", "replicas", "storage"],
            "additionalProperties": False,
            "properties": {
                "name": {"type": "string", "pattern": f"^{_NAME}$"},
                "roles": {"type": "array", "items": {"enum": ["controller", "broker"]}, "minItems": 1},
                "replicas": _COUNT,
                "storage": {
                    "type": "object",
                    "required": ["size"],
                    "additionalProperties": False,
                    "properties": {"size": {"type": "string"}, "class": {"type": "string"}},
                },
                "resources": {"type": "object"},
                "jvm": {"type": "object", "required": ["heap"], "properties": {"heap": {"type": "string"}}},
            },
        },
    },
    "kafka.external.type": {"enum": ["loadbalancer", "nodeport", "ingress", "cluster-ip", "route"]},
    "kafka.external.cidrs": _CIDRS,
    "kafka.config": {"type": "object"},
    "postgres.defaults.instances": _COUNT,
    "postgres.defaults.resources": {"type": "object"},
    "postgres.defaults.parameters": {"type": "object"},
}


def schema_of(chart: str) -> Schema:
    """A chart's values.schema.json. Raises KeyError for the library, whose values the services' charts check."""
    own = _values(chart)
    if chart in SERVICES:
        return _service(chart)
    if chart == UMBRELLA:
        parts = {name: {"type": "object"} for name in own if name != "global"}
        return _root(chart, {**parts, "global": _global()})
    shape = _shape(own, "")
    if chart == "infrastructure":
        defaults = shape["properties"]["postgres"]["properties"]["defaults"]
        names = {"pattern": f"^{_NAME}$"}
        shape["properties"]["postgres"]["properties"]["databases"] = {
            "type": "object",
            "propertyNames": names,
            "additionalProperties": defaults,
        }
    return _root(chart, {**shape["properties"], "global": {"type": "object"}, "enabled": {"type": "boolean"}})


def text(schema: Schema) -> str:
    """As it is committed."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def write() -> None:
    """Write all of them."""
    for chart in INSTALLABLE:
        (CHARTS / chart / "values.schema.json").write_text(text(schema_of(chart)), encoding="utf-8")


def settings_class(service: str) -> type[ServiceSettings]:
    """A service's own settings."""
    found: type[ServiceSettings] = importlib.import_module(f"{service}.settings").Settings
    return found


def plain_settings(cls: type[ServiceSettings]) -> dict[str, Schema]:
    """What may stand in `settings`: by the variable's name, the schema of its value."""
    schema = cls.model_json_schema(by_alias=False)
    secret = secret_settings(cls)
    plain = {}
    for name, field in schema["properties"].items():
        if name.upper() not in _OURS and name not in secret:
            plain[name.upper()] = {key: value for key, value in field.items() if key not in ("title", "default")}
    return plain


def secret_settings(cls: type[ServiceSettings]) -> list[str]:
    """What is a secret or holds one, and so may stand in files only."""
    schema = cls.model_json_schema(by_alias=False)
    return [name for name in cls.model_fields if name in _SECRET or _is_secret(schema, name)]


def _is_secret(schema: Schema, name: str) -> bool:
    seen: set[str] = set()

    def holds(part: Any) -> bool:
        if isinstance(part, list):
            return any(holds(one) for one in part)
        if not isinstance(part, dict):
            return False
        if part.get("writeOnly"):
            return True
        reference = str(part.get("$ref", "")).rpartition("/")[2]
        if reference and reference not in seen:
            seen.add(reference)
            return holds(schema["$defs"][reference])
        return any(holds(value) for value in part.values())

    return holds(schema["properties"][name])


def _values(chart: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((CHARTS / chart / "values.yaml").read_text(encoding="utf-8"))
    return found


def _common() -> dict[str, Schema]:
    defaults = _values(LIBRARY)["exports"]["defaults"]
    properties: dict[str, Schema] = _shape(defaults, "")["properties"]
    return properties


def _service(chart: str) -> Schema:
    cls = settings_class(chart)
    common = _common()
    properties = {name: {"$ref": f"#/$defs/values.{name}"} for name in common}
    required = list(REQUIRED.get(chart, ()))
    properties["settings"] = _closed(plain_settings(cls)) | ({"required": required} if required else {})
    # Public parts of secrets travel with them: other settings are welcome in the Secret too.
    files = {
        "enum": sorted({*secret_settings(cls), *(name.lower() for name in plain_settings(cls))} - {"database_url"})
    }
    common["secret"]["properties"]["keys"] = {"type": "array", "items": files, "uniqueItems": True}
    everywhere = {**properties, "settings": _closed(plain_settings(ServiceSettings))}
    extra = {"global": _closed(everywhere), "enabled": {"type": "boolean"}, LIBRARY: {"type": "object"}}
    schema = _root(chart, {**properties, **extra})
    if required:
        schema["required"] = ["settings"]
    own = cls.model_json_schema(by_alias=False).get("$defs", {})
    return {**schema, "$defs": {**own, **{f"values.{name}": shape for name, shape in common.items()}}}


def _global() -> Schema:
    """Whatever a service understands, for all of them; of the settings those that all have."""
    properties = _common()
    properties["settings"] = _closed(plain_settings(ServiceSettings))
    return _closed(properties)


def _root(chart: str, properties: Mapping[str, Schema]) -> Schema:
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": f"Values of {chart}"}
    return {**head, **_closed(properties)}


def _closed(properties: Mapping[str, Schema]) -> Schema:
    return {"type": "object", "additionalProperties": False, "properties": dict(properties)}


def _shape(value: Any, path: str) -> Schema:
    """The schema that a default value implies; an empty map takes any texts, an empty list any text."""
    if (narrower := _narrower(path)) is not None:
        return dict(narrower)
    if isinstance(value, Mapping):
        parts = {key: _shape(one, f"{path}.{key}".lstrip(".")) for key, one in value.items()}
        return _closed(parts) if parts else dict(_TEXTS)
    if isinstance(value, list):
        return {"type": "array", "items": {"type": "string"}, "uniqueItems": True}
    kinds: dict[type, Schema] = {bool: {"type": "boolean"}, int: {"type": "integer", "minimum": 0}}
    return dict(kinds.get(type(value), {"type": "string"}))


def _narrower(path: str) -> Schema | None:
    last = path.rpartition(".")[2].lower()
    if path in _NARROWER:
        return _NARROWER[path]
    if last in ("cidrs", "port"):
        return _CIDRS if last == "cidrs" else _PORT
    return _TEXTS if last.endswith(("labels", "annotations", "nodeselector")) else None


def missing(folder: Path = CHARTS) -> list[str]:
    """Charts whose committed schema is not what it should be."""
    paths = {chart: folder / chart / "values.schema.json" for chart in INSTALLABLE}
    return [
        chart
        for chart, path in paths.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text(schema_of(chart))
    ]
