"""Files that no build can use: the message says what they are and what to do."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from foreign_files import DOWNLOADS, FOREIGN, PICKLES, named_class, pickled, write_foreign
from keras_files import LABELS, Recorded

from controller.model_build.build import BuildResult
from controller.model_build.dump_embeddings import dump_embeddings
from controller.model_build.errors import BuildError
from controller.model_build.foreign_pickles import foreign_pickle
from controller.model_build.keras_file import open_model
from controller.model_build.word_index import read_word_index

Make = Callable[..., BuildResult]
INPUTS = ("h5", "words", "reference", "settings", "architecture")


@pytest.mark.parametrize("kind", DOWNLOADS)
@pytest.mark.parametrize("option", INPUTS)
def test_what_came_in_place_of_an_input_is_named(
    make: Make, out: Path, tmp_path: Path, option: str, kind: str
) -> None:
    content, match = DOWNLOADS[kind]
    path = tmp_path / "given"
    path.write_bytes(content)
    with pytest.raises(BuildError, match=match) as caught:
        make(**{option: path})
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
    assert list(out.parent.iterdir()) == []


def test_pointer_beside_the_model_is_named_as_well(
    make: Make, tmp_path: Path, author_same: Recorded
) -> None:
    shutil.copy(author_same.path, tmp_path / "model.h5")
    for name in ("reference.json", "build_settings.json", "model.json"):
        (tmp_path / name).write_bytes(DOWNLOADS["lfs"][0])
        with pytest.raises(BuildError, match=rf"{name} is a Git LFS pointer"):
            make(h5=tmp_path / "model.h5")
        (tmp_path / name).unlink()


def test_pointer_in_place_of_vectors_is_named(tmp_path: Path) -> None:
    path = tmp_path / "glove.txt"
    path.write_bytes(DOWNLOADS["lfs"][0])
    with pytest.raises(BuildError, match="Git LFS pointer"):
        dump_embeddings(path, tmp_path / "dump", say=lambda line: None)


@pytest.mark.parametrize("option", ["h5", "words"])
@pytest.mark.parametrize("kind", FOREIGN)
def test_file_of_another_program_is_named(
    make: Make, tmp_path: Path, kind: str, option: str
) -> None:
    path = write_foreign(tmp_path / "given", kind)
    with pytest.raises(BuildError, match=FOREIGN[kind][1]) as caught:
        make(**{option: path})
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize(
    ("names", "match"),
    [
        (["saved_model.pb"], "a SavedModel of TensorFlow: open it with tf"),
        (
            ["config.json", "metadata.json", "model.weights.h5"],
            r"an unpacked \.keras archive.*zip -0 -r ",
        ),
        (["config.json", "pytorch_model.bin"], "Hugging Face"),
        (["model.json", "group1-shard1of1.bin"], "TensorFlow.js"),
        (["one.h5", "two.keras"], r"give one of its models: one\.h5, two\.keras"),
    ],
)
def test_directory_is_named(tmp_path: Path, names: list[str], match: str, make: Make) -> None:
    (tmp_path / "given").mkdir()
    for name in names:
        (tmp_path / "given" / name).touch()
    with pytest.raises(BuildError, match=match), open_model(tmp_path / "given"):
        pass


@pytest.mark.parametrize("protocol", [0, 1, 2, 4])
@pytest.mark.parametrize(("module", "name", "match"), PICKLES)
def test_pickle_of_another_program_is_named_and_not_loaded(
    make: Make, tmp_path: Path, module: str, name: str, match: str, protocol: int
) -> None:
    path = tmp_path / "given.pkl"
    path.write_bytes(pickled(module, name, protocol, vocabulary_={"you": 0}, ngram_range=(1, 1)))
    for option in ("h5", "words"):
        with pytest.raises(BuildError, match=match) as caught:
            make(**{option: path})
        assert str(caught.value).startswith(str(path))
        assert "to_json()" not in str(caught.value)


def test_arrays_in_a_dump_of_joblib_do_not_hide_its_classes(tmp_path: Path) -> None:
    """joblib writes the bytes of arrays between the instructions."""
    whole = pickled("sklearn.pipeline", "Pipeline", steps=["x" * 50])
    assert "Pipeline of scikit-learn" in foreign_pickle(whole[:70] + bytes(range(256)))


def test_counts_are_no_indices(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "given.pkl"
    path.write_bytes(pickle.dumps(Counter(["you", "you", "are"])))
    with pytest.raises(BuildError, match="a pickle of a count of words: counts are no indices"):
        make(words=path)


def test_pickle_that_calls_something_runs_nothing(make: Make, tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> Any:
            return os.system, (f"touch {tmp_path}/touched",)

    for protocol in (0, 1, 2, 4):
        for value in (Hostile(), {"tokenizer": Hostile(), "maxlen": 3}, (Hostile(), 25)):
            path = tmp_path / "hostile.pkl"
            path.write_bytes(pickle.dumps(value, protocol=protocol))
            with pytest.raises(BuildError, match=r"calls (posix|nt)\.system, which is refused"):
                make(words=path)
    assert not (tmp_path / "touched").exists()


def test_files_in_the_place_of_each_other_are_named(
    make: Make, tmp_path: Path, author_same: Recorded, word_index: Path
) -> None:
    with pytest.raises(BuildError, match="is no word index, but a Keras model: give it with --h5"):
        make(words=author_same.path)
    path = tmp_path / "architecture.json"
    path.write_text(json.dumps({"class_name": "Sequential", "config": {"layers": []}}))
    with pytest.raises(BuildError, match=r"an architecture without weights: .* --architecture"):
        make(h5=path)
    with pytest.raises(BuildError, match="is the architecture of a Sequential, without any word"):
        make(words=path)
    with pytest.raises(BuildError, match=r"--no-oov-token \(null in build_settings\.json\)"):
        make(oov_token="")


# --- a tokenizer in the forms that people save ----------------------------------------------------

KERAS_2, KERAS_3 = "keras.preprocessing.text", "keras.src.legacy.preprocessing.text"
STATED = {
    "num_words": 30,
    "filters": "!?",
    "lower": True,
    "split": " ",
    "char_level": False,
    "oov_token": "<OOV>",
}
WORDS = {"<OOV>": 1, "you": 2, "idiot": 3, "für": 4}


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("module", [KERAS_2, KERAS_3, "keras_preprocessing.text"])
@pytest.mark.parametrize(
    ("form", "length"),
    [
        ("plain", None),
        ("tuple", 25),
        ("list", 25),
        ("dict", 25),
        ("dict of JSON", 25),
        ("pair without a number", None),
    ],
)
def test_tokenizer_is_read_from_every_pickle(
    tmp_path: Path, module: str, protocol: int, form: str, length: int | None
) -> None:
    text = json.dumps({"class_name": "Tokenizer", "config": {**STATED, "word_index": "{}"}})
    text = text.replace('"{}"', json.dumps(json.dumps(WORDS)))
    with named_class(module, "Tokenizer") as made:
        one = made()
        one.__dict__.update(STATED, word_index=dict(WORDS), word_counts={"you": 5})
        held: Any = {
            "plain": one,
            "tuple": (one, 25),
            "list": [one, 25, "toxic"],
            "dict": {"tokenizer": one, "MAX_LEN": 25, "labels": ["toxic", "insult"]},
            "dict of JSON": {"tokenizer": text, "max_sequence_length": 25},
            "pair without a number": (one, "toxic"),
        }[form]
        raw = pickle.dumps(held, protocol=protocol)
    (tmp_path / "t.pickle").write_bytes(raw)
    index = read_word_index(tmp_path / "t.pickle")
    found = {word.decode(): int(at) for word, at in zip(index.words, index.indices, strict=True)}
    assert found == WORDS
    assert index.settings == STATED
    assert index.length == length


@pytest.mark.parametrize("protocol", range(6))
def test_word_index_is_read_from_every_pickle(tmp_path: Path, protocol: int) -> None:
    """A pickle of protocol 0 is text; it was read as a list of words."""
    path = tmp_path / "words.pickle"
    for held in (WORDS, {"word_index": WORDS}, {"vocab": WORDS, "maxlen": 9}, [*WORDS.items()]):
        path.write_bytes(pickle.dumps(held, protocol=protocol))
        index = read_word_index(path)
        assert dict(zip(map(bytes.decode, index.words), index.indices, strict=True)) == WORDS


@pytest.mark.parametrize("write", [json.dumps, pickle.dumps])
@pytest.mark.parametrize("listed", [["you", "are", "an"], ["<PAD>", "you", "are", "an"]])
def test_list_of_words_is_numbered_from_1(tmp_path: Path, write: Any, listed: list[str]) -> None:
    path = tmp_path / "words"
    data = write(listed)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    index = read_word_index(path)
    assert dict(zip(index.words, index.indices, strict=True)) == {b"you": 1, b"are": 2, b"an": 3}


def test_padding_at_index_0_is_no_word(tmp_path: Path) -> None:
    path = tmp_path / "words.json"
    path.write_text(json.dumps({"<PAD>": 0, "you": 1}))
    assert read_word_index(path).words == [b"you"]
    path.write_text(json.dumps({"the": 0, "you": 1}))
    with pytest.raises(BuildError, match="index 0 is the padding"):
        read_word_index(path)


def test_length_beside_the_tokenizer_is_used_where_the_model_states_none(
    make: Make, tmp_path: Path, small_layers: Any, small_weights: Any, make_h5: Any
) -> None:
    words = json.loads((tmp_path / "word_index.json").read_text())
    path = tmp_path / "both.json"
    path.write_text(json.dumps({"tokenizer": words, "maxlen": 12}))
    small_weights["dense"]["bias"][:] = 0.1
    stated = make_h5(small_layers, small_weights)
    assert make(h5=stated, labels=["a", "b"], words=path).manifest.sequence.length == 8
    del small_layers[0]["config"]["input_length"]
    manifest = make(h5=make_h5(small_layers, small_weights), labels=["a", "b"], words=path).manifest
    assert manifest.sequence.length == 12
    assert "12 tokens (tokenizer)" in manifest.built_with["settings"]


def test_vocabulary_of_a_text_vectorization_is_asked_about(make: Make, tmp_path: Path) -> None:
    listed = ["", "[UNK]", *(f"w{number}" for number in range(38))]
    for text in (json.dumps(listed), "\n".join(listed)):
        (tmp_path / "vocabulary").write_text(text)
        with pytest.raises(BuildError, match="vocabulary of a TextVectorization layer"):
            make(words=tmp_path / "vocabulary", oov_token="[UNK]")  # noqa: S106 (a word)


def test_vocabulary_of_a_text_vectorization_is_built_with_its_rules_as_documented(
    make: Make, tmp_path: Path
) -> None:
    """`vectorize.get_vocabulary()` as JSON, and the settings of docs/models.md."""
    listed = ["", "[UNK]", "you", "its", "idiot", *(f"w{number}" for number in range(35))]
    (tmp_path / "vocabulary.json").write_text(json.dumps(listed))
    page = (Path(__file__).parents[4] / "docs" / "models.md").read_text()
    rules = page.partition("outside the model")[2].partition("```json")[2].partition("```")[0]
    (tmp_path / "mine.json").write_text(rules)
    given = {"words": tmp_path / "vocabulary.json", "settings": tmp_path / "mine.json"}
    manifest = make(**given, padding=None).manifest
    tokens = manifest.tokenizer.tokens("It's an IDIOT!")
    assert tokens == ["its", "an", "idiot"]
    assert manifest.tokenizer.sequence("It's an IDIOT!", {"its": 3, "[UNK]": 1}) == [3, 1, 1]
    assert manifest.sequence.padding == "post"


# --- no circle ------------------------------------------------------------------------------------


def test_tokenizer_of_another_model_is_not_sent_in_a_circle(make: Make, tmp_path: Path) -> None:
    words = {f"w{number}": number for number in range(1, 60)}
    for limit in (None, 50):
        path = tmp_path / "tokenizer.json"
        config = {"word_index": json.dumps(words), "num_words": limit, "oov_token": None}
        path.write_text(json.dumps({"class_name": "Tokenizer", "config": config}))
        with pytest.raises(BuildError, match=r"whole Tokenizer, .*another model's") as caught:
            make(words=path)
        assert "--num-words" not in str(caught.value)
    path.write_text(json.dumps(words))
    with pytest.raises(BuildError, match=r"give --num-words 40 \(or 'num_words' in build_sett"):
        make(words=path)
    with pytest.raises(BuildError, match="num_words is given as 55"):
        make(words=path, num_words=55)
    assert make(words=path, num_words=40, accept_unusual=True).manifest.embedding.count == 39


def test_byte_order_mark_joins_no_word(make: Make, tmp_path: Path, word_index: Path) -> None:
    lines: list[str] = []
    for first in ("", "2 3\n"):
        path = tmp_path / "vectors.txt"
        text = first + "you 1 2 3\nare 4 5 6\n"
        path.write_text(text, encoding="utf-8-sig")
        dump_embeddings(path, tmp_path / "dump", say=lines.append)
        found = next((tmp_path / "dump").rglob("*.bson")).read_bytes()
        assert b"you" in found
        assert b"\xef\xbb\xbf" not in found
    path.write_text("you 1 2 3\n", encoding="utf-16")
    with pytest.raises(BuildError, match="UTF-16, not UTF-8"):
        dump_embeddings(path, tmp_path / "other", say=lines.append)
    for option, content in (
        ("settings", {"padding": "pre"}),
        ("words", json.loads(word_index.read_text())),
    ):
        path = tmp_path / "with_mark.json"
        path.write_text(json.dumps(content), encoding="utf-8-sig")
        assert make(**{option: path}).manifest.labels == tuple(LABELS)


# --- numbers and texts of numpy -------------------------------------------------------------------


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("kind", [np.int64, np.int32, np.uint16, ">i4"])
def test_indices_and_words_of_numpy_are_read_as_data(
    tmp_path: Path, protocol: int, kind: Any
) -> None:
    """get_vocabulary() gives words of numpy, and many word indices have numbers of numpy."""
    path = tmp_path / "words.pkl"
    numbers = np.arange(1, 5).astype(kind)
    words = np.array(["you", "idiot", "für", "😀"])
    path.write_bytes(pickle.dumps(dict(zip(words, numbers, strict=True)), protocol=protocol))
    index = read_word_index(path)
    found = dict(zip(map(bytes.decode, index.words), index.indices, strict=True))
    assert found == {"you": 1, "idiot": 2, "für": 3, "😀": 4}
    path.write_bytes(pickle.dumps([np.str_(""), "[UNK]", *words], protocol=protocol))
    index = read_word_index(path)
    assert [word.decode() for word in index.words] == ["[UNK]", *words]
    assert index.vectorization


@pytest.mark.parametrize("protocol", range(6))
def test_array_of_numpy_is_no_word_index(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "array.pkl"
    for value in (np.arange(3), np.array(["you", "are"]), {"you": np.arange(3)}):
        path.write_bytes(pickle.dumps(value, protocol=protocol))
        with pytest.raises(BuildError, match="is a pickle of a numpy array: it holds no word inde"):
            read_word_index(path)
    path.write_bytes(pickle.dumps({"you": np.float64(1.5), "are": 2}, protocol=protocol))
    with pytest.raises(BuildError, match=r"has index 1\.5, but an index is an integer"):
        read_word_index(path)


def test_tokenizer_beside_a_label_encoder_is_told_to_be_written_alone(tmp_path: Path) -> None:
    path = tmp_path / "both.pkl"
    with (
        named_class("sklearn.preprocessing._label", "LabelEncoder") as encoder,
        named_class(KERAS_2, "Tokenizer") as made,
    ):
        held = {"tokenizer": made(), "encoder": encoder()}
        path.write_bytes(pickle.dumps(held))
    with pytest.raises(BuildError, match=r"Tokenizer together with a LabelEncoder.*to_json\(\)"):
        read_word_index(path)


def test_class_of_ones_own_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.pkl"
    path.write_bytes(b"\x80\x04\x8c\x08__main__\x8c\x07MyModel\x93)\x81}b.")
    with pytest.raises(BuildError, match="a pickle of a MyModel, a class of the program that wrot"):
        read_word_index(path)
