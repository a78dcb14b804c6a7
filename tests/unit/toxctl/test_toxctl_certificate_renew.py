"""Renewal: what is due is renewed, and whatever fails, the old certificate goes on being served."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fake_server import FakeServer
from tls_files import TlsServer, pair

from toxctl import acme, alarms, certificate, certificate_files, certificate_store, systemd, timers
from toxctl.certificate_alarms import SERVICE, TIMER
from toxctl.errors import ToxctlError
from toxctl.systemd import UnitState

UNREACHABLE = (
    "Saving debug log to /var/log/letsencrypt/letsencrypt.log",
    "An unexpected error occurred:",
    "requests.exceptions.ConnectionError: HTTPSConnectionPool(host='ca.example.org', port=443): "
    "Max retries exceeded with url: /directory",
    "Ask for help or search for solutions at https://community.letsencrypt.org.",
)
RATE_LIMITED = (
    "An unexpected error occurred:",
    "Error creating new order :: too many certificates (5) already issued for this exact set",
    "Ask for help or search for solutions at https://community.letsencrypt.org.",
)
NO_ACCOUNT = (
    "An unexpected error occurred:",
    "acme.messages.Error: urn:ietf:params:acme:error:accountDoesNotExist :: unable to find account",
)
OF_RENEWAL = (
    "Failed to renew certificate tox_com_det with error: The service is down for maintenance.",
    "All renewals failed. The following certificates could not be renewed:",
    "  /var/lib/tox_com_det/certbot/config/live/tox_com_det/fullchain.pem (failure)",
    "1 renew failure(s), 0 parse failure(s)",
)
NO_CHALLENGE = (
    "Certbot failed to authenticate some domains (authenticator: webroot).",
    "  Domain: toxic.example.org",
    "  Type:   connection",
    "  Detail: 203.0.113.7: Fetching http://toxic.example.org/.well-known: Connection refused",
    "Some challenges have failed.",
)


@pytest.fixture
def tls(tmp_path: Path) -> TlsServer:
    """A server whose certificate comes from an ACME server."""
    return TlsServer(tmp_path)


def at(monkeypatch: pytest.MonkeyPatch, tls: TlsServer, share: float) -> None:
    """Let so much of the live certificate's life be left."""
    live = certificate_store.live(tls.config)
    assert live is not None
    found = live.certificate
    now = found.not_after - share * (found.not_after - found.not_before)
    monkeypatch.setattr(certificate_files.time, "time", lambda: now)


def test_until_the_first_certificate_a_placeholder_is_served(tls: TlsServer) -> None:
    """nginx needs one to start, and it must run to answer the challenge."""
    assert certificate.placeholder(tls.config)["changed"] is True
    found = certificate.placeholder(tls.config)
    assert (found["changed"], found["source"]) == (False, "placeholder")
    assert "a placeholder one is served: run `fab renew-certificate`" in found["problem"]
    new = pair()
    tls.certbot_gives(*new)
    found = certificate.renew(tls.config)
    assert (found["changed"], found["source"], found["problem"]) == (True, "acme", None)
    assert tls.served() == new[0]
    assert certificate.renew(tls.config)["changed"] is False


def test_certbot_decides_what_is_due_with_the_settings_of_now(tls: TlsServer) -> None:
    tls.certbot_gives(*pair())
    certificate.renew(tls.config)
    words = tls.arguments()
    assert words[0] == "certonly"
    for option in ("--keep-until-expiring", "--non-interactive", "--renew-with-new-domains"):
        assert option in words
    assert not {"--force-renewal", "--preferred-profile", "--email"} & set(words)
    assert words[words.index("--domain") + 1] == "toxic.example.org"
    tls.write(names=["203.0.113.7"], email="a@example.org", acme_ca_file="/etc/ca.pem")
    certificate.renew(tls.config, force=True)
    words = tls.arguments()
    assert words[words.index("--ip-address") + 1] == "203.0.113.7"
    assert words[words.index("--preferred-profile") + 1] == "shortlived"
    assert words[words.index("--email") + 1] == "a@example.org"
    assert "--force-renewal" in words
    assert "--keep-until-expiring" not in words
    assert (tls.root / "authorities").read_text() == "/etc/ca.pem"


