"""A model that cannot tell one comment from another stops the build, in words, with a way on."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from bundle_files import tree
from keras_files import FIXTURES, LABELS, RECORDED, ROWS, Recorded

from controller.model_build.__main__ import main
from controller.model_build.build import BuildResult, build
from controller.model_build.dump_embeddings import dump_embeddings
from controller.model_build.errors import BuildError
from controller.model_build.inspect_file import inspect

SAMPLE = Path(__file__).parents[4] / "sample_model"
Make = Callable[..., BuildResult]


def written(path: Path, words: dict[str, int]) -> Path:
    path.write_text(json.dumps(words))
    return path


def stopped(make: Make, out: Path, match: str, lines: list[str], **options: Any) -> str:
    """The error of a build, which leaves nothing behind, and of which the option only warns."""
    with pytest.raises(BuildError, match=match) as caught:
        make(**options)
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith("if it is meant so, add --accept-unusual")
    assert list(out.parent.iterdir()) == []
    lines.clear()
    make(accept_unusual=True, **options)
    found = message.partition("; if it is meant so")[0]
    warnings = [line for line in lines if line.startswith("warning: ") and "(accepted)" in line]
    assert any(found.startswith(line[len("warning: ") : -len(" (accepted)")]) for line in warnings)
    return message


# --- words ---------------------------------------------------------------------------------------


def test_words_that_the_tokenizer_splits_stop_the_build(
    make: Make, out: Path, tmp_path: Path, word_index: Path, lines: list[str]
) -> None:
    """The CSV that was once read as words: `the,1` never occurs in a text."""
    words = json.loads(word_index.read_text())
    spoilt = written(tmp_path / "spoilt.json", {f"{w},{n}": n for w, n in words.items()})
    match = r"39 of 39 words can never occur in a text, such as 'idiot,1', 'you,2', 'are,3'"
    message = stopped(make, out, match, lines, words=spoilt)
    assert "the tokenizer makes ['idiot', '1'] of 'idiot,1'" in message
    assert "--word-index" in message


def test_the_same_lines_as_a_csv_give_the_model_of_the_json(
    make: Make, tmp_path: Path, word_index: Path
) -> None:
    words = json.loads(word_index.read_text())
    table = tmp_path / "words.csv"
    table.write_text("".join(f"{word},{number}\n" for word, number in words.items()))
    assert make(words=table).manifest.model_version == make().manifest.model_version


def test_words_with_capitals_name_the_setting(
    make: Make, out: Path, tmp_path: Path, word_index: Path, lines: list[str]
) -> None:
    words = {word.upper(): number for word, number in json.loads(word_index.read_text()).items()}
    message = stopped(
        make, out, "can never occur", lines, words=written(tmp_path / "capitals.json", words)
    )
    assert '"lower": false in build_settings.json' in message


def test_words_that_the_normalization_changes_name_it(
    make: Make, out: Path, tmp_path: Path, word_index: Path, lines: list[str]
) -> None:
    words = {f"\u201c{word}": n for word, n in json.loads(word_index.read_text()).items()}
    index = written(tmp_path / "quoted.json", words)
    message = stopped(make, out, "can never occur", lines, words=index, normalization="unicode")
    assert 'leave out "normalization": "unicode"' in message


def test_words_for_a_tokenizer_of_characters_name_the_setting(
    make: Make, out: Path, lines: list[str]
) -> None:
    message = stopped(make, out, "can never occur", lines, char_level=True)
    assert 'leave out "char_level": true' in message


def test_characters_for_a_tokenizer_of_words_stop_the_build(
    make: Make, out: Path, tmp_path: Path, lines: list[str]
) -> None:
    letters = "etaoinsrhldcumfpgwybvkxjqz0123456789'é"
    words = written(tmp_path / "letters.json", {one: n for n, one in enumerate(letters, 1)})
    stopped(make, out, "a Tokenizer of characters made them", lines, words=words)


@pytest.mark.parametrize("prefix", ["\u00a0", "de"])
def test_words_that_no_golden_text_has_stop_the_build(
    make: Make, out: Path, tmp_path: Path, word_index: Path, lines: list[str], prefix: str
) -> None:
    """Another language, or another file: the tokenizer keeps the words, but no text has them."""
    words = {prefix + word: n for word, n in json.loads(word_index.read_text()).items()}
    path = written(tmp_path / "other.json", words)
    message = stopped(make, out, "no golden text has most of its words", lines, words=path)
    assert '"texts": ["...", "..."] in build_settings.json' in message
    assert "--languages de" in message
    texts = [" ".join(list(words)[:4]), " ".join(list(words)[4:9])]
    cases = make(words=path, texts=texts).manifest.golden_outputs.cases
    assert set(texts) < {case.text for case in cases}


def test_words_of_a_language_that_is_named_need_no_texts(
    make: Make, tmp_path: Path, word_index: Path, author_same: Recorded, lines: list[str]
) -> None:
    """The golden texts of the model's own words say what the English ones cannot."""
    words = {f"ğ{word}": n for word, n in json.loads(word_index.read_text()).items()}
    path = written(tmp_path / "turkish.json", words)
    report = inspect(author_same.path, word_index=path)
    assert any("to state: no golden text has most" in line for line in report.lines)
    assert "--languages LANGUAGES" in report.next
    manifest = make(words=path, languages="tr").manifest
    assert manifest.languages == ("tr",)
    assert not [line for line in lines if "do not spread" in line]
    with pytest.raises(BuildError, match="no golden text"):
        make(words=path, languages="tr", texts=["none of its words"])
    with pytest.raises(BuildError, match="no golden text"):
        make(words=path, languages="tr,en-GB")


