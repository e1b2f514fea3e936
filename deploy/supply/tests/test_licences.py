"""Allowed licences pass; unknown ones are refused, and so are words of the policy that apply to nothing."""

import pytest
from packaging.metadata import RawMetadata

from supply import licences, locks, policy
from supply.images import find
from supply.licences import UnknownLicenceError
from supply.policy import Declared, Exceptional, Policy

WHY = "because a test says so"
POLICY = Policy(licences={"MIT": WHY, "Apache-2.0": WHY})
SHIPPED = {("thing", "1.0"): ["shop"]}
BSD = "License :: OSI Approved :: BSD License"


def says(expression: str = "", words: str = "", *classifiers: str, version: str = "1.0") -> RawMetadata:
    """A distribution's metadata."""
    return RawMetadata(
        version=version, license_expression=expression, license=words, classifiers=[*classifiers, "Topic :: Internet"]
    )


def test_what_images_have_is_allowed() -> None:
    assert licences.problems(locks.shipped(find()), policy.load()) == []


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        (says("MIT"), "MIT"),
        (says("Apache-2.0 OR BSD-3-Clause", "whatever"), "Apache-2.0 OR BSD-3-Clause"),
        (says("", "Apache-2.0"), "Apache-2.0"),
        (says("", "MIT License", "License :: OSI Approved :: MIT License"), "MIT"),
    ],
)
def test_a_licence_is_read_where_it_is_named(metadata: RawMetadata, expected: str) -> None:
    assert licences.licence("thing", metadata, POLICY) == expected


@pytest.mark.parametrize(
    "metadata",
    [
        says(),
        says("", "UNKNOWN"),
        says("", "BSD", BSD),
        says("", "see LICENSE"),
        says("NoSuchLicence-1.0"),
        says("", "", "License :: OSI Approved :: MIT License", BSD),
        says("", "", "License :: OSI Approved :: MIT License", "License :: Other/Proprietary License"),
    ],
)
def test_an_unknown_licence_is_refused(metadata: RawMetadata) -> None:
    with pytest.raises(UnknownLicenceError, match="no SPDX licence"):
        licences.licence("thing", metadata, POLICY)

    (problem,) = licences.problems(SHIPPED, POLICY, lambda _: metadata)
    assert "in shop" in problem


@pytest.mark.parametrize(
    ("expression", "well"),
    [
        ("MIT", True),
        ("MIT OR GPL-3.0-only", True),
        ("MIT AND Apache-2.0", True),
        ("MIT AND GPL-3.0-only", False),
        ("MIT AND (GPL-3.0-only OR Apache-2.0)", True),
        ("GPL-3.0-only", False),
        ("GPL-2.0-only WITH Classpath-exception-2.0", False),
    ],
)
def test_what_is_allowed_is_decided_by_the_whole_expression(expression: str, *, well: bool) -> None:
    assert (licences.problems(SHIPPED, POLICY, lambda _: says(expression)) == []) is well


def test_a_person_may_declare_what_was_read_until_the_metadata_changes() -> None:
    declared = Declared(package="thing", metadata="BSD", licence="MIT", reason=WHY)
    policy = POLICY.model_copy(update={"declared": [declared]})

    assert licences.problems(SHIPPED, policy, lambda _: says("", "BSD", BSD)) == []
    refused = licences.problems(SHIPPED, policy, lambda _: says("", "BSD, and money", BSD))
    assert any("BSD, and money" in problem for problem in refused)


def test_an_exception_is_for_one_package_and_one_licence() -> None:
    exceptional = Exceptional(package="thing", licence="LGPL-3.0-only", reason=WHY)
    policy = POLICY.model_copy(update={"exceptional": [exceptional]})

    assert licences.problems(SHIPPED, policy, lambda _: says("LGPL-3.0-only")) == []
    refused = licences.problems(SHIPPED, policy, lambda _: says("AGPL-3.0-only"))
    assert "AGPL-3.0-only is not allowed" in refused[0]
    assert "strike it" in refused[1]


def test_what_is_not_installed_or_is_another_version_cannot_be_judged() -> None:
    missing, *_ = licences.problems({("no-such-package", "1.0"): ["shop"]}, POLICY)
    assert "make setup" in missing

    (other,) = licences.problems(SHIPPED, POLICY, lambda _: says("MIT", version="2.0"))
    assert "2.0 is installed here" in other


def test_a_policy_gives_reasons() -> None:
    with pytest.raises(ValueError, match="at least 15 characters"):
        Policy(licences={"MIT": "ok"})
