"""Every template, rendered for every system and choice, is in the form that its program reads."""

from __future__ import annotations

import configparser
from functools import cache

import pytest
import template_forms as forms
from ansible.errors import AnsibleUndefinedVariable
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from rendering import (
    SYSTEMS,
    TREE,
    VARIANTS,
    Variant,
    evaluate,
    managed_text,
    owners,
    render,
    render_text,
    variables,
)
from role_tree import PROJECT
from template_forms import FORMS, FormError

DEFAULTS = VARIANTS[0]
CASES = [
    pytest.param(template, system, variant, id=f"{template}-{system}-{variant.name}")
    for template in TREE.templates
    for variant in VARIANTS
    for system in variant.systems
]
NGINX = "etc/nginx/nginx.conf.j2"
SLOT = "etc/systemd/system/tox_com_det@.service.j2"
RECOVER = "etc/systemd/system/tox_com_det-recover.service.j2"
SECANTUSDB = "etc/systemd/system/secantusdb.service.j2"
MONGOD_LIMITS = "etc/systemd/system/mongod.service.d/tox_com_det.conf.j2"
SERVER_JSON = "etc/tox_com_det/server.json.j2"
GUNICORN = "etc/tox_com_det/gunicorn.conf.py.j2"
UWSGI = "etc/tox_com_det/uwsgi.ini.j2"

SYSTEMD = {"centos7": 219, "el9": 252, "debian12": 252}
LISTS = PROJECT / "tests/fixtures/systemd"
# What came after Debian 12's; nothing that is used here went away until 256.
SINCE_252 = {
    256: "ImportCredential MemoryKSM MemoryPressureThresholdSec MemoryPressureWatch MemoryZSwapMax "
    "MemoryZSwapWriteback OpenFile RestartMaxDelaySec RestartMode RestartSteps "
    "RootEphemeral SetLoginEnvironment SurviveFinalKillSignal",
}
UNITS = (SLOT, RECOVER, SECANTUSDB, MONGOD_LIMITS)


@cache
def rendered(template: str, system: str, variant: int = 0) -> str:
    return render(template, owners()[template], system, VARIANTS[variant])


def parsed(template: str, system: str, variant: int = 0) -> object:
    return FORMS[template](rendered(template, system, variant))


def directives(template: str, system: str) -> dict[str, str]:
    return {name: value for _, name, value in parsed(template, system)}


def test_every_template_has_a_form():
    assert sorted(FORMS) == TREE.templates, "add its parser to FORMS in template_forms.py"


@pytest.mark.parametrize(("template", "system", "variant"), CASES)
def test_a_template_becomes_a_file_in_its_programs_form(
    template: str, system: str, variant: Variant
):
    text = rendered(template, system, VARIANTS.index(variant))
    FORMS[template](text)
    assert managed_text() in text
    assert text.endswith("\n")
    assert not text.startswith("\n")
    assert "\n\n\n" not in text


def test_an_undefined_variable_is_fatal():
    role = owners()[NGINX]
    values = variables(role, "debian12", DEFAULTS)
    del values["nginx_listen_port"]
    text = (role.path / "templates" / NGINX).read_text(encoding="utf-8")
    with pytest.raises(AnsibleUndefinedVariable, match="nginx_listen_port"):
        render_text(text, {**values, "ansible_managed": "here"})


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_tasks_that_a_system_chooses_are_there(system: str):
    chosen = 0
    for role in TREE.roles:
        for name, value in variables(role, system, DEFAULTS).items():
            if name.startswith("__") and name.endswith("_tasks"):
                assert (role.path / "tasks" / value).is_file(), name
                chosen += 1
    assert chosen


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_default_that_is_worked_out_has_the_type_of_its_option(system: str):
    for role in TREE.roles:
        for variant in VARIANTS:
            values = variables(role, system, variant)
            for name in role.defaults:
                checked = ArgumentSpecValidator({name: role.spec[name]})
                value = evaluate(values[name], values)
                assert not checked.validate({name: value}).error_messages
                if role.spec[name]["type"] in ("bool", "int"):
                    assert type(value).__name__ == role.spec[name]["type"], name


def known(version: int) -> dict[str, set[str]]:
    """Return the directives of a service's unit by section, as that systemd itself lists them."""
    listed = configparser.ConfigParser(allow_no_value=True, delimiters=("=",))
    listed.optionxform = str
    listed.read(LISTS / f"{min(version, 252)}.txt", encoding="utf-8")
    found = {
        section: {name for line in listed[section] for name in line.split()}
        for section in listed.sections()
    }
    found["Service"] |= set(SINCE_252.get(version, "").split())
    return found


