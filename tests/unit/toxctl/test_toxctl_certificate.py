"""`toxctl certificate`: a pair that belongs together is live in one step, or nothing changes."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tls_files import TlsServer, pair

from toxctl import certificate, certificate_files, certificate_store, cli, tls_config
from toxctl.errors import ToxctlError

DAY = 86400


@pytest.fixture
def tls(tmp_path: Path) -> TlsServer:
    """A server whose certificate comes from files of the laptop."""
    return TlsServer(tmp_path, {"mode": "files"})


def place(tls: TlsServer, certificate_pem: str, key: str) -> dict[str, object]:
    return certificate.place(tls.config, {"certificate": certificate_pem, "key": key})


def run(tls: TlsServer, *words: str) -> int:
    return cli.main(["--config", tls.server_json, "--json", "certificate", *words])


def test_a_placed_pair_is_live_and_its_key_is_for_root_and_the_group_alone(tls: TlsServer) -> None:
    certificate_pem, key = pair("toxic.example.org")
    found = place(tls, certificate_pem, key)
    assert (found["changed"], found["source"], found["problem"]) == (True, "files", None)
    assert tls.served() == certificate_pem
    live = Path(tls.config.live)
    assert (live / "privkey.pem").read_text() == key
    assert (live / "privkey.pem").stat().st_mode & 0o777 == 0o640
    assert live.stat().st_mode & 0o777 == 0o750
    assert os.readlink(live) == found["name"]  # relative, so the directory can be moved


def test_placing_the_same_pair_again_changes_nothing(tls: TlsServer) -> None:
    certificate_pem, key = pair()
    place(tls, certificate_pem, key)
    before = os.stat(tls.config.live).st_mtime_ns
    assert place(tls, certificate_pem, key)["changed"] is False
    assert os.stat(tls.config.live).st_mtime_ns == before


def test_the_live_one_and_the_one_before_it_are_kept(tls: TlsServer) -> None:
    pairs = [pair() for _ in range(4)]
    names = [str(place(tls, *one)["name"]) for one in pairs]
    assert sorted(names[-2:]) == sorted(
        entry.name for entry in Path(tls.config.directory).iterdir() if not entry.is_symlink()
    )
    # One that was live before can become live again.
    assert place(tls, *pairs[-2])["name"] == names[-2]
    assert tls.served() == pairs[-2][0]


def wrong_pairs() -> dict[str, tuple[str, str, str]]:
    certificate_pem, key = pair()
    return {
        "key_of_another": (certificate_pem, pair()[1], "is not the private key of fullchain.pem"),
        "no_certificate": ("nothing", key, "fullchain.pem holds no certificate in PEM form"),
        "no_key": (certificate_pem, "nothing", "are not a certificate and its key"),
    }


@pytest.mark.parametrize("case", wrong_pairs())
def test_a_wrong_pair_is_refused_and_the_old_one_stays(tls: TlsServer, case: str) -> None:
    old = pair()
    place(tls, *old)
    certificate_pem, key, words = wrong_pairs()[case]
    with pytest.raises(ToxctlError, match=words) as caught:
        place(tls, certificate_pem, key)
    assert caught.value.kind == "certificate"
    assert str(caught.value).endswith("then run `ansible-playbook site.yml --tags tls`")
    assert str(tls.root) not in str(caught.value)
    assert tls.served() == old[0]
    assert len(list(Path(tls.config.directory).iterdir())) == 2  # itself and the link


def test_an_ended_certificate_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate_pem, key = pair(days=1)
    (tmp_path / "c.pem").write_text(certificate_pem)
    (tmp_path / "k.pem").write_text(key)
    found = certificate_files.check_pair(str(tmp_path / "c.pem"), str(tmp_path / "k.pem"))
    monkeypatch.setattr(certificate_files.time, "time", lambda: found.not_after + 1)
    with pytest.raises(ToxctlError, match=r"c\.pem ended at "):
        certificate_files.check_pair(str(tmp_path / "c.pem"), str(tmp_path / "k.pem"))


def test_a_key_with_a_passphrase_is_refused(tmp_path: Path) -> None:
    certificate_pem, key = pair()
    (tmp_path / "c.pem").write_text(certificate_pem)
    (tmp_path / "plain.pem").write_text(key)
    words = ["openssl", "ec", "-in", str(tmp_path / "plain.pem"), "-aes128"]
    words += ["-passout", "pass:secret", "-out", str(tmp_path / "k.pem")]
    subprocess.run(words, check=True, capture_output=True)  # noqa: S603 (fixed words)
    with pytest.raises(ToxctlError, match="has a passphrase, which nginx cannot enter"):
        certificate_files.check_pair(str(tmp_path / "c.pem"), str(tmp_path / "k.pem"))


def test_names_and_addresses_are_read_in_one_form(tmp_path: Path) -> None:
    certificate_pem, _ = pair("Toxic.Example.ORG", "203.0.113.7", "2001:db8::7", days=30)
    (tmp_path / "c.pem").write_text(certificate_pem)
    found = certificate_files.read(str(tmp_path / "c.pem"))
    assert found.names == ("2001:db8::7", "203.0.113.7", "toxic.example.org")
    assert found.not_after - found.not_before == 30 * DAY
    assert found.left(found.not_before) == 1
    assert found.left(found.not_after - 10 * DAY) == pytest.approx(1 / 3)


def test_names_are_read_from_a_certificate_without_a_common_name(tmp_path: Path) -> None:
    """Its names are marked as critical (RFC 5280): so does Let's Encrypt for addresses."""
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "6", "-subj", "/"]
    words += ["-addext", "subjectAltName=critical,DNS:toxic.example.org,IP:203.0.113.7"]
    words += ["-keyout", str(tmp_path / "k.pem"), "-out", str(tmp_path / "c.pem")]
    subprocess.run(words, check=True, capture_output=True)  # noqa: S603 (fixed words)
    found = certificate_files.read(str(tmp_path / "c.pem"))
    assert found.names == ("203.0.113.7", "toxic.example.org")


