import copy
import json

import pytest
from tiny_bundle import TinyBundle

from tox_com_det.model.manifest import Manifest, ManifestError, content_version


@pytest.fixture
def data():
    return TinyBundle().manifest()


def change(data, path, value):
    """A copy with one value changed and the version recomputed."""
    changed = copy.deepcopy(data)
    *parents, last = path.split("/")
    target = changed
    for key in parents:
        target = target[int(key) if isinstance(target, list) else key]
    target[last] = value
    changed["model_version"] = content_version(changed)
    return changed


def test_reading_and_writing_a_manifest_keeps_it(data):
    manifest = Manifest.from_dict(data)
    assert manifest.to_dict() == data
    assert Manifest.from_dict(manifest.to_dict()) == manifest


def test_format_1_with_known_answers_is_read_and_written_as_it_is(data):
    old = TinyBundle(format_version=1).manifest()
    assert "known_answers" in old
    manifest = Manifest.from_dict(old)
    assert manifest.golden_outputs == Manifest.from_dict(data).golden_outputs
    assert manifest.to_dict() == old


def test_both_formats_of_a_model_have_one_version(data):
    assert TinyBundle(format_version=1).manifest()["model_version"] == data["model_version"]


@pytest.mark.parametrize(("version", "key"), [(1, "known_answers"), (2, "golden_outputs")])
def test_each_format_has_its_own_name_for_the_golden_outputs(version, key):
    data = TinyBundle(format_version=version).manifest()
    data["format_version"] = 3 - version
    with pytest.raises(ManifestError, match=r"'(known_answers|golden_outputs)'"):
        Manifest.from_dict(data)
    data = TinyBundle(format_version=version).manifest()
    data[key]["cases"][1]["scores"] = []
    with pytest.raises(ManifestError, match=rf"{key}\.cases\[1\]\.scores"):
        Manifest.from_dict(data)


def test_a_manifest_is_loaded_from_a_file(data, tmp_path):
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(data))
    manifest = Manifest.load(path)
    assert manifest.embedding.vector_bytes == 16
    assert manifest.embedding.special_rows[0] == TinyBundle().padding.tobytes()


@pytest.mark.parametrize(
    "path",
    [
        "files/head.onnx/sha256",
        "labels",
        "sequence/length",
        "tokenizer/lower",
        "embedding/checksum",
        "embedding/special_rows",
    ],
)
def test_what_decides_a_score_changes_the_version(data, path):
    assert content_version(change(data, path, "other")) != data["model_version"]


@pytest.mark.parametrize(
    "path",
    ["name", "golden_outputs", "built_with", "architecture", "embedding/collection"],
)
def test_what_decides_no_score_leaves_the_version(data, path):
    assert content_version(change(data, path, "other")) == data["model_version"]


def test_the_version_does_not_depend_on_the_order_of_keys(data):
    backwards = dict(reversed(list(data.items())))
    assert content_version(backwards) == data["model_version"]


def test_a_version_that_does_not_match_the_content_is_refused(data):
    data["labels"] = list(reversed(data["labels"]))
    with pytest.raises(ManifestError, match="its content makes"):
        Manifest.from_dict(data)


def test_every_missing_key_is_named(data):
    for key in data:
        less = {name: value for name, value in data.items() if name != key}
        with pytest.raises(ManifestError, match=key):
            Manifest.from_dict(less)


@pytest.mark.parametrize(
    "path",
    ["extra", "sequence/extra", "tokenizer/extra", "embedding/extra", "golden_outputs/extra"],
)
def test_unknown_keys_are_refused_by_name(data, path):
    with pytest.raises(ManifestError, match="unknown key 'extra'"):
        Manifest.from_dict(change(data, path, 1))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("name", "Upper"),
        ("name", "a\n"),
        ("labels", []),
        ("labels", ["a", "a"]),
        ("labels", ["a", 1]),
        ("labels", "toxic"),
        ("sequence/length", 0),
        ("sequence/length", True),
        ("sequence/length", 6.0),
        ("sequence/padding", "left"),
        ("tokenizer/num_words", 0),
        ("tokenizer/num_words", "20000"),
        ("tokenizer/filters", None),
        ("tokenizer/lower", 1),
        ("tokenizer/split", ""),
        ("tokenizer/oov_token", ""),
        ("embedding/count", 0),
        ("embedding/dtype", "float64"),
        ("embedding/dtype", ["float32"]),
        ("embedding/dimension", 5),
        ("embedding/checksum", "sha256:abc"),
        ("embedding/collection", "tiny_000000000000"),
        ("embedding/database", "a/b"),
        ("embedding/special_rows", {}),
        ("embedding/special_rows", {"0": "!"}),
        ("embedding/special_rows", {"0": 1}),
        ("embedding/special_rows", {"zero": ""}),
        ("golden_outputs/tolerance", 0),
        ("golden_outputs/tolerance", 10**400),
        ("golden_outputs/cases", []),
        ("golden_outputs/cases/0/scores", [0.5]),
        ("golden_outputs/cases/0/scores", [0.5] * 5 + [float("nan")]),
        ("golden_outputs/cases/0/scores", [0.5] * 5 + [True]),
        ("golden_outputs/cases/0/text", None),
        ("golden_outputs/reference_max_difference", -1),
        ("dead_positions", [6]),
        ("architecture", []),
        ("built_with", {"numpy": 1}),
        ("files/head.onnx/bytes", 0),
        ("files", {}),
    ],
)
def test_invalid_values_are_refused_with_one_line_that_names_them(data, path, value):
    key = next(part for part in reversed(path.split("/")) if not part.isdigit())
    with pytest.raises(ManifestError, match="|".join({key, path.split("/")[0]})) as error:
        Manifest.from_dict(dict(_change_anything(data, path, value)))
    assert "\n" not in str(error.value)


def _change_anything(data, path, value):
    """Like `change`, for values that may make the version impossible to compute."""
    try:
        return change(data, path, value)
    except (ManifestError, ValueError):
        changed = copy.deepcopy(data)
        top, _, rest = path.partition("/")
        if rest:
            changed[top][rest] = value
        else:
            changed[top] = value
        return changed


def test_an_oov_token_needs_its_row(data):
    with pytest.raises(ManifestError, match="special_rows"):
        Manifest.from_dict(change(data, "tokenizer/oov_token", "<oov>"))


@pytest.mark.parametrize("version", [0, 3, True, 2.0, "2", None, [2]])
def test_another_format_is_refused_with_the_command_to_run(data, version):
    data["format_version"] = version
    with pytest.raises(ManifestError, match="fab build-model"):
        Manifest.from_dict(data)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", "not JSON"),
        (b"[]", "not a JSON object"),
        (b"\xff\xfe", "not UTF-8"),
        (b'{"a": 1, "a": 2}', "occurs twice"),
        (b'{"a": NaN}', "NaN"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_an_unreadable_file_is_an_error_with_its_path(tmp_path, content, words):
    path = tmp_path / "manifest.json"
    path.write_bytes(content)
    with pytest.raises(ManifestError, match=words) as error:
        Manifest.load(path)
    assert str(path) in str(error.value)


def test_a_missing_file_is_an_error_with_its_path(tmp_path):
    with pytest.raises(ManifestError, match=r"manifest\.json: No such file"):
        Manifest.load(tmp_path / "manifest.json")
