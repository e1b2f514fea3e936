"""An image's bill of materials: CycloneDX 1.6, the same bytes for the same locks and versions.

Named are the image it starts from, our own packages with their versions, and every Python package of its lock, with
licence, the hashes of its files and who needs whom. What the base image brings (Python,
Debian's packages) is that image's own affair: a scanner of images sees it, this file does not.
"""

import json
import uuid
from collections.abc import Iterable
from functools import cache
from typing import Any

from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from jsonschema import Draft7Validator
from packageurl import PackageURL

from supply.graph import Workspace, closure
from supply.images import WORK_TREE, Image
from supply.licences import Declarations, declarations, licence
from supply.locks import Pinned, read
from supply.policy import Policy

_NAMESPACE = uuid.UUID("6f2a86f4-6d4d-4c1c-9d0e-6f6f0f5ab6a1")  # any, but always this one


def write(image: Image, policy: Policy) -> None:
    """Write the image's bill beside its Dockerfile."""
    image.bill.write_text(text(image, policy), encoding="utf-8")


def problems(images: Iterable[Image], policy: Policy) -> list[str]:
    """Bills that are not what the locks give, or that CycloneDX's own schema refuses."""
    found = []
    for image in images:
        written = image.bill.read_text(encoding="utf-8") if image.bill.is_file() else ""
        if written != text(image, policy):
            found.append(f"{image.bill.relative_to(WORK_TREE)} is not that of its lock; run `make sbom`")
        found += [f"{image.name}: {wrong}" for wrong in invalid(written or "{}")]
    return found


def invalid(written: str) -> list[str]:
    """What CycloneDX's schema refuses in a bill."""
    _check_addresses_once()
    wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(written)
    return [] if wrong is None else [f"not CycloneDX 1.6: {wrong.data.message}"]


@cache
def _check_addresses_once() -> None:
    """Judge each address once a process: 20 ms of CPU each, and the images' bills have most of them in common."""
    judged, raises = Draft7Validator.FORMAT_CHECKER.checkers["iri-reference"]
    remembered = cache(judged)
    Draft7Validator.FORMAT_CHECKER.checks("iri-reference", raises=raises)(
        lambda value: not isinstance(value, str) or remembered(value)
    )


def text(image: Image, policy: Policy, ask: Declarations = declarations) -> str:
    """The bill as JSON. Raises UnknownLicenceError or LockError for what may not be in an image anyway."""
    ours = Workspace.load()
    needs = closure(image.project["name"], ours).needs
    parts = {name: _ours(name, ours.version(name)) for name in needs if name in ours.projects}
    for pinned in read(image.lock):
        if pinned.in_image:
            parts[pinned.name] = _theirs(pinned, licence(pinned.name, ask(pinned.name), policy))
    base, version = _base(image.base), image.project["version"]
    whole = Component(
        type=ComponentType.CONTAINER,
        name=f"esim-fulfilment/{image.name}",
        version=version,
        bom_ref=f"image:{image.name}@{version}",
    )
    bill = Bom(components=[base, *parts.values()])
    bill.metadata.component = whole
    bill.register_dependency(whole, [base, parts[image.project["name"]]])
    for name, part in parts.items():
        bill.register_dependency(part, [parts[needed] for needed in sorted(needs[name])])
    return _text(bill)


def _text(bill: Bom) -> str:
    """Sorted, without a date, and numbered after its contents: two makers of one bill make the same file."""
    document = json.loads(JsonV1Dot6(bill).output_as_string())
    del document["metadata"]["timestamp"]
    del document["serialNumber"]
    whole = json.dumps(document, sort_keys=True)
    document["serialNumber"] = uuid.uuid5(_NAMESPACE, whole).urn
    return _lines(document)


def _lines(document: dict[str, Any]) -> str:
    """JSON with one line for each component, so that a difference can be read."""
    parts = []
    for key, value in sorted(document.items()):
        text = "[\n" + ",\n".join(map(_compact, value)) + "\n]" if isinstance(value, list) else _compact(value)
        parts.append(f"{_compact(key)}: {text}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _compact(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _ours(name: str, version: str) -> Component:
    return Component(type=ComponentType.LIBRARY, name=name, version=version, bom_ref=f"{name}@{version}")


def _theirs(pinned: Pinned, expression: str) -> Component:
    address = PackageURL("pypi", name=pinned.name, version=pinned.version)
    files = ExternalReference(
        type=ExternalReferenceType.DISTRIBUTION,
        url=XsUri(address.to_string()),
        comment="Its files, of which the one for the machine is installed, have these hashes.",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=each.removeprefix("sha256:")) for each in pinned.hashes],
    )
    return Component(
        type=ComponentType.LIBRARY,
        name=pinned.name,
        version=pinned.version,
        purl=address,
        bom_ref=address.to_string(),
        licenses=[LicenseExpression(expression)],
        external_references=[files],
    )


def _base(name: str) -> Component:
    repository, _, tag = name.partition(":")
    address = PackageURL("docker", name=repository, version=tag)
    return Component(
        type=ComponentType.CONTAINER, name=repository, version=tag, purl=address, bom_ref=address.to_string()
    )