CUT = ["天气", "我们", "你好", *(f"词语{n}" for n in range(ROWS - 4))]


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (CUT, "39 of 39 words, such as '天气', .* without blanks between words"),
        ([f"แม่{n}" for n in range(ROWS - 1)], "without blanks between words"),
        ([f"▁w{n}" for n in range(ROWS - 1)], "are pieces of words, such as '▁w0'"),
        ([f"Ġw{n}" for n in range(9)] + [f"w{n}" for n in range(ROWS - 10)], "9 of 39 .* pieces"),
    ],
)
def test_words_of_a_segmenter_stop_the_build_in_any_language(
    make: Make, out: Path, tmp_path: Path, lines: list[str], words: list[str], match: str
) -> None:
    """The server separates words at blanks, so such a model would know no text of people."""
    path = written(tmp_path / "cut.json", {word: n for n, word in enumerate(words, 1)})
    stopped(make, out, match, lines, words=path, languages="zh", lower=False)
    said = [line for line in inspect(path).lines if line.startswith("to state")]
    assert re.search(f"{match}|have capitals", said[0])


def test_characters_of_a_language_with_thousands_are_asked_about(tmp_path: Path) -> None:
    letters = {chr(0x4E00 + n): n + 1 for n in range(3000)}
    lines = inspect(written(tmp_path / "letters.json", letters)).lines
    (line,) = (line for line in lines if line.startswith("to state"))
    assert '"char_level": true' in line


def test_words_of_korean_have_blanks(make: Make, tmp_path: Path) -> None:
    path = written(tmp_path / "korean.json", {f"단어{n}": n for n in range(1, ROWS)})
    assert make(words=path, languages="ko").manifest.languages == ("ko",)


def test_unknown_words_that_differ_by_the_oov_token_stop_the_build_too(
    make: Make, out: Path, tmp_path: Path, lines: list[str]
) -> None:
    words = {"<oov>": 1, **{f"wort{number}": number for number in range(2, 40)}}
    path = written(tmp_path / "oov.json", words)
    stopped(make, out, "no golden text", lines, words=path, **{"oov_token": "<oov>"})


# --- indices and rows ----------------------------------------------------------------------------


def test_indices_that_start_at_2_stop_the_build(
    make: Make, out: Path, tmp_path: Path, word_index: Path, lines: list[str]
) -> None:
    words = {word: n + 1 for word, n in json.loads(word_index.read_text()).items() if n < ROWS - 1}
    path = written(tmp_path / "shifted.json", words)
    stopped(make, out, r"no word has the index 1, the lowest is 2 \('idiot'\)", lines, words=path)


def test_counts_in_place_of_indices_stop_the_build(
    make: Make, out: Path, tmp_path: Path, lines: list[str]
) -> None:
    """As few words as this may have different counts; more have the same one twice."""
    names = ["idiot", "you", "are", "an", "a", "thanks", "kill"]
    counts = dict(zip(names, (900, 500, 310, 38, 20, 12, 1), strict=True))
    path = written(tmp_path / "counts.json", counts)
    with pytest.raises(BuildError, match="beyond the matrix"):
        make(words=path)
    match = "35 of 39 rows of the embedding matrix have no word"
    stopped(make, out, match, lines, words=path, num_words=ROWS)


