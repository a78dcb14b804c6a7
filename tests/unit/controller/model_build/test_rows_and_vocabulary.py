"""Rows are read one by one for every HDF5 layout, and only those that a text can refer to."""

from __future__ import annotations

import tracemalloc

import h5py
import numpy as np
import pytest

from controller.model_build.errors import BuildError
from controller.model_build.rows import as_float16, open_rows
from controller.model_build.vocabulary import vocabulary
from controller.model_build.word_index import WordIndex
from tox_com_det.model.tokenizer import TokenizerRules

MATRIX = np.random.default_rng(3).normal(size=(1000, 7)).astype(np.float32)


def rows_of(tmp_path, **how):
    """Every row of MATRIX, read from a file with a given storage layout."""
    path = tmp_path / "matrix.h5"
    with h5py.File(path, "w", userblock_size=how.pop("userblock_size", 0)) as file:
        file.create_dataset("m", data=MATRIX, **how)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with h5py.File(path) as file, open_rows(file["m"], path, scratch) as rows:
        read = [rows[index] for index in range(len(MATRIX))]
        copied = [one.name for one in scratch.iterdir()]
    assert list(scratch.iterdir()) == []
    return np.frombuffer(b"".join(read), "<f4").reshape(-1, 7), copied


@pytest.mark.parametrize(
    ("how", "copied"),
    [
        ({}, []),
        ({"userblock_size": 1024}, []),
        ({"chunks": (64, 7), "compression": "gzip"}, ["rows.f4"]),
        ({"dtype": ">f4"}, ["rows.f4"]),
        ({"dtype": "<f8"}, ["rows.f4"]),
    ],
)
def test_rows_are_equal_for_every_storage_layout(tmp_path, how, copied):
    rows, scratch = rows_of(tmp_path, **how)
    np.testing.assert_array_equal(rows, MATRIX)
    assert scratch == copied


def test_row_that_is_not_finite_is_named(tmp_path):
    path = tmp_path / "m.h5"
    broken = MATRIX.copy()
    broken[5, 3] = np.nan
    with h5py.File(path, "w") as file:
        file["m"] = broken
    with h5py.File(path) as file, open_rows(file["m"], path, tmp_path) as rows:
        assert rows[4] == MATRIX[4].tobytes()
        with pytest.raises(BuildError, match="row 5 of the embedding contains NaN"):
            rows[5]


def index_of(words):
    return WordIndex([word.encode() for word in words], np.array(list(words.values())))


def test_only_words_below_num_words_are_kept_and_the_rest_counted():
    words = {"you": 1, "zebra": 2, "Äh": 3, "idiot": 4}
    chosen = vocabulary(index_of(words), TokenizerRules(num_words=4), rows=400)
    assert list(chosen) == [("you", 1), ("zebra", 2), ("Äh", 3)]  # by UTF-8 bytes
    assert (chosen.unreachable, chosen.unused_rows) == (1, 396)


def test_num_words_0_is_no_limit_as_in_keras():
    assert len(vocabulary(index_of({"a": 1, "b": 2}), TokenizerRules(num_words=0), rows=9)) == 2


def test_words_beyond_the_matrix_are_an_error_that_names_the_option():
    words = index_of({"a": 1, "b": 2, "c": 3, "d": 4})
    with pytest.raises(BuildError, match=r"2 words such as 'd' \(index 4\).*--num-words 3"):
        vocabulary(words, TokenizerRules(), rows=3)


def test_words_beyond_the_matrix_are_ignored_if_num_words_cuts_them_off():
    words = index_of({"a": 1, "b": 2, "c": 9})
    chosen = vocabulary(words, TokenizerRules(num_words=3), rows=3)
    assert list(chosen) == [("a", 1), ("b", 2)]
    assert (chosen.unreachable, chosen.unused_rows) == (1, 0)


def test_word_index_without_a_reachable_word_is_refused():
    with pytest.raises(BuildError, match="no word of the index is below num_words=2"):
        vocabulary(index_of({"a": 5}), TokenizerRules(num_words=2), rows=10)


@pytest.mark.parametrize("value", [0.1, -3.0, 65504.0, 1e-8])
def test_float16_is_the_nearest_number(value):
    row = as_float16(np.array([value], "<f4").tobytes(), "row 3")
    assert np.frombuffer(row, "<f2")[0] == np.float16(value)


def test_number_beyond_float16_is_refused():
    with pytest.raises(BuildError, match="row 3 contains a number beyond 65504"):
        as_float16(np.array([1.0, 7e4], "<f4").tobytes(), "row 3")


def test_vocabulary_of_many_words_takes_little_memory_beside_them():
    """The words of GloVe: joined at once they would take 80 bytes each for a while."""
    count = 50_000
    words = [b"word%d" % number for number in range(count)]
    index = WordIndex(words, np.arange(1, count + 1))
    tracemalloc.start()
    try:
        made = vocabulary(index, TokenizerRules(), count + 1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 60 * count
    assert [word for word, _ in made] == sorted(word.decode() for word in words)
    assert [made.word(number) for number in (0, 7, count - 1)] == [
        sorted(words)[number].decode() for number in (0, 7, count - 1)
    ]
