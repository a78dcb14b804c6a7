"""`fab build-model`, `inspect-model` and `dump-embeddings`: options for the model builder."""

from __future__ import annotations

from controller.deploy.cli import DRY_RUN
from controller.deploy.model_builder import build_bundle, inspect_file, write_dump
from controller.deploy.paths import BUNDLE, DUMP, ROOT, user_path

__all__ = [
    "BUILD_HELP",
    "DUMP_HELP",
    "INSPECT_HELP",
    "build_model",
    "dump_embeddings",
    "inspect_model",
]

BUILD_HELP = {
    "h5": "Keras model, .h5 or .keras (default: the sample model)",
    "word_index": "{word: index}, tokenizer.to_json(), CSV or TSV, one word per line, or the "
    "Tokenizer's pickle (default: word_index.json beside the .h5, or the words in the model)",
    "architecture": "model.to_json() as a file, for an .h5 of weights alone",
    "settings": "labels, tokenizer, names as JSON (default: build_settings.json beside the .h5, if "
    "any)",
    "reference": "Keras' own scores as JSON (default: reference.json beside the .h5, if any)",
    "name": "name of the model, [a-z0-9_-]",
    "labels": "names of the scores in order, separated by commas",
    "languages": "that the model was trained for, separated by commas (default: en)",
    "num_words": "as given to Keras' Tokenizer",
    "length": "maxlen of pad_sequences, if the model leaves it open",
    "padding": "side that is filled with zeros: pre or post, as in pad_sequences (asked for if the "
    "scores depend on it)",
    "truncating": "side that is cut off: pre (default) or post",
    "windows": "read a text longer than the sequence in up to so many windows (default: 1, which "
    "cuts it)",
    "stride": "words from one window to the next (default: three quarters of the length)",
    "pooling": "of the windows' scores, for each label: max (default) or mean",
    "oov_token": "as given to Keras' Tokenizer",
    "no_oov_token": "the Tokenizer had none: unknown words are dropped",
    "normalization": "of a text before the tokenizer, as in the training: keras: none (default); "
    "unicode: NFKC, plain quotes, blanks and dashes separate words",
    "embedding_name": "first part of the collection's name, [a-z0-9_]",
    "mode": "split: vectors in MongoDB (default); whole: in the head, indices in MongoDB",
    "dtype": "of the vectors in MongoDB: float32 (default) or float16",
    "sample": "comments, one per line or a CSV: the metrics tell how their scores are distributed",
    "out": f"bundle directory (default: {BUNDLE.relative_to(ROOT)})",
    "force": "build even if nothing has changed",
    "accept_unusual": "only warn where word index, matrix or golden outputs do not look like a "
    "model's",
    **DRY_RUN,
}
INSPECT_HELP = {
    "file": "any file: a model, an architecture, a tokenizer, a word index, a directory",
    "word_index": "of the model (default: word_index.json beside it, if any)",
    "architecture": "model.to_json() as a file, for an .h5 of weights alone",
    **DRY_RUN,
}
DUMP_HELP = {
    "source": "Keras model, GloVe or word2vec vectors (text or .bin, plain, .gz or .zip), or the "
    "article's own dump (.bson or its directory)",
    "word_index": "the tokenizer's, whose words and indices are stored (required for a Keras "
    "model)",
    "architecture": "model.to_json() as a file, for an .h5 of weights alone",
    "num_words": "as given to Keras' Tokenizer",
    "name": "first part of the collection's name, [a-z0-9_] (default: embedding)",
    "dtype": "of the vectors: float32 (default) or float16",
    "member": "the file to read from a .zip that holds several",
    "accept_unusual": "only warn where word index, matrix or vectors do not look like a model's",
    "out": f"dump directory (default: {DUMP.relative_to(ROOT)})",
    **DRY_RUN,
}


def build_model(
    h5: str | None = None,
    word_index: str | None = None,
    architecture: str | None = None,
    settings: str | None = None,
    reference: str | None = None,
    name: str | None = None,
    labels: str | None = None,
    languages: str | None = None,
    num_words: int = 0,
    length: int = 0,
    padding: str | None = None,
    truncating: str | None = None,
    windows: int = 0,
    stride: int = 0,
    pooling: str | None = None,
    oov_token: str | None = None,
    no_oov_token: bool = False,
    normalization: str | None = None,
    embedding_name: str | None = None,
    mode: str | None = None,
    dtype: str | None = None,
    sample: str | None = None,
    out: str | None = None,
    force: bool = False,
    accept_unusual: bool = False,
    dry_run: bool = False,
) -> None:
    """Turn a Keras .h5 into a bundle: a small head and a dump of its word vectors."""
    build_bundle(
        h5,
        word_index,
        user_path(out, BUNDLE),
        dry_run,
        architecture=architecture,
        settings=settings,
        reference=reference,
        name=name,
        labels=labels,
        languages=languages,
        num_words=num_words or None,
        length=length or None,
        padding=padding,
        truncating=truncating,
        windows=windows or None,
        stride=stride or None,
        pooling=pooling,
        oov_token=oov_token,
        no_oov_token=no_oov_token,
        normalization=normalization,
        embedding_name=embedding_name,
        mode=mode,
        dtype=dtype,
        sample=sample,
        force=force,
        accept_unusual=accept_unusual,
    )


def inspect_model(
    file: str,
    word_index: str | None = None,
    architecture: str | None = None,
    dry_run: bool = False,
) -> None:
    """Say whether a file fits: what it is, what would be assumed, what to type; builds nothing."""
    inspect_file(file, word_index, architecture, dry_run)


def dump_embeddings(
    source: str | None = None,
    word_index: str | None = None,
    architecture: str | None = None,
    num_words: int = 0,
    name: str = "embedding",
    dtype: str = "float32",
    member: str | None = None,
    accept_unusual: bool = False,
    out: str | None = None,
    dry_run: bool = False,
) -> None:
    """Write word vectors of any source as a directory that mongorestore takes."""
    write_dump(
        source,
        user_path(out, DUMP),
        dry_run,
        word_index=word_index,
        architecture=architecture,
        num_words=num_words or None,
        name=name,
        dtype=dtype,
        member=member,
        accept_unusual=accept_unusual,
    )