def test_word_index_of_a_much_smaller_model_stops_the_build(
    make: Make, out: Path, tmp_path: Path, lines: list[str]
) -> None:
    words = {"you": 1, "are": 2, "an": 3, "idiot": 4}
    match = r"35 of 39 rows of the embedding matrix have no word: the word index belongs to another"
    stopped(make, out, match, lines, words=written(tmp_path / "few.json", words))


def test_few_words_of_a_tokenizer_with_a_row_for_each_of_its_num_words_are_its_own(
    make: Make, tmp_path: Path
) -> None:
    """Embedding(1000) after Tokenizer(num_words=1000), on texts with 97 words."""
    index = {word: number for number, word in enumerate(["you", "are", "an", "idiot"], start=1)}
    config = {"num_words": ROWS, "word_index": json.dumps(index), "oov_token": None}
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps({"class_name": "Tokenizer", "config": config}))
    assert make(words=path).manifest.embedding.count == len(index)
    config["num_words"] = ROWS // 2
    path.write_text(json.dumps({"class_name": "Tokenizer", "config": config}))
    with pytest.raises(BuildError, match=r"15 of 19 rows .* or the training had no more words"):
        make(words=path)


def test_words_beyond_num_words_are_no_finding(make: Make) -> None:
    """`Embedding(len(word_index) + 1)` with a smaller num_words is usual."""
    assert make(num_words=11).manifest.embedding.count == 10


def changed(tmp_path: Path, source: Path, change: Callable[[str, np.ndarray], Any]) -> Path:
    """A copy of a model; `change` takes the short name and the values of each weight."""
    path = tmp_path / "changed.h5"
    shutil.copy(source, path)
    with h5py.File(path, "r+") as file:
        names: list[str] = []
        file["model_weights"].visit(names.append)
        for name in names:
            data = file["model_weights"][name]
            if isinstance(data, h5py.Dataset):
                data[...] = change(name.rsplit("/", 1)[-1].removesuffix(":0"), data[...])
    return path


@pytest.mark.parametrize(("fill", "what"), [(0.0, "zeros"), (0.25, "the same numbers")])
def test_matrix_without_vectors_stops_the_build(
    make: Make,
    out: Path,
    tmp_path: Path,
    author_same: Recorded,
    lines: list[str],
    fill: float,
    what: str,
) -> None:
    def change(name: str, values: np.ndarray) -> Any:
        return np.full_like(values, fill) if name == "embeddings" else values

    match = rf"the embedding matrix has {what} for most words \(39 of 39\)"
    stopped(make, out, match, lines, h5=changed(tmp_path, author_same.path, change))


def test_rare_words_without_a_vector_are_no_finding(tmp_path: Path) -> None:
    """Of GloVe, most of a corpus' rare words have none."""

    def change(name: str, values: np.ndarray) -> Any:
        if name == "embeddings":
            values[5000:] = 0
        return values

    h5 = changed(tmp_path, SAMPLE / "toxic_comment_detector.h5", change)
    options = {"settings": SAMPLE / "build_settings.json", "say": lambda line: None}
    manifest = build(h5, SAMPLE / "word_index.json", tmp_path / "b", **options).manifest
    assert manifest.embedding.count == 78_000


# --- scores --------------------------------------------------------------------------------------


def test_model_that_was_not_trained_stops_the_build(
    make: Make, out: Path, tmp_path: Path, author_same: Recorded, lines: list[str]
) -> None:
    def change(name: str, values: np.ndarray) -> Any:
        return np.zeros_like(values) if name == "bias" else values

    match = "every bias of its 5 layers is 0, as before the first step of the training"
    stopped(make, out, match, lines, h5=changed(tmp_path, author_same.path, change))


@pytest.mark.parametrize("factor", [0.0, 1e-4])
def test_scores_that_are_all_alike_stop_the_build(
    make: Make, out: Path, tmp_path: Path, author_same: Recorded, lines: list[str], factor: float
) -> None:
    def change(name: str, values: np.ndarray) -> Any:
        return values * factor if name == "kernel" else values

    match = r"the scores of all 26 golden texts are alike \(they differ by .*, the first are 0\."
    stopped(make, out, match, lines, h5=changed(tmp_path, author_same.path, change))


