"""SELinux stays enforcing: the module compiles, allows little, and labels the files of the slots.

The module is compiled here, never enforced: a container has no SELinux policy of its own.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import parsers
import pytest
from parsers.error import ParseError
from rendered_files import SERVER_JSON, parsed
from rendering import VARIANTS, Variant, owners, render
from role_tree import PROJECT

SOURCE = "usr/local/share/tox_com_det/selinux/tox_com_det"
MISSING = [name for name in ("checkmodule", "semodule_package") if not shutil.which(name)]
EL = ("centos7", "el9")


def text(ending: str, system: str = "centos7", variant: Variant = VARIANTS[0]) -> str:
    template = f"{SOURCE}.{ending}.j2"
    return render(template, owners()[template], system, variant)


def label(path: str, variant: Variant = VARIANTS[0]) -> str | None:
    """Return the type of the path. If several patterns match, the last one counts."""
    known = parsers.file_contexts(text("fc", variant=variant))
    found = [kind for pattern, kind in known.items() if re.fullmatch(pattern, path)]
    return found[-1] if found else None


@pytest.mark.skipif(
    bool(MISSING),
    reason=f"{' and '.join(MISSING)} missing: apt-get install checkpolicy semodule-utils",
)
@pytest.mark.parametrize("system", EL)
def test_the_module_compiles_with_its_labels(tmp_path: Path, system: str):
    for ending in ("te", "fc"):
        (tmp_path / f"tox_com_det.{ending}").write_text(text(ending, system))
    for command in (
        "checkmodule -M -m tox_com_det.te",
        "checkmodule -M -m -o tox_com_det.mod tox_com_det.te",
        "semodule_package -o tox_com_det.pp -m tox_com_det.mod -f tox_com_det.fc",
    ):
        done = subprocess.run(  # noqa: S603 (words of the tests, no shell)
            command.split(), cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "tox_com_det.pp").stat().st_size > 1000


def test_nginx_may_connect_to_the_app_and_the_app_has_no_access_to_nginx():
    rules = parsers.policy(text("te"))
    nginx = [(what, kind, may) for who, what, kind, may in rules if "httpd_t" in who]
    assert ({"init_t", "unconfined_service_t"}, "unix_stream_socket", {"connectto"}) in nginx
    assert ({"httpd_var_run_t"}, "sock_file", {"getattr", "write"}) in nginx
    assert ({"etc_t"}, "lnk_file", {"getattr", "read"}) in nginx
    # Its limit of open files, without which it keeps systemd's after a reload.
    own = [(kind, may) for what, kind, may in nginx if what == {"self"}]
    assert sorted(own) == [("capability", {"sys_resource"}), ("process", {"setrlimit"})]
    for what, _, _ in nginx:
        if what == {"self"}:
            continue
        assert what <= {"init_t", "unconfined_service_t", "httpd_var_run_t", "etc_t"}
    assert not [what for _, what, _, _ in rules if "httpd_t" in what]


def test_classes_that_an_older_policy_lacks_are_optional():
    """process2 was added in Linux 4.14; if it were required, CentOS 7 could reject the module."""
    rules = "\n".join(line for line in text("te").splitlines() if not line.startswith("#"))
    before, *optional = rules.split("optional {")
    assert "process2" not in before
    assert any("process2" in block for block in optional)


def test_the_directory_of_each_slot_is_created_with_its_label():
    slots = re.findall(r'dir httpd_var_run_t "tox_com_det-(\w+)";', text("te"))
    assert slots == parsed(SERVER_JSON, "el9")["slots"]
    for slot in slots:
        assert label(f"/var/run/tox_com_det-{slot}/app.sock") == "httpd_var_run_t"


def test_systemd_may_run_the_programs_below_opt():
    app = "/opt/tox_com_det"
    assert label(f"{app}/releases/0.1.0-ab/venv/bin/uwsgi") == "bin_t"
    assert label("/opt/miniconda/bin/python3.11") == "bin_t"
    moved = Variant("moved", {"miniconda_prefix": "/opt/conda-24.1"})
    assert label("/opt/conda-24.1/bin/python3.11", moved) == "bin_t"
    assert label("/opt/conda-24_1/bin/python3.11", moved) is None
    assert label(f"{app}/releases/0.1.0-ab/tox_com_det/http/routes.py") is None


@pytest.mark.parametrize("line", ["permissive httpd_t;", "dontaudit httpd_t self:dir read;"])
def test_a_module_with_other_than_allow_rules_is_rejected(line: str):
    with pytest.raises(ParseError, match="is not allowed here"):
        parsers.policy(f"module a 1.0;\nrequire {{ type httpd_t; }}\n{line}\n")


def test_no_role_disables_selinux_or_sets_labels_by_hand():
    """Tasks, programs and templates are searched for every way to do it."""
    words = re.compile(
        r"\b(setenforce|chcon|semanage permissive|SELINUX=)|posix\.selinux\b|/etc/selinux/config"
    )
    sources = [
        *(PROJECT / "roles").rglob("*.yml"),
        *(PROJECT / "playbooks").rglob("*.yml"),
        *(path for path in (PROJECT / "templates").rglob("*") if path.is_file()),
        *(path for path in (PROJECT / "roles").glob("*/files/*") if path.is_file()),
    ]
    assert len(sources) > 50
    for path in sources:
        found = words.search(path.read_text(encoding="utf-8"))
        assert not found, f"{path}: {found[0]}"
