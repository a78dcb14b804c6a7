"""`fab dump-embeddings`: every source gives the same dump; a damaged one is a one-line error."""

from __future__ import annotations

import gzip
import json
import struct
import zipfile

import bson
import numpy as np
import pytest
from keras_files import head_of

from controller.model_build.dump_embeddings import dump_embeddings
from controller.model_build.errors import BuildError
from tox_com_det.store.checksum import embedding_checksum

WORDS = ["the", "idiot", "für", "😀", "a"]
VECTORS = np.array(
    [[0.418, 0.24968, -1.5e-3], [1, -1, 0], [3.5, 4.25, -7], [0, 0, 0], [9, 8, 7.125]], "<f4"
)
EXPECTED = [
    (word, WORDS.index(word) + 1, VECTORS[WORDS.index(word)].tobytes())
    for word in sorted(WORDS, key=str.encode)
]


def line(word, row):
    return word.encode() + b" " + b" ".join(str(number).encode() for number in row) + b"\n"


GLOVE = b"".join(line(word, row) for word, row in zip(WORDS, VECTORS, strict=True))
WORD2VEC = b"5 3\n" + GLOVE
BINARY = b"5 3\n" + b"".join(
    word.encode() + b" " + row.tobytes() + b"\n" for word, row in zip(WORDS, VECTORS, strict=True)
)


# Some programs write no line feeds.
BINARY_WITHOUT_LINES = b"5 3\n" + b"".join(
    word.encode() + b" " + row.tobytes() for word, row in zip(WORDS, VECTORS, strict=True)
)


def articles(words=WORDS, vectors=VECTORS):
    """A dump of the article's script: vectors as lists of texts, indices counted from 0."""
    return b"".join(
        bson.encode(
            {
                "_id": bson.ObjectId(),
                "word": word,
                "index": index,
                "vector": [str(number) for number in vector],
            }
        )
        for index, (word, vector) in enumerate(zip(words, vectors, strict=True))
    )


def zipped(data, *names):
    def write(path):
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, data)

    return write


def dumped(tmp_path, file, data, **options):
    source = tmp_path / file
    data(source) if callable(data) else source.write_bytes(data)
    lines = []
    dump = dump_embeddings(source, tmp_path / "out", say=lines.append, **options)
    path = tmp_path / "out" / "word_embeddings" / f"{dump.collection}.bson"
    with path.open("rb") as file:
        rows = [(one["_id"], one["index"], one["vector"]) for one in bson.decode_file_iter(file)]
    assert sorted(one.name for one in (tmp_path / "out").iterdir()) == ["word_embeddings"]
    return dump, rows, lines


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("glove.txt", GLOVE),
        ("glove.txt.gz", gzip.compress(GLOVE)),
        ("glove.zip", zipped(GLOVE, "glove.txt")),
        ("word2vec.txt", WORD2VEC),
        ("word2vec.bin", BINARY),
        ("word2vec.bin.gz", gzip.compress(BINARY)),
        ("word2vec.zip", zipped(BINARY, "word2vec.bin")),
        ("word2vec.bin", BINARY_WITHOUT_LINES),
        ("posts.bson", articles()),
    ],
    ids=range(9),
)
def test_every_format_gives_the_same_dump(tmp_path, name, data):
    dump, rows, _ = dumped(tmp_path, name, data, name="tiny")
    assert rows == EXPECTED
    assert dump.checksum == embedding_checksum(EXPECTED)
    assert dump.collection == f"tiny_{dump.checksum[7:19]}"


def test_directory_of_the_articles_dump_is_read(tmp_path):
    folder = tmp_path / "dump" / "word_embeddings"
    folder.mkdir(parents=True)
    (folder / "glove-wiki-gigaword-300.posts.bson").write_bytes(articles())
    lines = []
    dump = dump_embeddings(tmp_path / "dump", tmp_path / "out", say=lines.append)
    assert dump.checksum == embedding_checksum(EXPECTED)
    assert any("its indices, counted from 0, are raised by 1" in line for line in lines)


