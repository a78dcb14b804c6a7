"""An app release's bill of materials names what its lock installs, and nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from controller.deploy.errors import DeployError
from controller.deploy.paths import APP_REQUIREMENTS
from controller.deploy.sbom import sbom
from controller.deploy.targets import TARGETS


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_every_locked_package_is_a_component_with_its_hashes(target: str) -> None:
    lock = APP_REQUIREMENTS / f"{target}.txt"
    document = json.loads(sbom(lock, "tox_com_det", "1.2.3-abc"))
    found = {part["name"]: part["version"] for part in document["components"]}
    assert found == dict(re.findall(r"^([a-z0-9-]+)==(\S+)", lock.read_text(), re.MULTILINE))
    hashes = {
        entry["content"]
        for part in document["components"]
        for reference in part["externalReferences"]
        for entry in reference["hashes"]
    }
    assert hashes == set(re.findall(r"--hash=sha256:([0-9a-f]{64})", lock.read_text()))
    about = document["metadata"]["component"]
    assert (about["name"], about["version"]) == ("tox_com_det", "1.2.3-abc")
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")


def test_same_lock_gives_the_same_bytes_and_nothing_of_this_machine(tmp_path: Path) -> None:
    text = f"flask==1 --hash=sha256:{'0' * 64}\n"
    documents = set()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        lock = tmp_path / name / "lock.txt"
        lock.write_text(text)
        documents.add(sbom(lock, "tox_com_det", "1"))
    assert len(documents) == 1
    assert str(tmp_path).encode() not in documents.pop()


def test_lock_that_cannot_be_described_is_one_line_with_the_reason_below(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match=r"cannot describe .*absent.txt.*`make lock`") as caught:
        sbom(tmp_path / "absent.txt", "tox_com_det", "1")
    assert "No such file" in caught.value.details
