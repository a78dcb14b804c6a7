from pathlib import Path

import pytest

from tox_com_det.settings import Settings, SettingsError

MODEL = {"TOX_COM_DET_MODEL": "/srv/model"}


def test_only_the_model_is_required():
    settings = Settings.from_environment({**MODEL, "PATH": "/bin"})
    assert settings == Settings(model=Path("/srv/model"))
    assert (settings.cache_words, settings.max_texts, settings.max_chars) == (20000, 32, 20000)


def test_every_value_is_read():
    given = {
        "SLOT": "green",
        "MONGODB_URI": "mongodb://db:1",
        "MONGODB_TIMEOUT_MS": "500",
        "CACHE_WORDS": "0",
        "MAX_TEXTS": "1",
        "MAX_CHARS": "2",
        "MAX_BODY_BYTES": "1000",
    }
    environment = MODEL | {f"TOX_COM_DET_{name}": value for name, value in given.items()}
    environment |= {"SLOT_THREADS": "3", "SLOT_MAX_UNKNOWN_WORDS": "4"}
    assert Settings.from_environment(environment) == Settings(
        Path("/srv/model"), "green", "mongodb://db:1", 500, 0, 1, 2, 1000, 3, 4
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CACHE_WORD", "1"),
        ("MODEL", ""),
        ("SLOT", "Blue"),
        ("SLOT", "a\r\nX-Header: b"),
        ("MAX_TEXTS", "0"),
        ("MAX_TEXTS", "-1"),
        ("MAX_TEXTS", "ten"),
        ("MAX_TEXTS", "\u0663"),
        ("MAX_CHARS", "1e3"),
        ("MONGODB_TIMEOUT_MS", "1"),
    ],
)
def test_unknown_names_and_invalid_values_are_one_line_that_names_them(name, value):
    with pytest.raises(SettingsError, match=f"TOX_COM_DET_{name} is") as error:
        Settings.from_environment(MODEL | {f"TOX_COM_DET_{name}": value})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["SLOT_THREADS", "SLOT_MAX_UNKNOWN_WORDS"])
@pytest.mark.parametrize("value", ["0", "many", ""])
def test_invalid_values_without_the_prefix_are_refused(name, value):
    with pytest.raises(SettingsError, match=f"^{name} is "):
        Settings.from_environment(MODEL | {name: value})


@pytest.mark.parametrize(
    "uri",
    [
        "http://u:secret@db",
        "mongodb://u:secret@x@db",
        "mongodb://u:secret@db:port",
        "db",
        "mongodb://u:secret@db:99999",
        "mongodb://u:secret@db:0",
        # PyMongo would warn, and connect without TLS or with the last of two.
        "mongodb://u:secret@db/?tsl=true",
        "mongodb://u:secret@db/?tls=maybe",
        "mongodb://u:secret@db/?tls=true&tls=false",
        "mongodb://u:secret@db/?tls=true&tlsCAFile=/not/there.pem",
        "mongodb+srv://u:secret@db/?tls=maybe",
        "mongodb+srv://u:secret@db:27017/",
        "mongodb+srv://u:secret@db,other/",
    ],
)
def test_an_invalid_database_uri_is_refused_without_showing_its_password(uri):
    with pytest.raises(SettingsError, match="TOX_COM_DET_MONGODB_URI") as error:
        Settings.from_environment(MODEL | {"TOX_COM_DET_MONGODB_URI": uri})
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    "uri",
    [
        "mongodb://db",
        "mongodb://u:secret@a:1,b:65535,[::1]/?replicaSet=x&tls=true&tlsAllowInvalidHostnames=true",
        "mongodb://db/name?w=majority;readPreference=secondaryPreferred",
        "mongodb://db/?readPreferenceTags=dc:ny&readPreferenceTags=dc:sf&readPreference=nearest",
        "mongodb+srv://u:secret@cluster.example.org/db?retryWrites=true&srvMaxHosts=2",
    ],
)
def test_a_database_uri_is_taken_as_it_is(uri):
    given = Settings.from_environment(MODEL | {"TOX_COM_DET_MONGODB_URI": uri})
    assert given.mongodb_uri == uri


def test_keys_are_read_from_a_file_and_optional_by_default():
    given = {"SLOT_KEYS_FILE": "/etc/tox_com_det/keys.json", "SLOT_REQUIRE_KEY": "1"}
    settings = Settings.from_environment(MODEL | given)
    assert settings.keys_file == Path("/etc/tox_com_det/keys.json")
    assert settings.require_key
    settings = Settings.from_environment(MODEL | {"SLOT_KEYS_FILE": ""})
    assert (settings.keys_file, settings.require_key) == (None, False)


@pytest.mark.parametrize(
    ("name", "value"), [("SLOT_KEYS_FILE", "keys.json"), ("SLOT_REQUIRE_KEY", "yes")]
)
def test_invalid_settings_of_keys_are_refused(name, value):
    with pytest.raises(SettingsError, match=f"^{name} is "):
        Settings.from_environment(MODEL | {name: value})


@pytest.mark.parametrize(
    ("given", "origins"),
    [
        ({}, ("*",)),
        ({"SLOT_PERSPECTIVE_ORIGINS": ""}, ()),
        ({"SLOT_PERSPECTIVE_ORIGINS": "https://a.example"}, ("https://a.example",)),
    ],
)
def test_an_empty_list_of_origins_allows_no_page(given, origins):
    assert Settings.from_environment(MODEL | given).perspective.origins == origins