@pytest.mark.parametrize(("system", "version"), [*SYSTEMD.items(), ("el9", 256), ("debian12", 256)])
def test_systemd_knows_every_directive_and_the_newest_form_of_its_value(system: str, version: int):
    there = known(version)
    for template in UNITS:
        for section, name, value in parsed(template, system):
            assert name in there[section], f"{template}: systemd {version} passes over {name}"
            if (name, value) == ("ProtectSystem", "strict"):
                assert version >= 232, template


@pytest.mark.parametrize("template", [SLOT, SECANTUSDB])
def test_every_system_gets_the_strongest_form_that_it_understands(template: str):
    """What systemd 219 cannot be told is what it does not know: nothing else is left out there."""
    modern, old = directives(template, "debian12"), directives(template, "centos7")
    said_otherwise = {"MemoryMax", "ProtectSystem", "ReadWritePaths", "StartLimitIntervalSec"}
    everything = set().union(*known(219).values())
    assert set(modern) - set(old) - said_otherwise == (set(modern) - everything) - said_otherwise
    assert old["MemoryLimit"] == modern["MemoryMax"]
    assert old["ReadOnlyDirectories"] == "/"
    assert modern["ProtectSystem"] == "strict"
    if template == SLOT:
        assert old["StartLimitInterval"] == modern["StartLimitIntervalSec"] == "0"


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_slot_may_write_its_own_sockets_directory(system: str):
    """systemd opens RuntimeDirectory= by itself under strict, 219 does not and takes no %i."""
    writable = directives(SLOT, system).get("ReadWriteDirectories", "").split()
    slots = parsed(SERVER_JSON, system)["slots"]
    assert writable in ([], [f"-/run/tox_com_det-{slot}" for slot in slots])
    assert bool(writable) == (SYSTEMD[system] < 232)


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_slot_outlives_its_slowest_request(system: str):
    for index in range(len(VARIANTS)):
        if system in VARIANTS[index].systems:
            stop = dict(pair[1:] for pair in parsed(SLOT, system, index))["TimeoutStopSec"]
            uwsgi = parsed(UWSGI, system, index)["uwsgi"]
            assert int(uwsgi["harakiri"]) < int(stop)
            assert int(uwsgi["worker-reload-mercy"]) < int(stop)
            assert parsed(GUNICORN, system, index)["graceful_timeout"] < int(stop)


@pytest.mark.parametrize(
    ("variant", "python"),
    [
        ("defaults", "/opt/miniconda/bin/python3.11"),
        ("own_choices", "/opt/python/bin/python3.11"),
        ("system_python", "/usr/bin/python3.11"),
    ],
)
def test_slots_run_on_the_python_that_the_inventory_chose(variant: str, python: str):
    index = [one.name for one in VARIANTS].index(variant)
    start = dict(pair[1:] for pair in parsed(SLOT, "el9", index))["ExecStart"]
    assert start == f"{python} /opt/tox_com_det/bin/run-slot %i"
    assert parsed(SERVER_JSON, "el9", index)["slotctl"].startswith(f"{python} ")


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_boot_goes_back_to_what_was_confirmed_before_anything_serves(system: str):
    server, recover = parsed(SERVER_JSON, system), directives(RECOVER, system)
    slots = {server["unit"].format(slot=slot) for slot in server["slots"]}
    assert set(recover["Before"].split()) == {"nginx.service"} | slots
    assert recover["ExecStart"] == f"{server['slotctl']} recover --boot"


@pytest.mark.parametrize("system", SYSTEMS)
def test_nginx_deploys_and_slots_mean_the_same_sockets_and_ports(system: str):
    main, server = parsed(NGINX, system), parsed(SERVER_JSON, system)
    (live,) = (one for one in main.all("upstream") if one.arguments == ("live",))
    assert next(live.all("server")).arguments[0] == f"unix:{server['live_link']}"
    passes = {one.arguments[0] for one in main.all("uwsgi_pass")}
    sockets = {f"unix:{server['socket'].format(slot=slot)}" for slot in server["slots"]}
    assert passes == {"live"} | sockets
    runtime = "/run/" + directives(SLOT, system)["RuntimeDirectory"]
    for slot in server["slots"]:
        assert f"{runtime}/app.sock".replace("%i", slot) == server["socket"].format(slot=slot)
    assert parsed(UWSGI, system)["uwsgi"]["socket"] == server["socket"].format(
        slot="$(TOX_COM_DET_SLOT)"
    )
    listened = {one.arguments[0] for one in main.all("listen")}
    assert server["probe_url"].removeprefix("http://") in listened
    assert str(server["http_port"]) in listened


