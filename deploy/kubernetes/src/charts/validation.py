"""Strict validation of manifests: Kubernetes' own schemas, and the schemas of the operators whose resources we use.

Strict: a field that a schema does not name is an error. Kubernetes would drop it silently, and what it should have done
would not be done.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import yaml

from charts.helm import Manifest
from charts.strimzi import strimzi_schemas
from charts.tools import KUBERNETES, definitions

Schema = Mapping[str, Any]
#: Groups that Kubernetes itself serves.
_BUILT_IN = frozenset({"", "apps", "batch", "policy", "autoscaling", "networking.k8s.io", "rbac.authorization.k8s.io"})
_METADATA = {"name", "namespace", "labels", "annotations"}


def problems(manifest: Manifest) -> list[str]:
    """What is wrong with a manifest, one sentence each; none where it would be accepted."""
    name = f"{manifest.get('kind')} {manifest.get('metadata', {}).get('name')}"
    group, _, version = manifest.get("apiVersion", "").rpartition("/")
    if group in _BUILT_IN:
        return [f"{name}: {text}" for text in _built_in(manifest)]
    import jsonschema  # noqa: PLC0415 - it compiles 38 grammars, which takes seconds

    schema = custom_schemas().get((group, version, manifest.get("kind", "")))
    if schema is None:
        return [f"{name}: no such resource: {manifest.get('apiVersion')}"]
    unknown = sorted(set(manifest["metadata"]) - _METADATA)
    found = [f"metadata.{field} is not for charts to set" for field in unknown]
    found += [
        f"{'.'.join(map(str, error.absolute_path)) or 'it'}: {error.message}"
        for error in jsonschema.Draft7Validator(schema).iter_errors(manifest)
    ]
    return [f"{name}: {text}" for text in found]


def _built_in(manifest: Manifest) -> Iterator[str]:
    import kubernetes_validate  # noqa: PLC0415 - it imports jsonschema

    try:
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
    except kubernetes_validate.ValidationError as error:
        yield f"{'.'.join(map(str, error.path))}: {error.message}"
    except (kubernetes_validate.SchemaNotFoundError, kubernetes_validate.InvalidSchemaError) as error:
        yield str(error)


@cache
def custom_schemas() -> Mapping[tuple[str, str, str], Schema]:
    """By (group, version, kind), closed: only what is named is allowed."""
    found: dict[tuple[str, str, str], Schema] = dict(strimzi_schemas())
    for folder in definitions():
        for path in sorted(folder.glob("*.yaml")):
            for definition in yaml.load_all(path.read_text(encoding="utf-8"), Loader=_Loader):
                if definition:
                    spec = definition["spec"]
                    for version in spec["versions"]:
                        key = (spec["group"], version["name"], spec["names"]["kind"])
                        found[key] = closed(version["schema"]["openAPIV3Schema"], top=True)
    return found


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc] # libyaml, where it is there
    """These files are large: libyaml reads them ten times as fast."""


#: YAML 1.1 has a meaning for a lone `=`, which Prometheus' matchers list among others; here it is a text.
_Loader.add_constructor("tag:yaml.org,2002:value", lambda loader, node: loader.construct_scalar(node))


def closed(schema: Any, *, top: bool = False) -> Any:
    """A structural schema of Kubernetes as strict JSON Schema.

    Objects with `properties` take no others, unless the schema preserves what it does not know; its own words for
    "integer or text" become JSON Schema's. What stands in `anyOf` and the like only restricts those properties. At the
    `top`, metadata are Kubernetes' own.
    """
    if not isinstance(schema, Mapping):
        return schema
    result = {key: value for key, value in schema.items() if not key.startswith("x-kubernetes-")}
    if schema.get("x-kubernetes-int-or-string"):
        result.pop("type", None)
        result["anyOf"] = [{"type": "integer"}, {"type": "string"}]
    if "properties" in result:
        result["properties"] = {name: closed(value) for name, value in result["properties"].items()}
        if "additionalProperties" not in result and not schema.get("x-kubernetes-preserve-unknown-fields"):
            result["additionalProperties"] = False
    for key in ("items", "additionalProperties"):
        if key in result:
            result[key] = closed(result[key])
    if result.get("nullable"):
        result["type"] = [result["type"], "null"] if isinstance(result.get("type"), str) else result.get("type")
    if top:
        result["properties"] = {**result["properties"], "metadata": {"type": "object"}}
    return result
