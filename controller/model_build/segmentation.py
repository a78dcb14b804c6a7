"""Find a word index that a segmenter made, which the service does not have.

Texts in Chinese, Japanese, Thai, Lao, Khmer and Burmese have no blanks between words, so a training
cuts them with a program of its own, such as jieba. Pieces of words come from SentencePiece, BPE or
WordPiece. The server separates words at blanks: texts as people write them would then have no known
word, and all score alike.
"""

from __future__ import annotations

import re

from controller.model_build.plausibility import Unusual, listed
from controller.model_build.settings import Settings
from controller.model_build.word_index import WordIndex

_WITHOUT_BLANKS = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]"
)
_PIECE = re.compile("[\u2581\u0120].|##.")


def check_segmentation(index: WordIndex, settings: Settings, where: str, unusual: Unusual) -> None:
    """Find words of a language without blanks, and pieces of words.

    Args:
        where: the file, for the error.
    """
    if settings.char_level:
        return
    words = [raw.decode("utf-8") for raw in index.words if not raw.isascii() or raw[:2] == b"##"]
    uncut = [word for word in words if _WITHOUT_BLANKS.search(word)]
    if 2 * len(uncut) > len(index):
        unusual(
            f"{where}: {len(uncut)} of {len(index)} words, such as {listed(uncut)}, are of a "
            "language without blanks between words, so a segmenter such as jieba cut the texts of "
            "the training, and the server has none: a text without blanks would be one unknown "
            "word",
            "train with a Tokenizer of characters (char_level=True), or send texts that are cut "
            "as in the training, with blanks",
        )
    pieces = [word for word in words if _PIECE.match(word)]
    if 5 * len(pieces) > len(index):
        unusual(
            f"{where}: {len(pieces)} of {len(index)} entries are pieces of words, such as "
            f"{listed(pieces)}, of SentencePiece, BPE or WordPiece, which the server lacks",
            "train with Keras' Tokenizer or a TextVectorization",
        )
