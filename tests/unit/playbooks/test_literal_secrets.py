"""A secret is taken as it is written, whatever is in it, and is in no output."""

from __future__ import annotations

import base64
import json
import os
import re
from pathlib import Path
from urllib.parse import quote

import pytest
import yaml
from ansible_programs import run

from controller.deploy.inventory import read_hosts
from controller.values.secrets import is_template

CANARY = "canary-1f2e3d"
# Each contains the canary where an error message would quote it.
SECRETS = [
    f"a{{{{{CANARY}",
    f"{{{{ {CANARY} }}}}",
    f"{{{{ 'x{CANARY}' }}}}",
    "{{canary_1f2e3d}}",
    f"{{% {CANARY} %}}",
    f"{{# {CANARY} #}}",
    f"}}}}{CANARY}%}}",
    f"{CANARY}\"'$x%h%%@:/\\n`\\",
    f" {CANARY} ü€😀 ",
]
TEMPLATES = ["{{ vault_other }}", "{{ lookup('env', 'HOME') }}", "{{ own_word }}x"]


def inventory(directory: Path, variables: object, inline: object = None) -> Path:
    """An inventory with an encrypted vault, and its only host; nothing listens at its port."""
    password, directory = directory / "password", directory / "inventory"
    (directory / "group_vars/tox_com_det").mkdir(parents=True)
    host = {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_user": "deploy"}
    hosts = {"tox_com_det": {"hosts": {"x": {**host, **(inline or {})}}}}  # type: ignore[dict-item] # of a test
    (directory / "hosts.yml").write_text(yaml.safe_dump(hosts))
    plain = {
        "ansible_become_password": "{{ vault_sudo_user_password }}",
        "preflight_own_variables": ["own_word"],
        "own_word": "own",
        "sudo_user_nopasswd": True,
        "python_provider": "system",
    }
    (directory / "group_vars/tox_com_det/vars.yml").write_text(yaml.safe_dump(plain))
    vault = directory / "group_vars/tox_com_det/vault.yml"
    vault.write_text(yaml.safe_dump(variables, allow_unicode=True))
    password.write_text("open sesame\n")
    done = run("ansible-vault", "encrypt", f"--vault-password-file={password}", str(vault))
    assert done.returncode == 0
    return directory


def evaluated(directory: Path, names: list[str]) -> dict[str, str]:
    """The variables as a task gets them."""
    expression = ", ".join(f"'{name}': {name} | b64encode" for name in names)
    done = run(
        *("ansible", "x", "-i", str(directory), "-m", "debug", "-a"),
        json.dumps({"msg": "{{ {" + expression + "} | to_json }}"}),
        ANSIBLE_VAULT_PASSWORD_FILE=str(directory.with_name("password")),
        ANSIBLE_CALLBACK_RESULT_FORMAT="json",
    )
    assert done.returncode == 0, done.stdout
    coded = json.loads(done.stdout.partition("=>")[2])["msg"]
    coded = json.loads(coded) if isinstance(coded, str) else coded
    return {name: base64.b64decode(text).decode() for name, text in coded.items()}


def test_secrets_of_a_vault_are_literal_for_ansible_and_fab(tmp_path: Path, monkeypatch) -> None:
    variables = {f"vault_{number}": secret for number, secret in enumerate(SECRETS)}
    users = [{"name": "a", "password": one, "roles": []} for one in SECRETS]
    directory = inventory(
        tmp_path, {**variables, "vault_sudo_user_password": SECRETS[0], "vault_list": users}
    )
    got = evaluated(directory, [*variables, "vault_list[1].password", "ansible_become_password"])
    assert got == {
        **variables,
        "vault_list[1].password": SECRETS[1],
        "ansible_become_password": SECRETS[0],
    }
    monkeypatch.setenv("ANSIBLE_VAULT_PASSWORD_FILE", str(tmp_path / "password"))
    (host,) = read_hosts(str(directory))
    assert host.become_password == SECRETS[0]


def test_own_names_in_an_encrypted_file_and_inline_passwords_are_literal(tmp_path: Path) -> None:
    directory = inventory(tmp_path, {"own_word": SECRETS[0]}, {"ansible_password": SECRETS[1]})
    (directory / "group_vars/tox_com_det/vars.yml").write_text("own_other: 1\n")
    assert evaluated(directory, ["own_word", "ansible_password"]) == {
        "own_word": SECRETS[0],
        "ansible_password": SECRETS[1],
    }


def test_inline_vaults_are_literal_and_can_be_encoded(tmp_path: Path) -> None:
    directory = inventory(tmp_path, {"vault_sudo_user_password": "x"})
    made = run(
        *("ansible-vault", "encrypt_string", f"--vault-password-file={tmp_path}/password"),
        *("--name=vault_inline", SECRETS[0]),
    )
    assert made.returncode == 0
    encoded = 'vault_uri: "mongodb://a:{{ vault_inline | urlencode }}@h"'
    (directory / "group_vars/tox_com_det/inline.yml").write_text(f"{made.stdout}\n{encoded}\n")
    assert evaluated(directory, ["vault_inline", "vault_uri"]) == {
        "vault_inline": SECRETS[0],
        "vault_uri": f"mongodb://a:{quote(SECRETS[0])}@h",
    }


def test_templates_in_secrets_work_as_before(tmp_path: Path) -> None:
    variables = {f"vault_{number}": text for number, text in enumerate(TEMPLATES)}
    directory = inventory(
        tmp_path, {**variables, "vault_other": "other", "vault_sudo_user_password": "x"}
    )
    assert evaluated(directory, list(variables)) == {
        "vault_0": "other",
        "vault_1": os.environ["HOME"],
        "vault_2": "ownx",
    }


def test_a_run_with_wrong_values_shows_no_secret_at_any_verbosity(tmp_path: Path) -> None:
    directory = inventory(
        tmp_path,
        {
            "vault_sudo_user_password": SECRETS[0],
            "sudo_user_password_hash": SECRETS[1],
            "flask_app_mongodb_uri": f"mongodb://a:{SECRETS[0]}@h@h",
            "mongodb_access_users": [
                {"name": "a", "password": secret, "roles": ["wrong"]} for secret in SECRETS
            ],
            "mongodb_tls_certificate_key": "".join(SECRETS),
        },
    )
    (tmp_path / "extra.yml").write_text(yaml.safe_dump({"vault_other": SECRETS[3]}))
    done = run(
        *("ansible-playbook", "-i", str(directory), "site.yml", "-vvv", "--diff"),
        *("-e", f"@{tmp_path}/extra.yml"),
        ANSIBLE_VAULT_PASSWORD_FILE=str(tmp_path / "password"),
    )
    assert "flask_app_mongodb_uri has a wrong value, which is not shown" in done.stderr
    output = done.stdout + done.stderr
    assert not re.search("canary|1f2e3d", output, re.IGNORECASE)
    assert "Traceback" not in output


def test_a_login_that_fails_shows_no_secret(tmp_path: Path) -> None:
    directory = inventory(tmp_path, {"vault_sudo_user_password": SECRETS[0]})
    extra = json.dumps({"ansible_become_password": SECRETS[1], "ansible_become_pass": SECRETS[2]})
    done = run(
        *("ansible-playbook", "-i", str(directory), "site.yml", "-vvv", "-e", extra),
        ANSIBLE_VAULT_PASSWORD_FILE=str(tmp_path / "password"),
    )
    assert "Check that the server is reachable" in done.stdout
    # ansible-playbook shows its own command line with -vvv, and nothing else of it.
    assert CANARY not in done.stdout.partition("PLAY [")[2] + done.stderr


@pytest.mark.parametrize("text", TEMPLATES)
def test_text_that_names_known_variables_is_a_template(text: str) -> None:
    assert is_template(text, ["own_word"])


@pytest.mark.parametrize("text", [*SECRETS, "", "a", "{{ own_word }}", "{{ 7 * 7 }}", "{{", "{%"])
def test_anything_else_is_not(text: str) -> None:
    assert not is_template(text)
