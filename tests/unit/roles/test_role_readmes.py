"""Every role's README says what the role is now, because nobody writes it by hand."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from role_tree import PROJECT
from sample_tree import write_sample


def script() -> ModuleType:
    path = PROJECT / "scripts/role_readmes.py"
    spec = importlib.util.spec_from_file_location("role_readmes", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


READMES = script()


def readme(root: Path) -> str:
    return READMES.readme_of(root / "roles/web")


def test_every_readme_is_what_the_role_says(capsys: pytest.CaptureFixture):
    assert READMES.main(["--check"]) == 0, capsys.readouterr().err


def test_a_stale_readme_fails_the_check_which_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture
):
    write_sample(tmp_path)
    assert READMES.main([], tmp_path) == 0
    assert READMES.main(["--check"], tmp_path) == 0
    path = tmp_path / "roles/web/meta/argument_specs.yml"
    path.write_text(path.read_text().replace("TCP port.", "Another port."))
    before = (tmp_path / "roles/web/README.md").read_text()
    capsys.readouterr()
    assert READMES.main(["--check"], tmp_path) == 1
    assert capsys.readouterr().err == (
        "roles/web/README.md does not say what the role does now: make docs\n"
    )
    assert (tmp_path / "roles/web/README.md").read_text() == before


def test_a_missing_readme_is_stale_and_a_role_that_went_is_not_looked_for(tmp_path: Path):
    write_sample(tmp_path)
    assert READMES.main(["--check"], tmp_path) == 1
    assert [role.name for role in READMES.roles_of(tmp_path)] == ["proxy", "web"]


def test_a_readme_tells_variables_files_handlers_and_the_tag(tmp_path: Path):
    write_sample(tmp_path)
    text = readme(tmp_path)
    for line in (
        "# web",
        "A server.",
        "Run it alone: `ansible-playbook site.yml --tags web`.",
        "| `python_provider` | str | `own` | Which Python. One of `own`, `system`. |",
        "| `web_port` | int | `80` | TCP port. |",
        "| `web_release` | str | not set | Release, where not the system's. |",
        "| `web_users` | list of str | `[]` | Who may come in. |",
        "| `/etc/web/users.json` | `templates/etc/web/users.json.j2` | yes |",
        "| `/etc/web/web.conf` | `templates/etc/web/web.conf.j2` | no checker |",
        "| Restart the server | Use the new settings |",
    ):
        assert line in text.splitlines()


def test_markup_and_bars_do_not_break_the_table(tmp_path: Path):
    write_sample(tmp_path)
    path = tmp_path / "roles/web/meta/argument_specs.yml"
    words = '"C(a | b), C(password_hash(1)) and U(https://example.org)."'
    path.write_text(path.read_text().replace("TCP port.", words))
    row = r"`a \| b`, `password_hash(1)` and <https://example.org>. |"
    assert f"| `web_port` | int | `80` | {row}" in readme(tmp_path).splitlines()
