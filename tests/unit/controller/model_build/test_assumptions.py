"""What nobody states: the build says what it assumes, and asks where an answer changes scores."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras_files import LABELS, ROWS, Recorded, Weights, layer, write_h5

from controller.deploy.errors import DeployError
from controller.deploy.tasks.build_model import build_model
from controller.model_build.__main__ import main
from controller.model_build.build import BuildResult
from controller.model_build.errors import BuildError
from controller.model_build.inspect_file import inspect
from tox_com_det.model.manifest import Manifest

Make = Callable[..., BuildResult]


def plain(path: Path, *first: str, tail: tuple[str, ...] = ()) -> Path:
    """A plain word index with entries at its start and end, and words of the golden texts."""
    words = ["you", "idiot", "are", "an", "thanks", "the", "kill", "für", "a"]
    words = [*first, *words]
    words += [f"word{number}" for number in range(ROWS - 1 - len(words) - len(tail))]
    words += tail
    path.write_text(json.dumps({word: number for number, word in enumerate(words, start=1)}))
    return path


def settings_line(lines: list[str]) -> str:
    block = [line.strip() for line in lines if line.startswith("  ")]
    return ", ".join(line for line in block if line.endswith(")"))


# --- the block ------------------------------------------------------------------------------------


def test_every_build_says_where_each_setting_comes_from(make: Make, lines: list[str]) -> None:
    manifest = make(num_words=30).manifest
    assert "settings:" in lines
    said = settings_line(lines)
    for part in (
        "100 tokens (model)",
        "padding pre (option)",
        "truncating pre (assumed)",
        "index 0 for padding (assumed)",
        "longer texts cut (assumed)",
        "unknown words dropped (assumed)",
        "num_words 30 (option)",
        "lower case (assumed)",
        "filters of Keras (assumed)",
        "not normalized (assumed)",
    ):
        assert part in said
    assert manifest.built_with["settings"] == said


def test_settings_of_files_have_these_as_origins(
    make: Make, tmp_path: Path, word_index: Path, lines: list[str]
) -> None:
    stated = {"num_words": 35, "lower": True, "oov_token": None, "char_level": False}
    words = json.dumps(json.loads(word_index.read_text()))
    tokenizer = {"class_name": "Tokenizer", "config": {**stated, "word_index": words}}
    (tmp_path / "tokenizer.json").write_text(json.dumps(tokenizer))
    (tmp_path / "mine.json").write_text(json.dumps({"padding": "post", "filters": "!"}))
    make(words=tmp_path / "tokenizer.json", settings=tmp_path / "mine.json", padding=None)
    said = settings_line(lines)
    for part in (
        "padding post (settings file)",
        "unknown words dropped (tokenizer)",
        "num_words 35 (tokenizer)",
        "lower case (tokenizer)",
        "filters '!' (settings file)",
    ):
        assert part in said


def test_origins_change_no_version_and_an_app_of_before_reads_the_manifest(
    make: Make, out: Path, tmp_path: Path
) -> None:
    """Only `built_with` differs, an object of texts that no version depends on."""
    stated = make(truncating="pre").manifest
    other = make().manifest
    assert stated.built_with != other.built_with
    assert stated.model_version == other.model_version
    raw = json.loads((out / "manifest.json").read_text())
    assert set(raw) <= {
        *("format_version", "model_version", "name", "files", "labels", "sequence", "tokenizer"),
        *("embedding", "golden_outputs", "architecture", "dead_positions", "built_with"),
    }
    assert all(isinstance(value, str) for value in raw["built_with"].values())
    assert Manifest.from_dict(raw) == other


def test_bundle_is_not_current_for_settings_that_nobody_states_any_more(make: Make) -> None:
    make()
    with pytest.raises(BuildError, match="--padding pre"):
        make(padding=None)


# --- out-of-vocabulary tokens ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "token",
    [
        "<OOV>",
        "<UNK>",
        "[UNK]",
        "UNK",
        "oov",
        "unk",
        "OOV",
        "<unk>",
        "<nothing>",
        "-",
        "__unknown__",
        "<未知>",
        "out-of-vocab",
        "OutOfVocab",
    ],
)
def test_entry_that_looks_like_an_oov_token_is_asked_for(
    make: Make, out: Path, tmp_path: Path, token: str
) -> None:
    words = plain(tmp_path / "words.json", token)
    with pytest.raises(BuildError, match=r"--oov-token .*--no-oov-token") as caught:
        make(words=words)
    assert repr(token) in str(caught.value)
    assert list(out.parent.iterdir()) == []
    dropped = make(words=words, no_oov_token=True).manifest
    kept = make(words=words, oov_token=token).manifest
    assert (dropped.tokenizer.oov_token, kept.tokenizer.oov_token) == (None, token)
    nonsense = {case.text: case.scores for case in kept.golden_outputs.cases}
    assert nonsense["qzxvkj wqpfzj"] != nonsense["?!"]


def test_oov_token_of_an_old_keras_is_at_the_end(make: Make, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"'<oov>' \(index 39 "):
        make(words=plain(tmp_path / "words.json", tail=("<oov>",)))


def test_oov_token_among_other_markers_is_found(make: Make, tmp_path: Path) -> None:
    words = plain(tmp_path / "words.json", "<START>", "<UNK>", "<UNUSED>")
    with pytest.raises(BuildError, match=r"'<UNK>' \(index 2 "):
        make(words=words)


@pytest.mark.parametrize("where", [{"first": ("you", "unk")}, {"first": ("the", "unknown", "oov")}])
def test_real_words_of_a_vocabulary_are_no_oov_tokens(
    make: Make, tmp_path: Path, where: dict[str, Any]
) -> None:
    words = ["you", *where["first"][1:], "idiot", "are", "an"]
    words += [f"word{number}" for number in range(ROWS - 1 - len(words))]
    path = tmp_path / "words.json"
    path.write_text(json.dumps({word: number for number, word in enumerate(words, 1)}))
    assert make(words=path).manifest.tokenizer.oov_token is None


@pytest.mark.parametrize("word", ["unknown'", "'unknown", "un-known'", "unk-token'"])
def test_words_with_apostrophes_are_no_oov_tokens(make: Make, tmp_path: Path, word: str) -> None:
    """Keras' IMDB index has "unknown'"; its filters keep apostrophes."""
    words = ["you", word.replace("-", ""), "idiot", "are", "an"]
    words += [f"word{number}" for number in range(ROWS - 1 - len(words))]
    path = tmp_path / "words.json"
    path.write_text(json.dumps({one: number for number, one in enumerate(words, 1)}))
    assert make(words=path).manifest.tokenizer.oov_token is None