def test_weights_that_are_no_numbers_stop_the_build_with_the_option_too(
    make: Make, out: Path, tmp_path: Path, author_same: Recorded
) -> None:
    def change(name: str, values: np.ndarray) -> Any:
        return np.full_like(values, np.nan) if name == "kernel" else values

    with pytest.raises(BuildError, match="contains NaN or infinity: train the model again"):
        make(h5=changed(tmp_path, author_same.path, change), accept_unusual=True)
    assert list(out.parent.iterdir()) == []


def test_weights_that_saturate_every_score_stop_the_build(
    make: Make, out: Path, tmp_path: Path, author_same: Recorded, lines: list[str]
) -> None:
    def change(name: str, values: np.ndarray) -> Any:
        return np.full_like(values, 3e38) if name == "kernel" else values

    h5 = changed(tmp_path, author_same.path, change)
    stopped(make, out, r"alike \(they differ by 0, the first are 1\.000", lines, h5=h5)


# --- no false alarm ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_models_are_usual(tmp_path: Path, word_index: Path, name: str) -> None:
    scores = np.array(json.loads((FIXTURES / f"{name}.json").read_text())["scores"])
    labels = [f"label{number}" for number in range(scores.shape[-1])]
    build(
        FIXTURES / f"{name}.h5",
        word_index,
        tmp_path / "b",
        labels=labels,
        padding="pre",
        say=lambda line: None,
    )


# --- the option ----------------------------------------------------------------------------------


def test_what_was_accepted_once_stops_the_next_build_without_the_option(
    make: Make, out: Path, tmp_path: Path
) -> None:
    words = written(tmp_path / "few.json", {"you": 1, "are": 2, "an": 3, "idiot": 4})
    make(words=words, accept_unusual=True)
    before = tree(out)
    assert make(words=words, accept_unusual=True).unchanged
    with pytest.raises(BuildError, match="have no word"):
        make(words=words)
    assert tree(out) == before


def test_command_line_has_the_option(
    author_same: Recorded, tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = written(tmp_path / "few.json", {"you": 1, "are": 2, "an": 3, "idiot": 4})
    given = ["--h5", author_same.path, "--word-index", words, "--out", out]
    arguments = [*map(str, given), "--labels", ",".join(LABELS), "--padding", "pre"]
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.endswith("add --accept-unusual\n")
    assert main([*arguments, "--accept-unusual"]) == 0
    assert "(accepted)" in capsys.readouterr().out


# --- dump-embeddings -----------------------------------------------------------------------------


def test_dump_for_words_that_never_occur_is_refused(tmp_path: Path, author_same: Recorded) -> None:
    words = written(tmp_path / "words.json", {f"w{n},{n}": n for n in range(1, 40)})
    with pytest.raises(BuildError, match="39 of 39 words can never occur"):
        dump_embeddings(author_same.path, tmp_path / "out", word_index=words, say=print)
    assert not (tmp_path / "out").exists()
    options: dict[str, Any] = {"word_index": words, "accept_unusual": True}
    assert dump_embeddings(author_same.path, tmp_path / "out", **options).count == 39


def test_dump_of_vectors_for_other_words_is_refused(tmp_path: Path) -> None:
    vectors = tmp_path / "glove.txt"
    vectors.write_text("".join(f"mot{number} 0.5 -1\n" for number in range(50)))
    words = written(tmp_path / "words.json", {f"w{number}": number for number in range(1, 40)})
    with pytest.raises(BuildError, match="39 of 39 words of the index have no vector"):
        dump_embeddings(vectors, tmp_path / "out", word_index=words)
    assert not (tmp_path / "out").exists()
    options: dict[str, Any] = {"word_index": words, "accept_unusual": True}
    assert dump_embeddings(vectors, tmp_path / "out", **options).count == 39


def test_dump_goes_by_the_tokenizer_that_the_word_index_states(
    tmp_path: Path, author_same: Recorded
) -> None:
    config = {"filters": "!", "word_index": json.dumps({f"w.{n}": n for n in range(1, 40)})}
    words = tmp_path / "tokenizer.json"
    words.write_text(json.dumps({"class_name": "Tokenizer", "config": config}))
    assert dump_embeddings(author_same.path, tmp_path / "out", word_index=words).count == 39