def test_keras_model_gives_the_dump_of_its_bundle(tmp_path, author_same, word_index):
    dump = dump_embeddings(author_same.path, tmp_path / "out", word_index=word_index)
    _, matrix = head_of(author_same.path)
    words = json.loads(word_index.read_text())
    rows = [
        (word, words[word], matrix[words[word]].astype("<f4").tobytes())
        for word in sorted(words, key=str.encode)
    ]
    assert dump.checksum == embedding_checksum(rows)


def test_word_index_selects_words_and_words_without_a_vector_get_zeros(tmp_path):
    index = tmp_path / "index.json"
    index.write_text(json.dumps({"idiot": 1, "zebra": 2, "für": 3, "rare": 4}))
    options = {"word_index": index, "num_words": 4}
    _, rows, lines = dumped(tmp_path, "glove.txt", GLOVE, **options)
    assert rows == [
        ("für", 3, VECTORS[2].tobytes()),
        ("idiot", 1, VECTORS[1].tobytes()),
        ("zebra", 2, bytes(12)),
    ]
    assert "1 of 3 words of the index have no vector and get zeros" in lines


def test_float16_reports_its_largest_difference(tmp_path):
    _, rows, lines = dumped(tmp_path, "glove.txt", GLOVE, dtype="float16")
    assert [row for _, _, row in rows] == [
        np.frombuffer(row, "<f4").astype("<f2").tobytes() for _, _, row in EXPECTED
    ]
    largest = np.abs(VECTORS - VECTORS.astype("<f2").astype("<f4")).max()
    assert f"float16 changes a number by at most {largest:.1e}" in lines


def test_words_that_contain_a_space_are_kept(tmp_path):
    _, rows, _ = dumped(tmp_path, "glove.txt", GLOVE + line(". . .", VECTORS[0]))
    assert rows[0] == (". . .", 6, VECTORS[0].tobytes())


@pytest.mark.parametrize(
    ("name", "data", "match"),
    [
        ("glove.txt", b"", "is empty: download or copy it again"),
        ("glove.txt", GLOVE + b"more 1 2\n", "word 6 cannot be read .*2 numbers"),
        ("glove.txt", GLOVE + b"more 1 2 x\n", "word 6 cannot be read"),
        ("glove.txt", GLOVE + b"more 1 2 nan\n", "word 6 .*NaN or infinity"),
        ("glove.txt", GLOVE + b"\xff\xfe 1 2 3\n", "word 6 cannot be read"),
        ("glove.txt", GLOVE + line("idiot", VECTORS[0]), "'idiot' occurs twice, as number 2 and 6"),
        ("glove.txt", b"Hello there!\n", "word 1 cannot be read"),
        ("word2vec.txt", b"7 3\n" + GLOVE, "ends after 5 words, its first line says 7"),
        ("word2vec.bin", BINARY[:-9], "word 5 cannot be read .*cut off"),
        ("word2vec.bin", GLOVE, "not `count dimension`"),
        ("glove.txt.gz", gzip.compress(GLOVE)[:-12], "cannot be unpacked"),
        ("glove.zip", zipped(GLOVE, "50d.txt", "300d.txt"), "50d.txt, 300d.txt: name one"),
        ("posts.bson", articles()[:-7], "document 5 cannot be read"),
        ("posts.bson", bson.encode({"word": "a"}), "has no 'index'"),
        ("posts.bson", articles(["a"], [["x"]]), "document 1 cannot be read"),
        ("posts.bson", articles(["a", "b"], [[1], [1, 2]]), "'b' has 2 numbers"),
        ("model.h5", b"\x89HDF\r\n\x1a\n", "a Keras model contains no words: name .* --word-index"),
    ],
    ids=range(17),
)
def test_damaged_source_is_a_one_line_error_and_leaves_nothing(tmp_path, name, data, match):
    with pytest.raises(BuildError, match=match) as caught:
        dumped(tmp_path, name, data)
    assert "\n" not in str(caught.value)
    assert [one.name for one in tmp_path.iterdir()] == [name]