def test_tokenizer_that_states_its_token_is_not_asked(make: Make, tmp_path: Path) -> None:
    index = json.loads(plain(tmp_path / "words.json", "<OOV>").read_text())
    path = tmp_path / "tokenizer.json"
    for token in ("<OOV>", None):
        config = {"word_index": json.dumps(index), "oov_token": token}
        path.write_text(json.dumps({"class_name": "Tokenizer", "config": config}))
        assert make(words=path).manifest.tokenizer.oov_token == token


def test_settings_file_may_say_that_there_is_none(make: Make, tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text('{"oov_token": null}')
    words = plain(tmp_path / "words.json", "<OOV>")
    manifest = make(words=words, settings=tmp_path / "mine.json").manifest
    assert manifest.tokenizer.oov_token is None
    assert "unknown words dropped (settings file)" in manifest.built_with["settings"]


def test_options_that_contradict_each_other_are_refused(make: Make, out: Path) -> None:
    with pytest.raises(BuildError, match="--oov-token and --no-oov-token contradict"):
        make(oov_token="you", no_oov_token=True)  # noqa: S106 (a word)
    assert list(out.parent.iterdir()) == []


# --- rules of the tokenizer -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "stated", "match"),
    [
        (["The", "Idiot", "You"], {"lower": False}, 'have capitals, such as .*"lower": false'),
        (["don-t", ",", "."], {"filters": ""}, 'have punctuation, such as .*"filters"'),
        (["e-mail", "http://", "c++"], {"filters": "!?"}, "have punctuation"),
    ],
)
def test_words_that_contradict_an_assumed_rule_are_asked_about(
    make: Make, tmp_path: Path, words: list[str], stated: dict[str, Any], match: str
) -> None:
    """A Tokenizer with Keras' defaults makes no word with capitals or punctuation."""
    index = json.loads(plain(tmp_path / "words.json").read_text())
    swapped = dict(zip((f"word{number}" for number in range(3)), words, strict=True))
    path = tmp_path / "words.json"
    path.write_text(json.dumps({swapped.get(one, one): at for one, at in index.items()}))
    with pytest.raises(BuildError, match=match):
        make(words=path)
    assert not inspect(path).obstacles
    assert any("to state" in line for line in inspect(path).lines)
    (tmp_path / "mine.json").write_text(json.dumps(stated))
    manifest = make(words=path, settings=tmp_path / "mine.json").manifest
    (key,) = stated
    assert getattr(manifest.tokenizer, key) == stated[key]
    assert "(accepted)" in " ".join(_accepted(make, path))