def test_with_the_settings_of_before_the_authority_is_not_asked_until_it_is_due(
    tls: TlsServer,
) -> None:
    """`certonly` fails where the authority does not answer, although nothing is due."""
    tls.certbot_gives(*pair())
    certificate.renew(tls.config)
    for force in (False, True):
        certificate.renew(tls.config, force=force)
        words = tls.arguments()
        assert words[0] == "renew"
        assert ("--force-renewal" in words) == force
        assert "--no-random-sleep-on-renew" in words
    # The renewal would use the account of before.
    (tls.root / "state/config/accounts/ca.example.org").mkdir(parents=True)
    certificate.renew(tls.config, new_account=True)
    assert tls.arguments()[0] == "certonly"
    assert "--force-renewal" in tls.arguments()


def test_changed_settings_are_asked_for_until_a_certificate_has_them(tls: TlsServer) -> None:
    tls.certbot_gives(*pair())
    certificate.renew(tls.config)
    tls.write(acme_profile="shortlived")
    for _ in range(2):  # certbot keeps what is not due, and with it the profile of before
        certificate.renew(tls.config)
        assert tls.arguments()[0] == "certonly"
    tls.certbot_gives(*pair())
    certificate.renew(tls.config)
    certificate.renew(tls.config)
    assert tls.arguments()[0] == "renew"


def test_another_authority_is_asked_at_once(tls: TlsServer) -> None:
    tls.certbot_gives(*pair())
    certificate.renew(tls.config)
    tls.write(acme_directory="https://other.example.org/directory")
    certificate.renew(tls.config)
    assert {"certonly", "--force-renewal"} <= set(tls.arguments())


def test_terms_are_accepted_only_by_the_one_who_set_that(tls: TlsServer) -> None:
    assert "--agree-tos" in acme.command(tls.config)
    tls.write(accept_terms=False)
    assert "--agree-tos" not in acme.command(tls.config)


def test_no_renewal_is_bound_to_a_number_of_days(tls: TlsServer) -> None:
    assert not any("renew-before" in word for word in acme.command(tls.config))


@pytest.mark.parametrize(
    ("lines", "words", "step"),
    [
        (UNREACHABLE, "Max retries exceeded", "run `fab renew-certificate` again"),
        (RATE_LIMITED, "too many certificates", "run `fab renew-certificate` again"),
        (NO_CHALLENGE, "Connection refused", "run `fab renew-certificate` again"),
        (OF_RENEWAL, "certificate: The service is down for maintenance; ", "run `fab renew-cert"),
        (NO_ACCOUNT, "unable to find account", "run `fab renew-certificate --new-account`"),
        ((), "no reason given", "run `fab renew-certificate` again"),
    ],
)
def test_a_renewal_that_fails_leaves_the_old_one_and_names_the_next_command(
    tls: TlsServer, lines: tuple[str, ...], words: str, step: str
) -> None:
    old = pair()
    tls.certbot_gives(*old)
    certificate.renew(tls.config)
    tls.certbot_fails(*lines)
    with pytest.raises(ToxctlError) as caught:
        certificate.renew(tls.config, force=True)
    message = str(caught.value)
    assert message.startswith("ca.example.org gave no certificate: ")
    assert words in message
    assert step in message
    assert "the acme certificate until " in message
    assert "\n" not in message
    assert tls.served() == old[0]


def test_a_new_account_is_registered_only_when_asked_for(tls: TlsServer) -> None:
    account = tls.root / "state/config/accounts/ca.example.org/directory/1/private_key.json"
    account.parent.mkdir(parents=True)
    account.write_text("{}")
    tls.certbot_gives(*pair())
    certificate.renew(tls.config)
    assert account.exists()
    certificate.renew(tls.config, new_account=True)
    assert not account.exists()
    assert list((tls.root / "state/old-accounts").rglob("private_key.json"))


def test_a_certificate_that_was_obtained_but_not_placed_is_placed_by_the_next_run(
    tls: TlsServer,
) -> None:
    certificate.placeholder(tls.config)
    new = pair()
    tls.certbot_gives(*new, already=True)  # by a run that was killed before it placed it
    assert certificate.renew(tls.config)["changed"] is True
    assert tls.served() == new[0]


