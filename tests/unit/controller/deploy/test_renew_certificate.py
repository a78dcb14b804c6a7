"""`fab renew-certificate`, the certificate in `fab status`, and which one the laptop accepts."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from http.server import HTTPServer
from pathlib import Path
from typing import Any

import pytest
from local_remote import LocalRemote, error, lines, result
from test_predict import Service

from controller.deploy import predict
from controller.deploy.errors import DeployError
from controller.deploy.server import Server
from controller.deploy.tasks.renew_certificate import renew_certificate
from controller.deploy.tasks.status import status_lines
from toxctl import certificate_store, selfsigned

CERTIFICATE: dict[str, Any] = {
    "mode": "acme", "wanted": ["toxic.example.org"], "name": "0123456789ab", "source": "acme",
    "names": ["toxic.example.org"], "not_before": "2026-10-01T00:00:00Z",
    "not_after": "2026-12-30T00:00:00Z", "left": 0.381, "pin": None, "problem": None,
}  # fmt: skip
LINE = (
    "certificate: acme, for toxic.example.org, until 2026-12-30 00:00 UTC, 38% of its life is left"
)


def test_renewal_prints_what_is_served(
    remote: LocalRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    remote.answers["certificate"] = result({**CERTIFICATE, "changed": True})
    assert renew_certificate(Server(remote), force=True, new_account=True) is True
    assert remote.called("certificate") == [["certificate", "renew", "--force", "--new-account"]]
    out = capsys.readouterr().out
    assert f"nanode: {LINE}\n" in out
    assert "served from the next connection on" in out
    remote.answers["certificate"] = result({**CERTIFICATE, "changed": False})
    assert renew_certificate(Server(remote)) is False
    assert "not due, nothing was changed" in capsys.readouterr().out


def test_a_renewal_that_fails_is_an_error_with_toxctls_words(remote: LocalRemote) -> None:
    words = "ca gave no certificate: too many; the acme certificate until 2026 stays: run `fab ...`"
    remote.answers["certificate"] = error(words, "acme")
    with pytest.raises(DeployError) as caught:
        renew_certificate(Server(remote))
    assert str(caught.value) == words


def test_certbots_output_is_printed_where_it_is_asked_for(remote: LocalRemote) -> None:
    log = "/var/lib/tox_com_det/certbot/logs/letsencrypt.log"
    answer = {"error": "no", "kind": "acme", "details": "certbot said much", "log": log}
    remote.answers["certificate"] = lines(answer, code=1)
    with pytest.raises(DeployError) as caught:
        renew_certificate(Server(remote))
    assert str(caught.value) == f"no (certbot's output: {log} on the server, or add --verbose)"
    assert caught.value.details == ""
    with pytest.raises(DeployError) as caught:
        renew_certificate(Server(remote), verbose=True)
    assert caught.value.details == "certbot said much"


def test_dry_run_renews_nothing(remote: LocalRemote) -> None:
    assert renew_certificate(Server(remote), dry_run=True) is False
    assert remote.called("certificate") == []


def test_status_shows_the_certificate(remote: LocalRemote) -> None:
    assert LINE in status_lines(remote.status(certificate=CERTIFICATE))
    nothing = {**CERTIFICATE, "name": None}
    assert "certificate: none" in status_lines(remote.status(certificate=nothing))
    assert not any("certificate" in line for line in status_lines(remote.status(certificate=None)))


def test_the_certificate_to_accept_comes_over_ssh(remote: LocalRemote) -> None:
    assert Server(remote).pin is None
    remote.answers["status"] = result(remote.status(certificate={**CERTIFICATE, "pin": "ab" * 32}))
    assert Server(remote).pin == "ab" * 32


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """A service with a self-signed certificate for another name: its URL and the SHA-256."""
    certificate_pem, key = selfsigned.create(["toxic.example.org"], 30)
    (tmp_path / "fullchain.pem").write_text(certificate_pem)
    (tmp_path / "privkey.pem").write_text(key)
    service = Service()
    http: HTTPServer = service.http
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "fullchain.pem", tmp_path / "privkey.pem")
    http.socket = context.wrap_socket(http.socket, server_side=True)
    thread = threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield service.url.replace("http:", "https:"), certificate_store.Live(str(tmp_path)).sha256
    http.shutdown()
    http.server_close()
    thread.join()


def test_the_laptop_accepts_the_pinned_certificate_and_no_other(secure: tuple[str, str]) -> None:
    url, sha256 = secure
    assert predict.ask(url, "idiot", sha256).model == "m"
    with pytest.raises(DeployError, match="does not answer"):
        predict.ask(url, "idiot", "00" * 32)
    with pytest.raises(DeployError, match="does not answer"):
        predict.ask(url, "idiot")
