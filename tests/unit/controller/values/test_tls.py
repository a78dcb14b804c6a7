"""What is wrong with the options of TLS is known before anything is changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tls_files import pair

from controller.values.tls import tls_problems

ACME = {"tls_mode": "acme", "tls_names": ["toxic.example.org"], "tls_accept_terms": True}


def problems(**options: Any) -> list[str]:
    return list(tls_problems(options))


def test_a_certificate_of_an_authority_needs_a_name_and_its_terms() -> None:
    assert problems(**ACME) == []
    (found,) = problems(**{**ACME, "tls_names": []})
    assert found.endswith("add the server's host name or IP address")
    (found,) = problems(**{**ACME, "tls_accept_terms": False})
    assert "tls_accept_terms is not true: read the terms" in found
    (found,) = problems(**ACME, tls_acme_ca_file="/not/there.pem")
    assert found == "tls_acme_ca_file: /not/there.pem is missing on this computer: correct the path"
    (found,) = problems(**ACME, tls_acme_ca_file="~no_such_user/x.pem")
    assert found.startswith("tls_acme_ca_file: ~no_such_user/x.pem is missing on this computer")


@pytest.mark.parametrize("mode", ["off", False, "selfsigned"])
def test_other_modes_need_nothing(mode: object) -> None:
    assert problems(tls_mode=mode) == []


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Any]:
    """Options of mode files, whose files belong together."""
    options = {"tls_mode": "files"}
    for name, text in zip(("certificate", "key"), pair("*.example.org"), strict=True):
        path = tmp_path / f"{name}.pem"
        path.write_text(text)
        options[f"tls_{name}_file"] = str(path)
    return options


def test_files_that_belong_together_are_accepted(files: dict[str, Any]) -> None:
    assert problems(**files) == []
    assert problems(**files, tls_names=["toxic.example.org"]) == []


def test_a_key_of_another_certificate_is_one_line(files: dict[str, Any]) -> None:
    Path(files["tls_key_file"]).write_text(pair()[1])
    (found,) = problems(**files)
    assert "is not the private key of" in found
    assert found.endswith("use files that belong together")


def test_a_certificate_for_other_names_is_one_line(files: dict[str, Any]) -> None:
    (found,) = problems(**files, tls_names=["a.toxic.example.org"])
    assert "is not valid for a.toxic.example.org of tls_names" in found


def test_a_missing_file_is_one_line(files: dict[str, Any]) -> None:
    Path(files["tls_key_file"]).unlink()
    (found,) = problems(**files)
    assert found.startswith("tls_key_file: ")
    assert found.endswith("is missing on this computer: correct the path")