@pytest.mark.parametrize(
    ("days_left", "words"),
    [(31, None), (29, "32% of its life is left"), (-1, "clients refuse it")],
)
def test_below_a_third_of_its_life_it_is_a_problem_with_the_next_command(
    tls: TlsServer, monkeypatch: pytest.MonkeyPatch, days_left: int, words: str | None
) -> None:
    place(tls, *pair(days=90))
    end = certificate_store.Live(os.path.realpath(tls.config.live)).certificate.not_after
    monkeypatch.setattr(certificate_files.time, "time", lambda: end - days_left * DAY)
    problem = certificate.report(tls.config)["problem"]
    if words is None:
        assert problem is None
    else:
        assert words in problem
        assert "then run `ansible-playbook site.yml --tags tls`" in problem


def test_a_certificate_for_other_names_is_a_problem(tls: TlsServer) -> None:
    tls.write(names=["toxic.example.org", "203.0.113.7"])
    place(tls, *pair("*.example.org"))
    assert "is not valid for 203.0.113.7: " in certificate.report(tls.config)["problem"]


def test_the_verb_needs_no_server_json(
    tls: TlsServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """nginx needs a certificate before the service is installed."""
    assert run(tls, "status") == 0
    result = json.loads(capsys.readouterr().out)["result"]
    assert result["name"] is None
    assert "no certificate and key that it can read" in result["problem"]


def test_without_tls_the_verb_says_what_to_set(
    tls: TlsServer, capsys: pytest.CaptureFixture[str]
) -> None:
    (tls.root / "tls.json").unlink()
    assert run(tls, "renew") == 1
    error = json.loads(capsys.readouterr().out)
    assert error["kind"] == "config"
    assert "set tls_mode, then run `ansible-playbook site.yml`" in error["error"]


@pytest.mark.parametrize(
    "changed", [{"mode": "on"}, {"names": [""]}, {"selfsigned_days": 0}, {"group": None}]
)
def test_a_wrong_tls_json_is_refused_by_its_key(tls: TlsServer, changed: dict[str, object]) -> None:
    tls.write(**changed)
    with pytest.raises(ToxctlError, match=f"has no {next(iter(changed))}, or a wrong one"):
        tls_config.load(str(tls.root / "tls.json"))


def test_two_commands_do_not_work_on_the_certificate_at_once(tls: TlsServer) -> None:
    with (
        certificate_store.locked(tls.config),
        pytest.raises(ToxctlError, match="wait, then rerun this one"),
    ):
        place(tls, *pair())


def no_key(path: Path) -> None:
    path.unlink()


def empty_key(path: Path) -> None:
    path.write_text("")


def other_key(path: Path) -> None:
    path.write_text(pair()[1])


def key_for_its_owner_alone(path: Path) -> None:
    path.chmod(0o600)


def directory_for_its_owner_alone(path: Path) -> None:
    path.parent.chmod(0o700)


@pytest.mark.parametrize(
    "lose",
    [no_key, empty_key, other_key, key_for_its_owner_alone, directory_for_its_owner_alone],
)
def test_a_key_that_nginx_cannot_use_is_a_problem_and_placing_the_pair_again_mends_it(
    tls: TlsServer, lose: Callable[[Path], None]
) -> None:
    given = pair()
    place(tls, *given)
    key = Path(os.path.realpath(tls.config.live), "privkey.pem")
    lose(key)
    problem = certificate.report(tls.config)["problem"]
    assert "no certificate and key that it can read: put new files where" in problem
    found = place(tls, *given)
    assert (found["changed"], found["problem"]) == (True, None)
    assert key.read_text() == given[1]
    assert key.stat().st_mode & 0o777 == 0o640
