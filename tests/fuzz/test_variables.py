"""Any value of any variable is accepted or is one line; enumerated from the specifications."""

from __future__ import annotations

from typing import Any

import pytest
from fuzzing import ANYTHING, TEXT, fuzz, is_one_line, paths_of, replaced, tried
from good_values import GOOD
from hypothesis import given
from hypothesis import strategies as st

from controller.values.options import options_of_roles
from controller.values.problems import CONTROL, problems_of
from controller.values.secrets import is_template, with_literals

OPTIONS = options_of_roles()
# What a file or a shell would read as more than one value.
ENDS = set("\n\r\0;`")
# Texts that a program gets as they are, with several lines or not as words of a file.
FREE = {
    "mongodb_access_users",
    "mongodb_replica_set_key",
    "mongodb_tls_certificate_key",
    "mongodb_tls_ca",
    "backup_ssh_private_key",
    "flask_app_mongodb_ca",
    "sudo_user_authorized_keys",
    "package_sources_centos_key",
    "package_sources_epel_key",
    "flask_app_mongodb_uri",
    "backup_password",
    "miniconda_environments",
}
# Lines of a file, paths of this computer, words of a command: no shell reads them.
LINES = {
    "backup_s3_key_id",
    "backup_s3_secret",
    "backup_ssh_known_hosts",
    "sudo_user_password_hash",
    "tls_acme_ca_file",
    "tls_certificate_file",
    "tls_email",
    "tls_key_file",
}


def texts_of(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for one in value.values() for text in texts_of(one)]
    if isinstance(value, list):
        return [text for one in value for text in texts_of(one)]
    return [value] if isinstance(value, str) else []


def check(name: str, value: Any) -> None:
    found = problems_of(name, value)
    for where, words in found:
        assert is_one_line(f"{where} {words}")
        assert (where + words).isprintable()
        if OPTIONS[name].get("no_log"):
            # The words of a format contain its example.
            shown = words.partition("it must be")[0]
            assert not any(len(text) > 3 and text in shown for text in texts_of(value))
    if not found:
        assert not any(CONTROL.search(text) for text in texts_of(value))
    if not found and name not in FREE:
        ends = ENDS - set(";`") if name in LINES else ENDS
        assert not any(ends & set(text) for text in texts_of(value))


def wrapped(name: str) -> st.SearchStrategy[Any]:
    """Values that come close: of the option's type, with anything in it."""
    option = OPTIONS[name]
    if option["type"] != "list":
        return TEXT
    if option["elements"] != "dict":
        return st.lists(TEXT, max_size=3)
    keys = {key: st.lists(ANYTHING, max_size=2) | ANYTHING for key in option["options"]}
    return st.lists(st.fixed_dictionaries({}, optional=keys), max_size=3)


@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_any_value_is_accepted_or_is_one_line(name: str) -> None:
    tried(name, 20, lambda value: check(name, value), ANYTHING | wrapped(name))


def good_of(name: str) -> Any:
    """A value with something in it that the option accepts."""
    return next((one for one in reversed(GOOD.get(name, [])) if one), OPTIONS[name].get("default"))


@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_a_good_value_with_a_piece_of_text_in_it_is_accepted_or_is_one_line(name: str) -> None:
    """Such as 300M and a blank, a second line or another value."""
    good = good_of(name)
    places = [place for place in paths_of(good) if not isinstance(at(good, place), (list, dict))]
    assert places or OPTIONS[name]["type"] == "list"
    assert problems_of(name, good) == []

    def near(place: tuple[Any, ...], text: str, after: bool) -> None:
        one = at(good, place)
        check(name, replaced(good, place, f"{one}{text}" if after else f"{text}{one}"))

    tried(name, 20, near, st.sampled_from(places), TEXT, st.booleans())


def at(value: Any, place: tuple[Any, ...]) -> Any:
    for key in place:
        value = value[key]
    return value


def test_every_option_but_those_of_choices_has_a_value_to_begin_with() -> None:
    free = {name for name, one in OPTIONS.items() if one["type"] != "bool" and "choices" not in one}
    assert [name for name in sorted(free) if good_of(name) in (None, "", [], {})] == []


@fuzz(300)
@given(TEXT | st.text(alphabet="{}%#|'\" ax7"), st.lists(TEXT, max_size=3))
def test_any_secret_is_a_template_or_literal(text: str, own: list[str]) -> None:
    marked = with_literals({"vault_x": {"a": [text]}, "other": text}, own, lambda _: "LITERAL")
    literal = "{" in text and not is_template(text, own)
    assert marked["vault_x"]["a"] == ["LITERAL" if literal else text]
    assert marked["other"] == text


@fuzz(60)
@given(st.dictionaries(st.just("vault_x") | st.just("ansible_password") | TEXT, ANYTHING))
def test_any_variables_have_their_secrets_marked(variables: dict[str, Any]) -> None:
    assert with_literals(variables, [], str).keys() == variables.keys()