def _accepted(make: Make, words: Path) -> list[str]:
    lines: list[str] = []
    make(words=words, accept_unusual=True, say=lines.append)
    return lines


def test_index_of_characters_names_the_setting(make: Make, tmp_path: Path) -> None:
    letters = "etaoinsrhldcumfpgwybvkxjqz0123456789'é"
    path = tmp_path / "letters.json"
    path.write_text(json.dumps({one: at for at, one in enumerate(letters, 1)}))
    with pytest.raises(BuildError, match=r'Tokenizer of characters .*"char_level": true'):
        make(words=path)
    (tmp_path / "mine.json").write_text('{"char_level": true}')
    assert make(words=path, settings=tmp_path / "mine.json").manifest.tokenizer.char_level


def test_unknown_length_is_asked_for_with_everything_else(
    make: Make, tmp_path: Path, small_layers: list[dict[str, Any]], small_weights: Weights
) -> None:
    del small_layers[0]["config"]["input_length"]
    options = {"kernel_size": [3], "strides": [1], "padding": "valid", "activation": "tanh"}
    small_layers.insert(1, layer("Conv1D", filters=ROWS, use_bias=True, **options))
    random = np.random.default_rng(3)
    dimension = small_weights["embedding"]["embeddings"].shape[1]
    small_weights["conv1d"] = {
        "kernel": random.normal(size=(3, dimension, ROWS)).astype(np.float32),
        "bias": np.full(ROWS, 0.1, np.float32),
    }
    small_weights["dense"]["kernel"] = random.normal(size=(ROWS, 2)).astype(np.float32)
    h5 = write_h5(tmp_path / "a_long_name_of_a_model.h5", small_layers, small_weights)
    words = plain(tmp_path / "words.json", "<OOV>")
    unanswered = {"labels": None, "padding": None}
    with pytest.raises(BuildError) as caught:
        make(h5, words=words, **unanswered)
    for part in ("(1)", "--no-oov-token", "--labels", "--length", "(4)", "or --padding post"):
        assert part in str(caught.value)
    assert " ... " not in str(caught.value)
    report = inspect(h5, word_index=words)
    assert report.next.endswith("--length LENGTH --padding PRE_OR_POST --oov-token TOKEN")
    answers = {"length": 9, "labels": "a,b", "oov_token": "<OOV>", "padding": "post"}
    with pytest.raises(BuildError, match=r"h5: the model does not state its sequence length"):
        make(h5, words=words, **{**answers, "length": None})
    assert make(h5, words=words, **answers).manifest.sequence.length == 9


# --- padding --------------------------------------------------------------------------------------


def test_padding_that_the_scores_depend_on_is_asked_for(make: Make, out: Path) -> None:
    with pytest.raises(BuildError, match=r"--padding pre.* or --padding post") as caught:
        make(padding=None)
    assert "\n" not in str(caught.value)
    assert list(out.parent.iterdir()) == []
    for side in ("pre", "post"):
        assert make(padding=side).manifest.sequence.padding == side


@pytest.mark.parametrize("mode", ["split", "whole"])
def test_model_that_no_side_moves_is_built_with_what_is_assumed(
    make: Make,
    small_layers: list[dict[str, Any]],
    small_weights: Weights,
    make_h5: Callable[..., Path],
    mode: str,
) -> None:
    small_weights["dense"]["bias"][:] = 0.1
    h5 = make_h5(small_layers, small_weights)
    manifest = make(h5=h5, labels=["a", "b"], padding=None, mode=mode).manifest
    assert manifest.sequence.padding == "pre"
    assert "padding pre (assumed)" in manifest.built_with["settings"]


def test_side_of_the_cut_is_noted_where_long_texts_depend_on_it(
    make: Make, lines: list[str]
) -> None:
    make()
    (note,) = [line for line in lines if "--truncating post" in line]
    assert "texts of more than 100 known words are cut at their start, as is assumed" in note
    lines.clear()
    make(truncating="pre")
    make(windows=4, force=True)
    assert not any("--truncating" in line for line in lines)


def test_rounding_of_a_long_average_is_no_difference(make: Make, tmp_path: Path) -> None:
    """An average over 2,000 positions adds up in another order; its scores are saturated."""
    random = np.random.default_rng(8)
    weights: Weights = {
        "embedding": {"embeddings": random.normal(1, 0.3, (ROWS, 6)).astype("f4")},
        "dense": {
            "kernel": random.normal(0, 300, (6, 2)).astype("f4"),
            "bias": np.full(2, 0.1, "f4"),
        },
    }
    layers = [
        layer("Embedding", input_dim=ROWS, output_dim=6, input_length=2000, mask_zero=False),
        layer("GlobalAveragePooling1D"),
        layer("Dense", units=2, activation="softmax", use_bias=True),
    ]
    report = inspect(write_h5(tmp_path / "long.h5", layers, weights))
    assert report.fits
    assert "--padding" not in report.next


