"""The shops' folder in the cluster: pods see the files that the values hold, and a changed price restarts nothing."""

import json
from pathlib import Path

import pytest
import yaml

from charts.catalogue import SERVICES, values_files
from charts.helm import Charts, HelmError, Manifest
from charts.testing import named
from fulfil.cli import main
from shared.shops.reading import read_shops
from shared.testing.documents import JsonObject
from shared.testing.shops import EXAMPLES, change, copied

READERS = [name for name in SERVICES if name != "operations"]


def values_of(folder: Path, scratch: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert main(["shops", "values", str(folder)]) == 0
    path = scratch / "shops.yaml"
    path.write_text(capsys.readouterr().out, encoding="utf-8")
    return path


def mounted(manifests: list[Manifest], kind: str, name: str, scratch: Path) -> Path:
    """The folder as the kubelet makes it of the ConfigMap and the volume's items."""
    pod = named(manifests, kind, name)["spec"]["template"]["spec"]
    [mount] = [mount for mount in pod["containers"][0]["volumeMounts"] if mount["name"] == "shops"]
    assert mount["mountPath"] == "/shops"
    [volume] = [volume for volume in pod["volumes"] if volume["name"] == "shops"]
    texts = named(manifests, "ConfigMap", volume["configMap"]["name"])["data"]
    for item in volume["configMap"]["items"]:
        path = scratch / name / item["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(texts[item["key"]], encoding="utf-8")
    return scratch / name


@pytest.mark.parametrize("service", SERVICES)
def test_pods_see_the_folder(charts: Charts, service: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = [values_files(service)["production"], values_of(EXAMPLES, tmp_path, capsys)]
    manifests = charts.template(service, given)
    if service not in READERS:
        assert not any(manifest["metadata"]["name"].endswith("-shops") for manifest in manifests)
        return
    assert read_shops(mounted(manifests, "Deployment", service, tmp_path)) == read_shops(EXAMPLES)
    hook = [manifest for manifest in manifests if manifest["metadata"]["name"] == f"{service}-migrate-shops"]
    assert len(hook) == (service == "ordering")
    if hook:  # it makes the shops' topics before anything of the release is there
        assert hook[0]["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
        assert mounted(manifests, "Job", "ordering-migrate", tmp_path)
        assert read_shops(tmp_path / "ordering-migrate") == read_shops(EXAMPLES)


def test_a_changed_price_changes_the_files_and_no_pod(
    charts: Charts, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, example = copied(tmp_path / "shops"), values_files("ordering")["production"]
    before = charts.template("ordering", [example, values_of(folder, tmp_path, capsys)])
    change(folder / "esimka" / "plans.toml", "price = 990", "price = 991")
    after = charts.template("ordering", [example, values_of(folder, tmp_path, capsys)])

    def changed(manifest: Manifest) -> bool:
        return manifest not in before

    assert [(manifest["kind"], manifest["metadata"]["name"]) for manifest in after if changed(manifest)] == [
        ("ConfigMap", "ordering-shops"),
        ("ConfigMap", "ordering-migrate-shops"),
    ]


@pytest.mark.parametrize(
    "values",
    [{"esimka/prices.toml": ""}, {"Esimka/shop.toml": ""}, {"esimka/policy/a/b.toml": ""}, {"esimka/shop.toml": 7}],
)
def test_files_that_are_none_of_a_shop_are_refused(charts: Charts, tmp_path: Path, values: JsonObject) -> None:
    path = tmp_path / "values.yaml"
    path.write_text(yaml.safe_dump({"shops": json.loads(json.dumps(values))}), encoding="utf-8")
    with pytest.raises(HelmError, match=r"(?i)esimka"):
        charts.template("ordering", [path])
