"""The texts of the golden outputs: every bundle stores their scores, every deploy checks them.

Standard library only: the training script of the sample model imports this in an environment with
Keras and without the controller's packages.

The texts cover what has gone wrong in public deployments of such models: a one-word insult (the
network of the article's author never saw the last word, so it scored like an empty comment),
capitals and punctuation (tokenizer rules), words outside the word index, no known word at all, and
more tokens than the sequence length (the side that is cut).
"""

from __future__ import annotations

from collections.abc import Callable

POLITE = "thank you for the careful edit to this article and for the sources that you have added"

_INSULT = "What the hell is this shit? You're a fucking moron."

DEFAULT_TEXTS: tuple[str, ...] = (
    "idiot",
    "stupid",
    "thanks",
    "you are an idiot",
    "thank you for your help",
    "YOU ARE AN IDIOT!!! Go away, and never come back.",
    "I will kill you if you touch my page again",
    "The article needs a source for the second paragraph; could you add one?",
    _INSULT,
    "COCKSUCKER BEFORE YOU PISS AROUND ON MY WORK",
    "qzxvkj wqpfzj",
    "?!",
    # Longer than the sequence length, with the insult first and then last: shows which end is cut.
    "idiot " + " ".join([POLITE] * 8),
    " ".join([POLITE] * 8) + " idiot",
)

_LEAD = " ".join([POLITE] * 2)
# A service refuses texts of more than 20,000 characters, unless its settings say otherwise.
MOST_CHARACTERS = 10_000


def long_texts(known: Callable[[str], int], words: int) -> list[str]:
    """An insult near the start of, and one amid, at least `words` polite words that are known.

    For models that read long texts in windows: a reader that cuts them scores these otherwise.
    None where the model knows no polite word, or where a service would refuse their length.

    Args:
        known: words of a text that take a position of the sequence.
        words: polite words that the texts have at least.
    """
    each = known(POLITE)
    half = " ".join([POLITE] * -(-words // (2 * max(1, each))))
    texts = [f"{_LEAD} {_INSULT} {half} {half}", f"{half} {_INSULT} {half}"]
    return texts if each and len(texts[0]) <= MOST_CHARACTERS else []