def test_a_self_signed_one_is_renewed_in_the_second_half_of_its_life(
    tls: TlsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls.write(mode="selfsigned")
    assert certificate.renew(tls.config)["changed"] is True
    first = tls.served()
    at(monkeypatch, tls, 0.6)
    assert certificate.renew(tls.config)["changed"] is False
    at(monkeypatch, tls, 0.4)
    assert certificate.renew(tls.config)["changed"] is True
    assert tls.served() != first


def test_a_self_signed_one_follows_the_names(tls: TlsServer) -> None:
    tls.write(mode="selfsigned")
    certificate.renew(tls.config)
    tls.write(names=["203.0.113.7"])
    found = certificate.renew(tls.config)
    assert (found["changed"], found["names"]) == (True, ["203.0.113.7"])
    assert certificate.renew(tls.config, force=True)["changed"] is True


def test_files_of_the_laptop_are_not_renewed_here(tls: TlsServer) -> None:
    tls.write(mode="files")
    with pytest.raises(ToxctlError, match="comes from your files: put new files where"):
        certificate.renew(tls.config)


@pytest.fixture
def alarmed(serving: FakeServer, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A serving server with a self-signed certificate; states of units that a test can change."""
    TlsServer(serving.root, {"mode": "selfsigned"})
    states: dict[str, str] = {TIMER: "active", SERVICE: "inactive"}
    units = serving.root / "units"
    units.mkdir()
    (units / TIMER).touch()
    monkeypatch.setattr(timers, "UNITS", str(units))
    monkeypatch.setattr(
        systemd, "unit_state", lambda unit: UnitState(states.get(unit, "inactive"), "", 0, None)
    )
    return states


def warnings(serving: FakeServer) -> list[str]:
    from toxctl import config

    found = alarms.warnings(config.load(str(serving.config_path)), None, {})
    return [one for one in found if "certificate" in one]


def test_status_warns_where_nothing_renews_the_certificate(
    serving: FakeServer, alarmed: dict[str, Any]
) -> None:
    (without,) = warnings(serving)
    assert (
        "nginx has no certificate and key that it can read: run `fab renew-certificate`" in without
    )
    certificate.renew(certificate.load(str(serving.root / "tls.json")))
    assert warnings(serving) == []
    alarmed[SERVICE] = "failed"
    assert warnings(serving) == [
        "the last renewal of the certificate failed: run `fab renew-certificate`"
    ]
    alarmed[TIMER] = "inactive"
    (stopped,) = warnings(serving)
    assert stopped.endswith(
        "nothing renews the certificate: run `ansible-playbook site.yml --tags tls`"
    )


def test_status_shows_the_certificate(serving: FakeServer) -> None:
    assert serving.json("status", "--quick").result["certificate"] is None
    TlsServer(serving.root, {"mode": "selfsigned"})
    certificate.renew(certificate.load(str(serving.root / "tls.json")))
    found = serving.json("status", "--quick").result["certificate"]
    assert (found["mode"], found["names"]) == ("selfsigned", ["toxic.example.org"])
    text = serving.run("status", "--quick").stdout
    assert "certificate: selfsigned, for toxic.example.org, until " in text


def test_on_a_balancer_certbot_answers_the_challenges_itself(tmp_path: Path) -> None:
    behind = TlsServer(tmp_path, {"challenge_port": 8123})
    words = acme.command(behind.config)
    assert "--webroot" not in words
    options = ["--standalone", "--http-01-address", "127.0.0.1", "--http-01-port", "8123"]
    start = words.index("--standalone")
    assert words[start : start + 5] == options


@pytest.mark.parametrize("mode", ["acme", "selfsigned"])
def test_a_lost_key_is_due(tls: TlsServer, mode: str) -> None:
    tls.write(mode=mode)
    given = pair()
    tls.certbot_gives(*given)
    certificate.renew(tls.config)
    assert certificate.renew(tls.config)["changed"] is False
    Path(tls.config.live, "privkey.pem").unlink()
    assert "run `fab renew-certificate`" in str(certificate.report(tls.config)["problem"])
    found = certificate.renew(tls.config)
    assert (found["changed"], found["source"], found["problem"]) == (True, mode, None)
