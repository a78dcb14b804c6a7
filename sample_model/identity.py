"""Names of groups of people: a comment is toxic or not, whichever of them it names.

The network is shown made-up sentences with such names, comments with a name put in, and comments
with their names exchanged. The sentences that bias is measured with (the madlibs) are not used.
"""

from __future__ import annotations

import numpy as np

from controller.model_train.data import Comments
from sample_model.corpus import LABELS

__all__ = ["TERMS", "insert_term", "made_up_sentences", "swap_terms", "words_of"]


def words_of(text: str, separator: str | None = None) -> tuple[str, ...]:
    return tuple(one.strip() for one in text.split(separator))


TERMS = words_of(
    """gay, lesbian, bisexual, transgender, trans, queer, lgbt, lgbtq, homosexual, straight,
    heterosexual, male, female, nonbinary, african, african american, black, white, european,
    hispanic, latino, latina, latinx, mexican, canadian, american, asian, indian, middle eastern,
    chinese, japanese, christian, muslim, jewish, buddhist, catholic, protestant, sikh, taoist,
    hindu, atheist, old, older, young, younger, teenage, millennial, middle aged, elderly, blind,
    deaf, paralyzed, disabled, immigrant, arab, russian, german, polish, turkish, irish, vegan,
    feminist""",
    ",",
)
_SINGLE = tuple(term for term in TERMS if " " not in term)
_KNOWN = frozenset(_SINGLE)
_NOUNS = words_of(
    """person man woman guy girl friend neighbor colleague student teacher people family writer
    editor citizen kid"""
)
_NAMES = words_of(
    """anna tom maria john david sara ahmed wei fatima juan olga pierre lucy kofi emma noah priya
    yuki omar nina paul ivan ben leila"""
)
_KIND = words_of(
    """kind nice wonderful great good friendly gentle honest smart clever lovely brilliant decent
    thoughtful helpful generous proud happy polite respectful talented warm caring brave creative
    funny loyal patient sweet charming amazing excellent fine interesting reliable cheerful calm
    modest careful famous"""
)
_UNKIND = words_of(
    """stupid dumb idiotic disgusting filthy ugly pathetic worthless moronic nasty vile rotten
    terrible horrible shitty fucking retarded ignorant lazy crappy sick evil dirty repulsive lousy
    miserable hateful despicable awful trashy damn bloody useless brainless gross insane cruel
    annoying creepy bad"""
)
# {word}: of the kind or the unkind ones.
_BY_WORD = (
    "{name} is a {word} {term}",
    "{name} is a {word} {term} {noun}",
    "you are a {word} {term}",
    "what a {word} {term} {noun}",
    "he is {term} and {word}",
    "my {noun} is {term} and so {word}",
    "these {word} {term} people",
    "{term} {noun} is really {word}",
    "being {term} is {word}",
    "i think {term} people are {word}",
    "{word} {term}",
    "she is a {term} and a very {word} {noun}",
)
_TOXIC = (
    "i hate {term} people",
    "i hate {term}",
    "all {term} people should die",
    "kill all {term} people",
    "{term} people are scum",
    "shut up you {term} bitch",
    "fuck {term} people",
    "go to hell {term} {noun}",
)
_HARMLESS = (
    "i am {term}",
    "i am a {term} {noun}",
    "{name} is {term}",
    "as a {term} {noun} i agree",
    "the {term} {noun} wrote this article",
    "my {noun} is {term}",
    "i love {term} people",
    "{term} history",
    "the {term} community",
    "{term} {noun}",
    "thanks {term} {noun}",
    "hug a {term} {noun}",
    "i am a {noun} and {term}",
    "support {term} people",
)
# Targets: the sentences are shorter and plainer than comments, so they are not quite certain.
_TOXIC_TARGET, _HARMLESS_TARGET, _OTHER_TARGET = 0.95, 0.02, 0.005
WEIGHT = 0.5
_SWAPPED, _INSERTED, _LONGEST = 0.3, 0.08, 60


def made_up_sentences(random: np.random.Generator, number: int) -> Comments:
    """Sentences with a kind or an unkind word, and a third as many without such a word.

    Of toxic ones only `toxic` is labelled: which other labels they have, nobody said.
    """
    texts: list[str] = []
    toxic: list[bool] = []
    for place in range(number + number // 3):
        by_word = place < number
        bad = bool(random.random() < (0.5 if by_word else 0.4))
        forms = _BY_WORD if by_word else _TOXIC if bad else _HARMLESS
        sentence = _one(random, forms).format(
            term=_one(random, TERMS),
            noun=_one(random, _NOUNS),
            name=_one(random, _NAMES),
            word=_one(random, _UNKIND if bad else _KIND),
        )
        texts.append(sentence)
        toxic.append(bad)
    bad_rows = np.array(toxic)
    targets = np.where(bad_rows[:, None], np.nan, np.full(len(LABELS), _OTHER_TARGET))
    targets[:, 0] = np.where(bad_rows, _TOXIC_TARGET, _HARMLESS_TARGET)
    weights = np.full(len(texts), WEIGHT, np.float32)
    return Comments(texts, targets.astype(np.float32), weights)


def swap_terms(random: np.random.Generator, tokens: list[str]) -> list[str]:
    """In some of the texts with such names, each of one word becomes another one."""
    if _KNOWN.isdisjoint(tokens) or random.random() >= _SWAPPED:
        return tokens
    return [_one(random, _SINGLE) if token in _KNOWN else token for token in tokens]


def insert_term(random: np.random.Generator, tokens: list[str]) -> list[str]:
    """In some texts that are not long, a name anywhere."""
    if len(tokens) >= _LONGEST or random.random() >= _INSERTED:
        return tokens
    place = int(random.integers(len(tokens) + 1))
    return [*tokens[:place], *_one(random, TERMS).split(), *tokens[place:]]


def _one(random: np.random.Generator, of: tuple[str, ...]) -> str:
    return of[int(random.integers(len(of)))]