def test_recurrent_model_is_asked_for_unless_it_masks(
    make: Make, tmp_path: Path, word_index: Path
) -> None:
    random = np.random.default_rng(3)
    units, dimension = 4, 6
    weights: Weights = {
        "embedding": {"embeddings": random.normal(size=(ROWS, dimension)).astype("f4")},
        "lstm": {
            "kernel": random.normal(size=(dimension, 4 * units)).astype("f4"),
            "recurrent_kernel": random.normal(size=(units, 4 * units)).astype("f4"),
            "bias": random.normal(size=4 * units).astype("f4"),
        },
        "dense": {
            "kernel": random.normal(size=(units, 1)).astype("f4") * 3,
            "bias": np.full(1, 0.1, "f4"),
        },
    }

    def model(masked: bool) -> Path:
        layers = [
            layer(
                "Embedding",
                input_dim=ROWS,
                output_dim=dimension,
                input_length=12,
                mask_zero=masked,
            ),
            layer("LSTM", units=units, activation="tanh", recurrent_activation="sigmoid"),
            layer("Dense", units=1, activation="sigmoid"),
        ]
        return write_h5(tmp_path / f"{masked}.h5", layers, weights)

    with pytest.raises(BuildError, match="--padding post"):
        make(h5=model(False), labels=["a"], padding=None)
    built = make(h5=model(True), labels=["a"], padding=None).manifest
    assert built.sequence.padding == "pre"


@pytest.mark.parametrize("padding", ["pre", "post"])
@pytest.mark.parametrize("truncating", ["pre", "post"])
def test_keras_own_scores_tell_the_sides(
    make: Make, tmp_path: Path, padding: str, truncating: str
) -> None:
    """With reference.json, nobody needs to remember how the texts were padded and cut."""
    text = " ".join(f"word{number % 25}" for number in range(130))
    options = {"padding": padding, "truncating": truncating}
    texts = ["you are an idiot", text]
    cases = make(**options, settings=_texts(tmp_path, texts)).manifest.golden_outputs.cases
    scores = {case.text: case.scores for case in cases}
    reference = {"texts": texts, "scores": [list(scores[one]) for one in texts]}
    (tmp_path / "keras.json").write_text(json.dumps(reference))
    told = make(padding=None, reference=tmp_path / "keras.json").manifest
    assert (told.sequence.padding, told.sequence.truncating) == (padding, truncating)
    assert f"padding {padding} (reference)" in told.built_with["settings"]
    assert f"truncating {truncating} (reference)" in told.built_with["settings"]


def _texts(directory: Path, texts: list[str]) -> Path:
    path = directory / "texts.json"
    path.write_text(json.dumps({"texts": texts}))
    return path


def test_reference_that_fits_no_side_stops_as_before(make: Make, tmp_path: Path) -> None:
    reference = {"texts": ["you idiot"], "scores": [[0.5] * 6]}
    (tmp_path / "keras.json").write_text(json.dumps(reference))
    with pytest.raises(BuildError, match=r"--padding pre|differs from Keras"):
        make(padding=None, reference=tmp_path / "keras.json")


# --- all at once ----------------------------------------------------------------------------------


def test_everything_that_is_missing_is_asked_for_in_one_line(
    author_same: Recorded, tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = plain(tmp_path / "words.json", "<OOV>")
    arguments = [*("--h5", str(author_same.path), "--word-index", str(words), "--out", str(out))]
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    for option in ("--labels", "--oov-token '<OOV>'", "--no-oov-token", "--padding pre"):
        assert option in error
    answers = ["--labels", ",".join(LABELS), "--no-oov-token", "--padding", "pre"]
    assert main([*arguments, *answers]) == 0


def test_fab_task_has_the_answers(author_same: Recorded, tmp_path: Path, out: Path) -> None:
    h5 = tmp_path / "model.h5"
    shutil.copy(author_same.path, h5)
    plain(tmp_path / "word_index.json", "<OOV>")
    given = {"h5": str(h5), "out": str(out), "labels": ",".join(LABELS)}
    with pytest.raises(DeployError, match=r"--no-oov-token.*--padding pre"):
        build_model(**given)
    build_model(**given, no_oov_token=True, padding="post")
    assert Manifest.load(out / "manifest.json").sequence.padding == "post"
