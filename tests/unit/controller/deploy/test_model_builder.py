"""What the user types for the model builder: each wrong value is one line that names its option."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from controller.deploy.errors import DeployError
from controller.deploy.model_builder import build_bundle, write_dump
from controller.deploy.paths import SAMPLE_MODEL, absolute, user_path

H5, WORDS = SAMPLE_MODEL / "toxic_comment_detector.h5", SAMPLE_MODEL / "word_index.json"


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("missing", "does not exist"),
        ("directory", "is a directory, not a file"),
        ("dangling", "is a link to nowhere, which does not exist"),
        ("loop", "is a link to loop, which does not exist"),
        ("pipe", "is not a regular file"),
        ("a" * 300, r"cannot be read \(File name too long\)"),
        ("file/below", "does not exist"),
    ],
)
@pytest.mark.parametrize(
    "option", ["h5", "word_index", "settings", "reference", "architecture", "source"]
)
def test_file_that_is_none_is_refused(tmp_path: Path, option: str, kind: str, words: str) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").write_text("")
    os.mkfifo(tmp_path / "pipe")
    out = tmp_path / "out"
    given = {"h5": str(H5), "word_index": str(WORDS), option: str(tmp_path / kind)}
    if (option, kind) == ("source", "directory"):
        words = "contains 0 .bson files: name one of them"
    source, h5, index = given.pop("source", None), given.pop("h5"), given.pop("word_index")
    with pytest.raises(DeployError, match=f"{words}.* --{option.replace('_', '-')}$") as caught:  # noqa: PT012 (either of the two raises)
        if source is not None:
            write_dump(source, out)
        build_bundle(h5, index, out, say=print, **given)
    assert "\n" not in str(caught.value)
    assert not out.exists()


@pytest.mark.parametrize("kind", ["file", "file/below", "a" * 300, "dangling", "other"])
def test_place_that_cannot_be_written_is_refused(tmp_path: Path, kind: str) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DeployError, match="--out") as caught:
        build_bundle(str(H5), str(WORDS), tmp_path / kind, say=lambda line: None)
    assert "\n" not in str(caught.value)
    with pytest.raises(DeployError, match="--out"):
        write_dump(str(H5), tmp_path / kind, word_index=str(WORDS), say=lambda line: None)
    assert sorted(tmp_path.rglob("*")) == before


def test_home_of_nobody_is_refused(tmp_path: Path) -> None:
    words = "^~no_such_user/x: there is no user 'no_such_user': write the whole path$"
    with pytest.raises(DeployError, match=words):
        user_path("~no_such_user/x", tmp_path)
    with pytest.raises(DeployError, match=words):
        absolute("~no_such_user/x")


@pytest.mark.parametrize(
    "option", ["settings", "reference", "architecture", "sample", "word_index"]
)
def test_home_is_expanded_in_each_option(
    tmp_path: Path, option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shell leaves the ~ of `--settings=~/x` as it is."""
    monkeypatch.setenv("HOME", str(tmp_path))
    given = {"word_index": str(WORDS), option: "~/none"}
    words = f"^{tmp_path}/none(:| does)"
    with pytest.raises(DeployError, match=words):
        build_bundle(str(H5), out=tmp_path / "out", say=print, **given)
    nobody = {**given, option: "~no_such_user/none"}
    with pytest.raises(DeployError, match="there is no user 'no_such_user'"):
        build_bundle(str(H5), out=tmp_path / "out", dry_run=True, **nobody)
    if option in ("architecture", "word_index"):
        with pytest.raises(DeployError, match=words):
            write_dump(str(H5), tmp_path / "out", **given)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"padding": "zz"}, "padding is 'zz', it must be pre or post"),
        ({"mode": "zz"}, "mode is 'zz', it must be split or whole"),
        ({"dtype": "int8"}, "dtype is 'int8', it must be float32 or float16"),
        ({"pooling": "zz"}, "pooling is 'zz', it must be"),
        ({"name": "A b"}, "name is 'A b', it must be text of the form"),
        ({"languages": "english"}, "languages is .*, it must be codes such as en"),
        ({"oov_token": "x", "no_oov_token": True}, "contradict each other: give one"),
        ({"sample": "none.csv"}, "none.csv does not exist.* --sample"),
        ({"out": "file"}, "exists and is not a directory: choose another --out"),
    ],
    ids=str,
)
def test_a_dry_run_refuses_what_the_build_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    given = dict(options)
    out = tmp_path / given.pop("out", "out")
    for dry_run in (True, False):
        with pytest.raises(DeployError, match=words):
            build_bundle(str(H5), str(WORDS), out, dry_run=dry_run, **given)
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dtype": "int8"}, "dtype is 'int8', it must be float32 or float16"),
        ({"name": "A b"}, "embedding_name is 'A b', it must be text of the form"),
        ({"word_index": "none"}, "none does not exist.* --word-index"),
        ({"out": "file"}, "exists and is not a directory: choose another --out"),
    ],
    ids=str,
)
def test_a_dry_run_refuses_what_the_dump_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("you 0.5 -1\n")
    given = dict(options)
    out = tmp_path / given.pop("out", "out")
    for dry_run in (True, False):
        with pytest.raises(DeployError, match=words):
            write_dump("file", out, dry_run=dry_run, **given)
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_a_path_may_be_a_text_or_a_path(tmp_path: Path) -> None:
    """Programs of the project give paths, and fab gives what was typed."""
    assert absolute(tmp_path / "a") == absolute(str(tmp_path / "a")) == tmp_path / "a"
