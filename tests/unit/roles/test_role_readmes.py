"""Each role's README is generated from the role, and `make lint` fails when it is out of date."""

from __future__ import annotations

from pathlib import Path

import pytest
import role_readmes
from sample_tree import write_sample


def readme(root: Path) -> str:
    return role_readmes.readme_of(root / "roles/web")


def test_every_readme_is_up_to_date(capsys: pytest.CaptureFixture):
    assert role_readmes.main(["--check"]) == 0, capsys.readouterr().err


def test_an_outdated_readme_fails_the_check_which_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture
):
    write_sample(tmp_path)
    assert role_readmes.main([], tmp_path) == 0
    assert role_readmes.main(["--check"], tmp_path) == 0
    path = tmp_path / "roles/web/meta/argument_specs.yml"
    path.write_text(path.read_text().replace("TCP port.", "Another port."))
    before = (tmp_path / "roles/web/README.md").read_text()
    capsys.readouterr()
    assert role_readmes.main(["--check"], tmp_path) == 1
    assert capsys.readouterr().err == ("roles/web/README.md is out of date: run `make docs`\n")
    assert (tmp_path / "roles/web/README.md").read_text() == before


def test_a_missing_readme_fails_the_check(tmp_path: Path):
    write_sample(tmp_path)
    assert role_readmes.main(["--check"], tmp_path) == 1
    assert [role.name for role in role_readmes.roles_of(tmp_path)] == ["proxy", "web"]


def test_a_readme_lists_variables_files_handlers_and_the_tag(tmp_path: Path):
    write_sample(tmp_path)
    text = readme(tmp_path)
    for line in (
        "# web",
        "A server.",
        "Run it alone: `ansible-playbook site.yml --tags web`.",
        "| `python_provider` | str | `own` | Python provider. One of `own`, `system`. |",
        "| `web_port` | int | `80` | TCP port. |",
        "| `web_release` | str | not set | Release, if not the system's. |",
        "| `web_users` | list of str | `[]` | Users who may log in. |",
        "| `/etc/web/users.json` | `templates/etc/web/users.json.j2` | yes |",
        "| `/etc/web/web.conf` | `templates/etc/web/web.conf.j2` | no checker |",
        "| Restart the server | Restart web |",
    ):
        assert line in text.splitlines()


def test_markup_and_bars_do_not_break_the_table(tmp_path: Path):
    write_sample(tmp_path)
    path = tmp_path / "roles/web/meta/argument_specs.yml"
    words = '"C(a | b), C(password_hash(1)) and U(https://example.org)."'
    path.write_text(path.read_text().replace("TCP port.", words))
    row = r"`a \| b`, `password_hash(1)` and <https://example.org>. |"
    assert f"| `web_port` | int | `80` | {row}" in readme(tmp_path).splitlines()
