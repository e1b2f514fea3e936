"""Licences of what images install, as the installed distributions declare them, against the policy."""

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, metadata

from license_expression import ExpressionError, get_spdx_licensing  # type: ignore[import-untyped] # ships no types
from packaging.metadata import RawMetadata

from supply.policy import Policy

_SPDX = get_spdx_licensing()
#: Trove classifiers that name exactly one licence of the SPDX list. "BSD License", for one, does not.
_CLASSIFIERS = {
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
    "License :: OSI Approved :: ISC License (ISCL)": "ISC",
    "License :: OSI Approved :: MIT License": "MIT",
    "License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "License :: OSI Approved :: The Unlicense (Unlicense)": "Unlicense",
}

Declarations = Callable[[str], RawMetadata]


class UnknownLicenceError(LookupError):
    """Nobody says under which licence a package comes."""


def declarations(name: str) -> RawMetadata:
    """What an installed distribution declares. Raises UnknownLicenceError where it is not installed."""
    try:
        found = metadata(name)
    except PackageNotFoundError as error:
        raise UnknownLicenceError(
            f"{name} is not installed here and its licence cannot be read; `make setup`, with Python 3.11 as in images"
        ) from error
    core_metadata = found.json
    return RawMetadata(
        version=str(core_metadata["version"]),
        license_expression=str(core_metadata.get("license_expression", "")),
        license=str(core_metadata.get("license", "")),
        classifiers=list(core_metadata.get("classifier", [])),
    )


def licence(name: str, core_metadata: RawMetadata, policy: Policy) -> str:
    """The SPDX expression of a package, by what it declares: an expression, one name, or classifiers that name one.

    Raises UnknownLicenceError where it declares something else and the policy does not say what was read instead.
    """
    words = core_metadata.get("license", "").strip().partition("\n")[0]
    named = {_CLASSIFIERS[each] for each in core_metadata.get("classifiers", []) if each in _CLASSIFIERS}
    vague = [
        each for each in core_metadata.get("classifiers", []) if each.startswith("License") and each not in _CLASSIFIERS
    ]
    for text in (core_metadata.get("license_expression", ""), words):
        if text and _is_spdx(text):
            return text
    if len(named) == 1 and not [each for each in vague if each != "License :: OSI Approved"]:
        return named.pop()
    stated = words or "; ".join(each for each in core_metadata.get("classifiers", []) if each.startswith("License"))
    for declared in policy.declared:
        if (declared.package, declared.metadata) == (name, stated):
            return declared.licence
    raise UnknownLicenceError(
        f"{name}: its metadata says {stated!r}, which is no SPDX licence; read its licence file and add it to "
        "[[declared]] in deploy/supply/policy.toml"
    )


def problems(
    shipped: Mapping[tuple[str, str], Sequence[str]], policy: Policy, ask: Declarations = declarations
) -> list[str]:
    """Packages that may not be shipped, or of which nobody knows; and words of the policy that no longer apply."""
    found, used = [], set()
    for (name, version), images in shipped.items():
        where = f"{name} {version} (in {', '.join(images)})"
        try:
            core_metadata = ask(name)
            expression = licence(name, core_metadata, policy)
        except UnknownLicenceError as error:
            found.append(f"{where}: {error}")
            continue
        if core_metadata.get("version") != version:
            found.append(f"{where}: {core_metadata.get('version')} is installed here; `make setup`")
        used.add((name, expression))
        exceptional = any((each.package, each.licence) == (name, expression) for each in policy.exceptional)
        if not exceptional and not _allowed(expression, policy.licences):
            found.append(f"{where}: {expression} is not allowed by deploy/supply/policy.toml")
    named = [(each.package, each.licence) for each in policy.declared]
    named += [(each.package, each.licence) for each in policy.exceptional]
    idle = [each for each in named if each not in used]
    return found + [
        f"policy.toml speaks of {name} under {terms}, which no image has; strike it" for name, terms in idle
    ]


def _is_spdx(text: str) -> bool:
    try:
        _SPDX.parse(text, validate=True, strict=True)
    except ExpressionError:
        return False
    return True


def _allowed(expression: str, allowed: Mapping[str, str]) -> bool:
    """AND needs all, OR needs one; a licence `WITH` an exception stands for itself."""

    def holds(node: object) -> bool:
        if isinstance(node, _SPDX.AND):
            return all(map(holds, node.args))
        if isinstance(node, _SPDX.OR):
            return any(map(holds, node.args))
        return str(node) in allowed

    return holds(_SPDX.parse(expression, validate=True))
