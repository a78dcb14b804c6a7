"""Say what a pickle holds that is no tokenizer, by the names of classes in it; nothing is loaded.

A pickle names the classes of its objects. The names are collected up to the first byte that is no
instruction, such as an array that joblib wrote between them.
"""

from __future__ import annotations

import io
import pickletools
from typing import Any

_COUNTING = (
    "it makes counts or weights of words, not a sequence of word indices, so its model has no "
    "Embedding and cannot be built"
)
_LABELS = "it holds the names of the labels: give them with --labels, and the Tokenizer's own file"
_NO_WORDS = "it holds no word index: give the file of the Tokenizer"
_KERAS = "save the model with model.save('model.h5')"
_VECTORIZATION = (
    "write its words alone, json.dump(layer.get_vocabulary(), open('words.json', 'w')), and its "
    "rules as docs/models.md says"
)
# Start of "module.Class", what it is, what to do: of the first class in the file that is listed
# here. The special ones come first.
_KINDS: tuple[tuple[str, str, str], ...] = (
    ("sklearn.feature_extraction.text.", "{name} of scikit-learn", _COUNTING),
    ("sklearn.preprocessing._label.", "{name} of scikit-learn", _LABELS),
    ("sklearn.preprocessing.label.", "{name} of scikit-learn", _LABELS),
    (
        "sklearn.",
        "{name} of scikit-learn",
        "only Keras models with an Embedding can be built",
    ),
    ("xgboost.", "model of XGBoost", "only Keras models can be built"),
    ("lightgbm.", "model of LightGBM", "only Keras models can be built"),
    ("catboost.", "model of CatBoost", "only Keras models can be built"),
    ("torch.", "model or tensor of PyTorch", "only Keras models can be built"),
    ("transformers.", "{name} of Hugging Face", "only Keras models can be built"),
    ("tokenizers.", "tokenizer of Hugging Face", "only Keras' Tokenizer is read"),
    ("spacy.", "pipeline of spaCy", "only Keras' Tokenizer is read"),
    ("gensim.", "{name} of gensim", "write its vectors with save_word2vec_format()"),
    ("nltk.", "{name} of NLTK", "only Keras models can be built"),
    ("pandas.", "table of pandas", _NO_WORDS),
    ("scipy.sparse", "sparse matrix of scipy", _NO_WORDS),
    ("joblib.", "dump of joblib with arrays", _NO_WORDS),
    ("numpy.ndarray", "numpy array", _NO_WORDS),
    ("numpy.core.numeric.", "numpy array", _NO_WORDS),
    ("numpy._core.numeric.", "numpy array", _NO_WORDS),
    (
        "collections.Counter",
        "count of words",
        "counts are no indices: give the file of the Tokenizer",
    ),
)
_KERAS_START = ("keras.", "tensorflow.", "tensorflow_core.", "tf_keras.")
_TOKENIZER = ("Tokenizer",)


def foreign_pickle(raw: bytes) -> str:
    """What a pickle is, with what to do; "" for one of plain data or of a Keras Tokenizer."""
    names = list(dict.fromkeys(named(raw)))
    what, way_out = next(filter(None, map(_kind, names)), ("", ""))
    if not what:
        return ""
    if any(name.rpartition(".")[2] in _TOKENIZER for name in names):
        return (
            f"a pickle of a Tokenizer together with a {what}, which is not read: write the "
            "tokenizer alone, with open('tokenizer.json', 'w').write(tokenizer.to_json())"
        )
    return f"a pickle of a {what}: {way_out}"


def _kind(name: str) -> tuple[str, str] | None:
    """What a class is, and what to do; None for one of plain data."""
    module, _, last = name.rpartition(".")
    for start, what, way_out in _KINDS:
        if name.startswith(start):
            return what.format(name=last), way_out
    if name.startswith(_KERAS_START):
        if last == "TextVectorization":
            return f"{last} of Keras", _VECTORIZATION
        return None if last in _TOKENIZER else (f"{last} of Keras itself", _KERAS)
    if module.partition(".")[0] == "__main__":
        return f"{last}, a class of the program that wrote it", _NO_WORDS
    return None


def named(raw: bytes) -> list[str]:
    """Names of classes and functions in a pickle, `module.name`, in order; it is not executed."""
    found: list[str] = []
    texts: list[str] = []
    memo: dict[Any, str] = {}
    last = ""
    try:
        for opcode, argument, _ in pickletools.genops(io.BytesIO(raw)):
            if opcode.name in ("GLOBAL", "INST"):
                found.append(str(argument).replace(" ", "."))
            elif opcode.name == "STACK_GLOBAL":
                found.append(".".join(texts[-2:]))
            elif opcode.name in ("SHORT_BINUNICODE", "BINUNICODE", "UNICODE", "BINUNICODE8"):
                last = str(argument)
                texts.append(last)
            elif opcode.name == "MEMOIZE":
                memo[len(memo)] = last
            elif opcode.name in ("BINPUT", "LONG_BINPUT", "PUT"):
                memo[argument] = last
            elif opcode.name in ("BINGET", "LONG_BINGET", "GET"):
                texts.append(memo.get(argument, ""))
            if len(texts) > 2:
                del texts[:-2]
    except (ValueError, IndexError, KeyError, TypeError, OverflowError):
        pass  # the rest is data of another form; what was named before it is enough
    return found
