"""HTTPS end to end: issued, renewed under load, refused, and looked at by testssl.sh.

The tests run in this order: each finds the certificate that the one before left.
"""

from __future__ import annotations

import http.client
import json
import re
import ssl
from collections import Counter

import pytest
from certificate_switch import BODY, HEADERS, measure
from conftest import HANG_SECONDS, NAME, handshake, run

ONE_LINE = re.compile(r"\Aerror: [^\n]+\n\Z")


def request(address, trust, method, path, body=None):
    """Ask over HTTPS, with the name in Host and in the handshake; return status and body."""
    connection = http.client.HTTPSConnection(NAME, timeout=HANG_SECONDS, context=trust)
    connection.sock = handshake(address, NAME, trust)
    connection.request(method, path, body, HEADERS)
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    return answer.status, data


def test_the_certificate_is_the_authoritys_and_for_the_name(address, context, toxctl):
    found = toxctl("status")
    assert (found["source"], found["names"], found["problem"]) == ("acme", [NAME], None)
    with handshake(address, NAME, context(), "h2", "http/1.1") as connection:
        assert connection.version() == "TLSv1.3"
        assert connection.selected_alpn_protocol() == "h2"


def test_the_service_answers_and_says_https(address, context):
    trust = context()
    assert request(address, trust, "POST", "/predict", BODY)[0] == 200
    status, data = request(address, trust, "GET", "/$discovery/rest?version=v1alpha1")
    assert (status, json.loads(data)["rootUrl"]) == (200, f"https://{NAME}/")
    status, page = request(address, trust, "GET", "/")
    assert (status, b"http://" + NAME.encode() in page) == (200, False)


def test_plain_http_is_redirected_and_a_post_stays_a_post(address):
    connection = http.client.HTTPConnection(address, timeout=HANG_SECONDS)
    connection.request("POST", "/v1alpha1/comments:analyze?a=b", BODY, {**HEADERS, "Host": NAME})
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 308
    assert answer.headers["Location"] == f"https://{NAME}/v1alpha1/comments:analyze?a=b"
    # Not the challenges.
    connection.request("GET", "/.well-known/acme-challenge/none", headers={"Host": NAME})
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 404
    connection.close()


def test_plain_http_at_the_port_of_https_is_an_error_in_json(address):
    connection = http.client.HTTPConnection(address, 443, timeout=HANG_SECONDS)
    connection.request("GET", "/livez")
    answer = connection.getresponse()
    assert answer.status == 400
    assert json.loads(answer.read())["error"]["code"] == "bad_request"
    connection.close()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_versions_of_tls_are_refused(address, version):
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = old.maximum_version = version
    with pytest.raises(ssl.SSLError):
        handshake(address, NAME, old)


def test_renewals_under_load_lose_no_request(address, toxctl):
    """50 connections post while the certificate is renewed ten times."""
    anybody = ssl.create_default_context()
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    renewed = []
    found = measure(
        f"https://{address}", anybody, lambda: renewed.append(toxctl("renew", "--force"))
    )
    print(f"\nrenewed ten times: {found.lost} of {found.requests} requests lost, {found.examples}")
    assert all(one["changed"] for one in renewed)
    assert len({one["name"] for one in renewed}) == 10
    assert found.lost == 0
    # Without a reload the connections stay open, so they have the certificate of their beginning.
    # nginx closes each after 1,000 requests.
    assert found.connections <= 60 + found.requests // 1000
    assert set(found.statuses) <= {200, 429}
    served = ssl.get_server_certificate((address, 443))
    with_new = measure(f"https://{address}", anybody, lambda: None, 1, 0.2, 1)
    assert with_new.certificates == {ssl.PEM_cert_to_DER_cert(served)}


def test_an_account_that_the_authority_does_not_know_names_the_next_command(host, toxctl):
    before = toxctl("status")
    with host.sudo():
        host.check_output("systemctl restart pebble")  # it forgets everything
        host.check_output(
            f"curl --retry {HANG_SECONDS} --retry-connrefused --retry-delay 1 --silent --cacert "
            "/etc/pebble/ca.pem https://localhost:14000/dir"
        )
    done = run("fab", "renew-certificate", "--force")
    assert done.returncode == 1
    assert ONE_LINE.match(done.stderr.splitlines(keepends=True)[0]), done.stderr
    assert "run `fab renew-certificate --force --new-account` to register a new one" in done.stderr
    assert toxctl("status")["name"] == before["name"]
    done = run("fab", "renew-certificate", "--new-account", "--force")
    assert done.returncode == 0, done.stderr
    assert "served from the next connection on" in done.stdout
    assert toxctl("status")["name"] != before["name"]


