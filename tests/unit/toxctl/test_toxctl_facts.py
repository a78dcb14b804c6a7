"""facts.json: what the service tells Prometheus about this server."""

from __future__ import annotations

import json
from pathlib import Path

from fake_server import FakeServer
from tls_files import TlsServer, pair

from toxctl import certificate, facts


def read(directory: Path) -> dict[str, float]:
    return dict(json.loads((directory / "facts.json").read_text()))


def test_a_deploy_is_recorded_when_it_is_confirmed(server: FakeServer) -> None:
    server.make_live("one")
    (server.config_path.parent / "facts.json").unlink(missing_ok=True)
    done = server.activate("--model", str(server.model("two").path))
    assert done.returncode == 0, done.stdout
    assert read(server.config_path.parent).keys() == {"deployed"}


def test_a_deploy_that_failed_is_not(server: FakeServer) -> None:
    server.make_live("one")
    (server.config_path.parent / "facts.json").unlink(missing_ok=True)
    assert server.activate("--model", str(server.model("bad", dies_when_live=True).path)).returncode
    assert not (server.config_path.parent / "facts.json").exists()


def test_the_end_of_a_certificate_is_recorded(tmp_path: Path) -> None:
    tls = TlsServer(tmp_path, {"mode": "files"})
    chain, key = pair()
    certificate.place(tls.config, {"certificate": chain, "key": key})
    directory = Path(tls.config.directory).parent
    ends = read(directory)["certificate_ends"]
    assert ends == round(certificate.certificate_store.live(tls.config).certificate.not_after)
    # A server of before this file has its certificate already.
    (directory / "facts.json").unlink()
    certificate.placeholder(tls.config)
    assert read(directory) == {"certificate_ends": ends}


def test_facts_are_added_to_those_that_are_there(tmp_path: Path) -> None:
    facts.record(str(tmp_path), deployed=1)
    facts.record(str(tmp_path), certificate_ends=2)
    facts.record(str(tmp_path), deployed=3)
    assert read(tmp_path) == {"deployed": 3, "certificate_ends": 2}
    assert (tmp_path / "facts.json").stat().st_mode & 0o777 == 0o644


def test_a_damaged_file_is_replaced_and_no_directory_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "facts.json").write_text("[")
    facts.record(str(tmp_path), deployed=1)
    assert read(tmp_path) == {"deployed": 1}
    facts.record(str(tmp_path / "none"), deployed=1)
    assert not (tmp_path / "none").exists()