def test_nginx_speaks_the_language_of_the_chosen_server():
    """Both servers listen at the same sockets, so slots and deploys do not know the difference."""
    chosen = [one.name for one in VARIANTS].index("gunicorn")
    assert "SLOT_SERVER=uwsgi\n" in rendered("etc/tox_com_det/app.env.j2", "centos7")
    assert "SLOT_SERVER=gunicorn\n" in rendered("etc/tox_com_det/app.env.j2", "centos7", chosen)
    for system in SYSTEMS:
        uwsgi, http = parsed(NGINX, system), parsed(NGINX, system, chosen)
        assert not list(uwsgi.all("proxy_pass"))
        assert not list(http.all("uwsgi_pass"))
        wanted = [f"http://{one.arguments[0]}" for one in uwsgi.all("uwsgi_pass")]
        assert [one.arguments[0] for one in http.all("proxy_pass")] == wanted
        settings = parsed(GUNICORN, system, chosen)
        assert settings["bind"] == ["unix:/run/tox_com_det-blue/app.sock"]
        assert settings["umask"] == 0o777 & ~0o660
        assert settings["threads"] == int(parsed(UWSGI, system)["uwsgi"]["threads"])
        assert settings["wsgi_app"] == parsed(UWSGI, system)["uwsgi"]["module"]


@pytest.mark.parametrize("key", ["http_port", "probe_url"])
def test_deploys_ask_nginx_at_the_ports_that_the_inventory_gives_it(key: str):
    ports = {"nginx_listen_port": 8000, "nginx_probe_port": 8001}
    text = render(SERVER_JSON, owners()[SERVER_JSON], "debian12", Variant("ports", ports))
    wanted = {"http_port": 8000, "probe_url": "http://127.0.0.1:8001"}
    assert forms.server_json(text)[key] == wanted[key]


@pytest.mark.parametrize("system", SYSTEMS)
def test_nginx_may_reach_the_slots_sockets(system: str):
    """The runtime directory is of the slot's group, which has to be the group of nginx's user."""
    (user,) = (one.arguments[0] for one in parsed(NGINX, system).block if one.name == "user")
    assert directives(SLOT, system)["Group"] == user


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_service_looks_for_the_database_where_it_listens(system: str):
    settings = parsed("etc/tox_com_det/app.env.j2", system)
    mongod = parsed("etc/mongod.conf.j2", system)
    listens = f"{mongod['net.bindIp']}:{mongod['net.port']}"
    assert settings.mongodb_uri == f"mongodb://{listens}"
    host, port = listens.split(":")
    assert f"--host {host} --port {port} " in directives(SECANTUSDB, system)["ExecStart"]


def test_the_journal_is_named_only_to_a_mongod_that_takes_it():
    for index, variant in enumerate(VARIANTS):
        for system in variant.systems:
            version = variant.inventory.get(
                "mongodb_version", "4.0" if system == "centos7" else "8.0"
            )
            named = "storage.journal.enabled" in parsed("etc/mongod.conf.j2", system, index)
            assert named == (float(version) < 6.1)


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_firewall_lets_in_sshds_own_ports(system: str):
    assert parsed("etc/firewalld/zones/public.xml.j2", system) == (
        ["http", "https"],
        ["22/tcp", "2222/tcp"],
    )


def test_sudo_reads_the_file():
    """sudo passes over files in sudoers.d with a dot in their names, or a ~ at the end."""
    names = [path for path in TREE.templates if "/sudoers.d/" in path]
    assert names
    assert not [path for path in names if "." in path.split("/")[-1].removesuffix(".j2")]