def test_large_file_is_parsed_by_several_processes_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr("controller.model_build.vector_files._LARGE", 0)
    monkeypatch.setattr("controller.model_build.vector_text._CHUNK", 2000)
    rows = np.random.default_rng(1).normal(size=(3000, 3)).astype("<f4")
    data = b"".join(line(f"w{number}", row) for number, row in enumerate(rows, start=1))
    _, found, _ = dumped(tmp_path, "glove.txt", data)
    assert {word: index for word, index, _ in found} == {f"w{n}": n for n in range(1, 3001)}
    assert all(vector == rows[index - 1].tobytes() for _, index, vector in found)
    with pytest.raises(BuildError, match="word 3001 cannot be read"):
        dumped(tmp_path, "broken.txt", data + b"x 1 2\n" + data)


def test_file_in_a_zip_can_be_named(tmp_path):
    data = zipped(GLOVE, "50d.txt", "300d.txt")
    assert dumped(tmp_path, "glove.zip", data, member="300d.txt")[1] == EXPECTED


@pytest.mark.parametrize(
    ("name", "data", "option", "words"),
    [
        ("glove.txt", GLOVE, {"num_words": 3}, "--num-words needs --word-index: give both"),
        ("glove.txt.gz", gzip.compress(GLOVE), {"member": "a"}, "--member is of a .zip: name one"),
        ("model.keras", zipped(b"", "x"), {"member": "x"}, "--member is of a .zip: name one"),
        ("glove.zip", zipped(GLOVE, "a"), {"architecture": "x"}, "--architecture is of an .h5: na"),
    ],
    ids=["num-words", "member", "keras", "architecture"],
)
def test_option_without_use_is_refused(tmp_path, name, data, option, words):
    with pytest.raises(BuildError, match=words) as caught:
        dumped(tmp_path, name, data, **option)
    assert str(caught.value).endswith(", or leave it out")
    assert [one.name for one in tmp_path.iterdir()] == [name]


def test_number_beyond_float16_names_its_word(tmp_path):
    with pytest.raises(BuildError, match="'big' contains a number beyond 65504"):
        dumped(tmp_path, "glove.txt", GLOVE + b"big 1 2 7e4\n", dtype="float16")


def test_dump_replaces_a_dump_and_nothing_else(tmp_path):
    dumped(tmp_path, "glove.txt", GLOVE)
    dump, _, _ = dumped(tmp_path, "glove.txt", GLOVE, name="other")
    found = {one.name for one in (tmp_path / "out" / "word_embeddings").iterdir()}
    assert found == {f"{dump.collection}.bson", f"{dump.collection}.metadata.json"}
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("mine")
    with pytest.raises(BuildError, match="choose another --out"):
        dump_embeddings(tmp_path / "glove.txt", tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.tex").read_text() == "mine"


def test_interrupt_leaves_nothing(tmp_path, monkeypatch):
    encode, calls = bson.encode, []

    def interrupted(document):
        calls.append(document)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return encode(document)

    (tmp_path / "glove.txt").write_bytes(GLOVE)
    monkeypatch.setattr("controller.model_build.dump.bson.encode", interrupted)
    with pytest.raises(KeyboardInterrupt):
        dump_embeddings(tmp_path / "glove.txt", tmp_path / "out")
    assert [one.name for one in tmp_path.iterdir()] == ["glove.txt"]


def test_index_is_the_place_in_the_file_as_int32(tmp_path):
    dumped(tmp_path, "glove.txt", GLOVE)
    raw = next((tmp_path / "out").rglob("*.bson")).read_bytes()
    assert b"\x10index\x00" + struct.pack("<i", 2) in raw
