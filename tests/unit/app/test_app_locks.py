"""The server's locks: one per target, with hashes and compatible versions."""

import re
from pathlib import Path

import pytest

LOCKS = Path(__file__).parents[3] / "app" / "requirements"
TARGETS = ("debian13", "debian12", "el9", "el7")


def pins(target):
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (LOCKS / f"{target}.txt").read_text(), re.M))


@pytest.mark.parametrize("target", TARGETS)
def test_every_requirement_is_pinned_with_hashes_and_names_no_index(target):
    text = (LOCKS / f"{target}.txt").read_text()
    requirements = re.split(r"^(?=[a-z0-9-]+==)", text, flags=re.M)[1:]
    assert len(requirements) == len(pins(target)) > 10
    assert all("--hash=sha256:" in requirement for requirement in requirements)
    assert "://" not in text


@pytest.mark.parametrize("target", TARGETS)
def test_pymongo_supports_mongodb_4_0(target):
    assert tuple(map(int, pins(target)["pymongo"].split("."))) < (4, 12)


def test_centos_7_gets_the_last_versions_for_its_glibc():
    locked = pins("el7")
    assert locked["onnxruntime"] == "1.16.3"
    assert locked["numpy"] == "1.26.4"
    assert locked["pyuwsgi"] == "2.0.30"


@pytest.mark.parametrize("target", TARGETS)
def test_both_app_servers_are_shipped(target):
    assert {"pyuwsgi", "gunicorn"} <= pins(target).keys()
    # The first that notifies systemd when it is ready (Type=notify).
    assert int(pins(target)["gunicorn"].split(".")[0]) >= 20


@pytest.mark.parametrize("target", TARGETS)
def test_no_tensorflow_and_no_packages_of_the_laptop(target):
    assert not {"tensorflow", "keras", "h5py", "onnx", "ansible"} & pins(target).keys()