def test_an_authority_that_does_not_answer_leaves_the_old_certificate(address, host, toxctl):
    before = toxctl("status")
    with host.sudo():
        try:
            host.check_output("systemctl stop pebble")
            done = run("fab", "renew-certificate", "--force")
            # What the timer starts: nothing is due, so nobody is asked.
            host.check_output("systemctl start tox_com_det-certificate.service")
        finally:
            host.run("systemctl reset-failed tox_com_det-certificate.service")
            host.check_output("systemctl start pebble")
    assert done.returncode == 1
    assert "localhost:14000 gave no certificate: " in done.stderr
    assert "the acme certificate until " in done.stderr
    assert "run `fab renew-certificate --force` again" in done.stderr
    assert toxctl("status")["name"] == before["name"]
    assert ssl.get_server_certificate((address, 443))


def test_status_shows_the_certificate_and_the_service_answers(toxctl):
    done = run("fab", "status")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"certificate: acme, for {NAME}, until " in done.stdout
    assert "service: answers with model" in done.stdout


def test_an_ip_address_is_certified_and_renewed_beside_a_name(address, context, toxctl):
    """Of a certificate for an address alone pebble makes one that certbot cannot read again."""
    assert toxctl("renew", "--new-account")["changed"]  # pebble was restarted
    names = json.dumps({"tls_names": [NAME, address]})
    done = run("ansible-playbook", "site.yml", "--tags", "tls", "-e", names)
    assert done.returncode == 0, done.stdout[-3000:]
    found = toxctl("status")
    assert (found["source"], set(found["names"])) == ("acme", {NAME, address})
    assert found["problem"] is None
    done = run("ansible-playbook", "site.yml", "--tags", "tls", "-e", names)
    assert re.search(r"changed=0 .*failed=0", done.stdout), done.stdout[-3000:]
    assert toxctl("renew", "--force")["name"] != found["name"]
    with handshake(address, address, context()) as connection:
        subjects = connection.getpeercert()["subjectAltName"]
    assert ("IP Address", address) in subjects


def test_a_bare_ip_address_is_certified(address, context, toxctl):
    names = json.dumps({"tls_names": [address]})
    done = run("ansible-playbook", "site.yml", "--tags", "tls", "-e", names)
    assert done.returncode == 0, done.stdout[-3000:]
    found = toxctl("status")
    assert (found["source"], found["names"], found["problem"]) == ("acme", [address], None)
    with handshake(address, address, context()) as connection:
        assert connection.getpeercert()["subjectAltName"] == (("IP Address", address),)


def test_the_clients_of_googles_api_are_answered(address, host, tmp_path):
    """Over HTTPS at a bare IP address; scripts/test-clients says what it needs."""
    authority = tmp_path / "authority.pem"
    with host.sudo():
        root = "curl --silent --fail --cacert /etc/pebble/ca.pem https://localhost:15000/roots/0"
        authority.write_text(host.check_output(root))
    done = run("scripts/test-clients", f"https://{address}", str(authority))
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^=+ 10 passed in ", done.stdout, re.MULTILINE), done.stdout


def test_testssl_finds_nothing_that_was_not_chosen(address, host):
    """Its findings are printed; version 3.0 gives no grade."""
    with host.sudo():
        host.check_output(
            "curl --silent --fail --cacert /etc/pebble/ca.pem https://localhost:15000/roots/0 "
            "> /tmp/root.pem; rm -f /tmp/testssl.json"
        )
        host.run(
            "testssl --quiet --color 0 --warnings off --add-ca /tmp/root.pem "
            f"--jsonfile /tmp/testssl.json --ip one https://{address}"
        )
        found = json.loads(host.check_output("cat /tmp/testssl.json"))
    assert len(found) > 100
    counts = Counter(one["severity"] for one in found)
    print("\ntestssl.sh: " + ", ".join(f"{number} {name}" for name, number in counts.most_common()))
    bad = {one["id"]: one["finding"] for one in found if one["severity"] in ("HIGH", "CRITICAL")}
    print("\n".join(f"{name}: {finding}" for name, finding in bad.items()))
    # Mozilla lets the client choose among good ciphers; pebble names no place of revocations.
    assert bad.keys() <= {"cipher_order", "cert_revocation"}
