"""A bundle is replaced as a whole or not at all, whatever interrupts the build."""

from __future__ import annotations

import os
import shutil
import signal

import bson
import pytest
from bundle_files import tree
from keras_files import LABELS

from controller.model_build.__main__ import main
from controller.model_build.errors import BuildError


def test_previous_bundle_is_replaced_completely(make, out, author_valid):
    make()
    make(h5=author_valid.path)
    assert len(list(out.glob("dump/word_embeddings/*.bson"))) == 1
    assert list(out.parent.iterdir()) == [out]


@pytest.mark.parametrize("line", range(2))
def test_interrupt_leaves_nothing_behind(make, out, lines, line):
    make()
    count = len(lines)
    shutil.rmtree(out)
    assert count > line

    def say(text):
        if len(seen) == line:
            raise KeyboardInterrupt
        seen.append(text)

    seen = []
    with pytest.raises(KeyboardInterrupt):
        make(say=say)
    assert list(out.parent.iterdir()) == []


def test_interrupt_within_the_dump_keeps_the_previous_bundle(make, out, monkeypatch):
    make()
    before = tree(out)
    encode, calls = bson.encode, []

    def interrupted(document):
        calls.append(document)
        if len(calls) == 20:
            raise KeyboardInterrupt
        return encode(document)

    monkeypatch.setattr("controller.model_build.dump.bson.encode", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make(num_words=30)
    assert len(calls) == 20
    assert tree(out) == before
    assert list(out.parent.iterdir()) == [out]


def test_terminated_command_leaves_nothing(author_same, word_index, out, monkeypatch):
    def terminated(document):
        os.kill(os.getpid(), signal.SIGTERM)
        return b""

    monkeypatch.setattr("controller.model_build.dump.bson.encode", terminated)
    before = signal.getsignal(signal.SIGTERM)
    arguments = ["--h5", author_same.path, "--word-index", word_index, "--out", out]
    with pytest.raises(SystemExit) as caught:
        main([*map(str, arguments), "--labels", ",".join(LABELS), "--padding", "pre"])
    assert caught.value.code == 128 + signal.SIGTERM
    assert list(out.parent.iterdir()) == []
    assert signal.getsignal(signal.SIGTERM) == before


def test_full_disk_is_a_one_line_error(make, out, monkeypatch):
    def full(document):
        raise OSError(28, "No space left on device", "bundle")

    monkeypatch.setattr("controller.model_build.dump.bson.encode", full)
    with pytest.raises(BuildError, match="No space left on device: nothing was changed"):
        make()
    assert list(out.parent.iterdir()) == []


@pytest.mark.parametrize("kind", ["file", "other directory", "link to a bundle"])
def test_anything_but_a_bundle_is_never_replaced(make, out, kind):
    if kind == "file":
        out.write_text("mine")
    elif kind == "link to a bundle":
        make()
        out.rename(out.parent / "elsewhere")
        out.symlink_to("elsewhere")
    else:
        out.mkdir()
        (out / "thesis.tex").write_text("mine")
    before, entries = tree(out.parent), sorted(out.parent.iterdir())
    with pytest.raises(BuildError, match="choose another --out"):
        make(force=True)
    assert (tree(out.parent), sorted(out.parent.iterdir())) == (before, entries)
    assert out.is_symlink() == (kind == "link to a bundle")


def test_leftovers_of_a_killed_build_are_removed(make, out):
    gone = 2**22 + 1  # above the kernel's largest process id
    (out.parent / f".bundle.building-{gone}").mkdir()
    make()
    assert list(out.parent.iterdir()) == [out]


def test_bundle_is_restored_if_a_build_was_killed_between_the_two_renames(make, out):
    make()
    before = tree(out)
    out.rename(out.parent / f".bundle.previous-{2**22 + 1}")
    with pytest.raises(BuildError, match="give 6 names"):
        make(labels=None)
    assert tree(out) == before