GOOD = {
    "apt": (forms.apt, 'A::B "1";\n'),
    "dnf": (forms.dnf_automatic, "[commands]\nupgrade_type = security\n"),
    "environment": (forms.environment, "TOX_COM_DET_MAX_TEXTS=1\n"),
    "gunicorn": (forms.gunicorn, "import os\n_a = os.environ['TOX_COM_DET_SLOT']\nthreads = 2\n"),
    "json": (forms.server_json, None),
    "mongod": (forms.mongod, "net:\n  port: 1\n"),
    "nginx": (
        forms.nginx,
        "events {\n}\nhttp {\n  upstream a {\n    server unix:/a;\n  }\n"
        "  server {\n    listen 80;\n    location / {\n      uwsgi_pass a;\n    }\n  }\n}\n",
    ),
    "sshd": (forms.sshd, "PermitRootLogin no\n"),
    "sudoers": (forms.sudoers, "one ALL=(ALL) ALL\n"),
    "repositories": (
        forms.yum_repositories,
        "[a]\nname=a\nbaseurl=https://a/\nenabled=1\ngpgcheck=1\n",
    ),
    "unit": (
        forms.unit,
        "[Unit]\nDescription=A\n[Service]\nExecStart=/a\nUMask=0027\n[Install]\nWantedBy=a.target\n",
    ),
    "uwsgi": (forms.uwsgi, "[uwsgi]\nthreads = 2\n"),
    "zone": (forms.zone, '<zone><service name="a"/><port port="1" protocol="tcp"/></zone>'),
}
BROKEN = [
    ("apt", '";', '"', "no setting of apt"),
    ("apt", 'A::B "1";', 'A::B "1";\nA::B "2";', "stands twice"),
    ("dnf", "upgrade_type", "update_type", "update_type is not known"),
    ("dnf", "security", "secure", "cannot be 'secure'"),
    ("environment", "MAX_TEXTS", "MAX_TEXT", "MAX_TEXT is not a setting"),
    ("environment", "=1", "=none", "MAX_TEXTS"),
    ("environment", "=1", "=1 # one", "no variable"),
    ("gunicorn", "threads", "thread", "thread is not known"),
    ("gunicorn", "2", "'two'", "threads cannot be 'two'"),
    ("gunicorn", "2", "two", "NameError"),
    ("json", '"user"', '"usr"', "no user"),
    ("json", "{\n", "\n", "not JSON"),
    ("mongod", "port", "prot", "net.prot is not known"),
    ("mongod", "port: 1", "port: one", "net.port cannot be 'one'"),
    ("mongod", "  port: 1", "  port: 1\n port: 2", "expected <block end>"),
    ("nginx", "    listen 80;\n", "    listen 80\n", "listen has 5 arguments|unexpected|not known"),
    ("nginx", "\n}\nhttp", "\nhttp", "does not belong into events|ends within"),
    ("nginx", "  }\n}\n", "  }\n}\n}\n", "unexpected }"),
    ("nginx", "listen 80;", "lisen 80;", "lisen is not known"),
    ("nginx", "listen 80;", "worker_connections 80;", "does not belong into server"),
    ("nginx", "listen 80;", "listen;", "listen has 0 arguments"),
    ("nginx", "listen 80;", 'return 404 \'{"a": 1}";', "cannot be read|ends within"),
    ("nginx", "listen 80;", "return 404 '$a';", r"uses \$a"),
    ("nginx", "uwsgi_pass a;", "uwsgi_pass a; uwsgi_pass a;", "uwsgi_pass is duplicate"),
    ("nginx", "uwsgi_pass a;", "uwsgi_pass b;", "names b, which is not there"),
    ("nginx", "uwsgi_pass a;", "proxy_pass http://b;", "names b, which is not there"),
    ("nginx", "uwsgi_pass a;", "proxy_pass a;", "does not begin with http://"),
    ("nginx", "listen 80;", "error_page 404 @b;", "names @b, which is not there"),
    ("nginx", "listen 80;", "limit_req zone=b;", "names b, which is not there"),
    ("nginx", "listen 80;", "access_log /a b;", "names b, which is not there"),
    ("repositories", "baseurl=https", "baseurl=htps", "baseurl cannot be"),
    ("repositories", "gpgcheck=1\n", "", "has no gpgcheck"),
    ("repositories", "[a]", "[a", "no section headers"),
    ("sshd", "PermitRoot", "PermitRot", "not known here"),
    ("sshd", "no\n", "no\nPermitRootLogin no\n", "stands twice"),
    ("sudoers", "one ", "one two ", "not one rule"),
    ("sudoers", "ALL\n", "ALL", "last line does not end"),
    ("unit", "[Unit]", "[Unti]", "no section"),
    ("unit", "UMask=0027", "Umask=0027", "Umask is not known"),
    ("unit", "UMask=0027", "UMask=27", "UMask cannot be '27'"),
    ("unit", "UMask=0027", "User=a=b", "User cannot be 'a=b'"),
    ("unit", "UMask=0027", "After=a", "After belongs into"),
    ("unit", "UMask=0027", "UMask", "no directive"),
    ("unit", "UMask=0027", "ExecStart=/b", "ExecStart stands there 2 times"),
    ("uwsgi", "threads", "thread", "thread is not known"),
    ("uwsgi", "threads = 2", "threads = 2\nthreads = 3", "already exists"),
    ("zone", "/></zone>", "></zone>", "mismatched tag"),
    ("zone", 'port="1"', 'port="0"', "is no port"),
    ("zone", "<service", "<servce", "not known"),
]


def good_text(form: str) -> str:
    return GOOD[form][1] or rendered(SERVER_JSON, "debian12")


@pytest.mark.parametrize("form", GOOD)
def test_a_form_takes_what_is_good(form: str):
    GOOD[form][0](good_text(form))


@pytest.mark.parametrize(("form", "good", "bad", "error"), BROKEN)
def test_a_form_refuses_what_is_broken(form: str, good: str, bad: str, error: str):
    assert good in good_text(form)
    with pytest.raises(FormError, match=error):
        GOOD[form][0](good_text(form).replace(good, bad, 1))
