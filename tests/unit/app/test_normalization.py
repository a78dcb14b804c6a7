"""Text as people write it: `unicode` at the level of tokens, `keras` as it always was."""
# ruff: noqa: RUF001 (look-alike characters are what is tested)

from __future__ import annotations

import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tiny_bundle import TinyBundle

from tox_com_det.model import normalization
from tox_com_det.model.manifest import Manifest, ManifestError
from tox_com_det.model.normalization import normalize
from tox_com_det.model.tokenizer import TokenizerRules

KERAS = TokenizerRules()
UNICODE = TokenizerRules(normalization="unicode")
ANY_TEXT = st.text(st.characters(exclude_categories=[]), max_size=60)
# Characters that stand next to each other in a different order after NFKC, or fall away.
MARKS = st.text(
    "a\u0f73\u0315\u0327\u034f\u0653\u0627\u3099か\u200d\uff9e\ufb2c\u20e3ㅤ가", max_size=99
)


@pytest.mark.parametrize(
    ("trick", "text"),
    [
        ("no-break space", "you\u00a0are\u00a0an\u00a0idiot"),
        ("CR LF from HTML forms", "you are\r\nan\ridiot\n"),
        ("em space", "you\u2003are\u2003an\u2003idiot"),
        ("full-width", "ｙｏｕ ａｒｅ ａｎ ｉｄｉｏｔ！"),
        ("curly quotes", "you are an “idiot”"),
        ("glued em dash", "you are an idiot—you are an idiot"),
        ("ellipsis character", "you are an idiot… you are"),
        ("ideographic full stop", "you are an idiot。you are"),
        ("emoji glued to a word", "you are an idiot🤡you are👍🏽"),
        ("BOM", "\ufeffyou are an idiot"),
        ("zero-width joiner", "you are an i\u200ddi\u200dot"),
        ("mixed Cyrillic letters", "you are an іdіоt"),
        ("mixed Greek letters", "you αre an idiοt"),
        ("zero-width space, soft hyphen", "you are an id\u200biot id\u00adiot"),
        ("a mark on every letter", "you are an " + "".join(c + "\u0336" for c in "idiot")),
        ("letters in frames", "you are an 🄸🄳🄸🄾🅃 i\u20ddd\u20ddi\u20ddo\u20ddt\u20dd"),
        ("mathematical letters", "you are an 𝗶𝗱𝗶𝗼𝘁"),
        ("NEL, line and paragraph separator", "you\u0085are\u2028an\u2029idiot"),
        ("control characters", "you\x00are\x0ban\x7fidiot"),
        ("keycap and flag", "you are an idiot1️⃣ idiot🇩🇪"),
        ("dotted capital I", "you are an İDİOT"),
        ("Hangul filler", "you are an idi\u3164ot"),
        ("an emoji newer than this Python", "you are an idiot\U0001fae8"),
    ],
)
def test_a_trick_leaves_the_words(trick: str, text: str) -> None:
    words = {"you", "are", "an", "idiot"}
    assert set(KERAS.tokens(text)) != words, trick
    assert set(UNICODE.tokens(text)) - {"idiot1"} == words


@pytest.mark.parametrize(
    ("trick", "text", "tokens"),
    [
        # What no step before the tokenizer can undo; the training's augmentation has to.
        ("letter repetition", "idiooooot", ["idiooooot"]),
        ("blanks between letters", "i d i o t", ["i", "d", "i", "o", "t"]),
        ("one digit", "id1ot", ["id1ot"]),
        ("leetspeak", "1d10t", ["1d10t"]),
    ],
)
def test_ascii_tricks_stay_as_they_are(trick: str, text: str, tokens: list[str]) -> None:
    assert UNICODE.tokens(text) == KERAS.tokens(text) == tokens, trick


def test_a_hundred_polite_words_stay_a_hundred_words() -> None:
    """Windows find the insult before them, see test_windows.py."""
    assert UNICODE.tokens("idiot " + "thanks " * 100) == ["idiot"] + ["thanks"] * 100


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("don’t don‘t don´t donʼt don′t don＇t", ["don't"] * 6),
        ("«oui» „ja“ “yes”", ["oui", "ja", "yes"]),
        ("well\u2010known non\u2011sense", ["well", "known", "non", "sense"]),
        ("naïve nai\u0308ve Straße", ["naïve", "naïve", "straße"]),
        ("½ ﬁne №5", ["1", "2", "fine", "no5"]),
        ("Привет, соска! Ελλάδα", ["привет", "соска", "ελλάδα"]),
        ("日本語 かﾞ 한국", ["日本語", "が", "한국"]),
        ("half \ud800 pair", ["half", "pair"]),
        ("ﷺ", []),
        ("‴", ["'''"]),
    ],
)
def test_other_words_keep_their_letters(text: str, tokens: list[str]) -> None:
    assert UNICODE.tokens(text) == tokens


def test_a_hyphen_is_the_one_that_the_filters_know() -> None:
    rules = TokenizerRules(filters="!", normalization="unicode")
    assert rules.tokens("well\u2010known—fact") == ["well-known", "fact"]


def test_case_is_the_tokenizers() -> None:
    assert normalize("ＩDIОT") == "IDIOT"
    assert TokenizerRules(lower=False, normalization="unicode").tokens("“IDIOT”") == ["IDIOT"]


def test_other_splits_and_characters_work_as_well() -> None:
    assert TokenizerRules(split="|", normalization="unicode").tokens("a\u00a0b,c") == ["a b", "c"]
    rules = TokenizerRules(char_level=True, normalization="unicode")
    assert rules.tokens("“Ｈi\u200b”") == ['"', "h", "i", '"']


@given(ANY_TEXT | MARKS)
@example("\u0bbe" * 40 + "\u0f77" * 40)
@example("\ufb2c" + "\u05b0" * 30)
def test_a_normalized_text_stays_as_it_is(text: str) -> None:
    once = normalize(text)
    assert normalize(once) == once
    assert unicodedata.is_normalized("NFKC", once)


@given(ANY_TEXT)
def test_the_result_holds_letters_marks_and_ascii_only(text: str) -> None:
    for character in normalize(text):
        assert " " <= character <= "~" or unicodedata.category(character)[0] in "LMN"


def test_every_character_alone_is_normalized_once_for_all_and_grows_sixfold_at_most() -> None:
    assigned = (*range(0x20000), *range(0x2F800, 0x2FA20), *range(0xE0000, 0xE0200))
    for code in assigned:
        once = normalize(f"a{chr(code)}b")
        assert normalize(once) == once
        assert len(once) <= 8, hex(code)
        for table in (normalization._BEFORE_NFKC, normalization._AFTER_NFKC):
            # What `_mapped` relies on to be quick.
            assert not chr(code).isalnum() or code in table or table[code] == chr(code)


@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"])))
def test_printable_ascii_stays(text: str) -> None:
    assert normalize(text) == text


@given(ANY_TEXT)
def test_keras_changes_nothing(text: str) -> None:
    """Keras' own words: lower, each filter to a blank, split at blanks."""
    table = str.maketrans(dict.fromkeys(KERAS.filters, " "))
    words = [word for word in text.lower().translate(table).split(" ") if word]
    assert TokenizerRules(normalization="keras").tokens(text) == words


@given(ANY_TEXT)
def test_tokens_are_those_of_the_normalized_text(text: str) -> None:
    assert UNICODE.tokens(text) == KERAS.tokens(normalize(text))


class Calls:
    """Counts how often a function of `unicodedata` is asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        self.lengths: list[int] = []
        original = getattr(unicodedata, name)

        def counted(form: str, text: str) -> object:
            self.lengths.append(len(text))
            return original(form, text)

        monkeypatch.setattr(normalization.unicodedata, name, counted)


@pytest.mark.parametrize(
    "marks", ["\u0315\u0327", "\u0f73", "\u0315\u200d\u0327", "\uff9e" + "\u0327" * 9]
)
def test_long_runs_of_marks_are_cut_before_they_are_sorted(
    monkeypatch: pytest.MonkeyPatch, marks: str
) -> None:
    """NFKC takes 30 s for 100,000 of them."""
    calls = Calls(monkeypatch, "normalize")
    normalize("a" + marks * 5000)
    assert max(calls.lengths) < 100


def test_tables_stay_small() -> None:
    normalize("".join(map(chr, range(0x4E00, 0x9FFF))))
    for table in (normalization._BEFORE_NFKC, normalization._AFTER_NFKC):
        assert len(table) <= normalization._MOST_ENTRIES


def test_an_unknown_step_is_refused() -> None:
    with pytest.raises(ValueError, match="normalization must be keras or unicode, not 'nfd'"):
        TokenizerRules(normalization="nfd")  # type: ignore[arg-type]  # what is tested


def test_it_needs_the_standard_library_only() -> None:
    code = (
        "import sys; import tox_com_det.model.normalization, tox_com_det.model.tokenizer;"
        "print({'numpy', 'onnxruntime', 'flask', 'pymongo'} & set(sys.modules))"
    )
    app = Path(normalization.__file__).parents[2]
    done = subprocess.run(  # noqa: S603 (this Python, with the code above)
        [sys.executable, "-c", code], cwd=app, capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


# --- the manifest --------------------------------------------------------------------------------


def test_a_manifest_names_it_and_its_version_differs() -> None:
    data = TinyBundle(tokenizer={"normalization": "unicode"}).manifest()
    manifest = Manifest.from_dict(data)
    assert manifest.tokenizer.normalization == "unicode"
    assert manifest.to_dict() == data
    assert manifest.model_version != TinyBundle().load().model_version


def test_without_it_a_manifest_is_one_that_older_apps_read() -> None:
    plain = TinyBundle().manifest()
    assert Manifest.from_dict(plain).tokenizer.normalization == "keras"
    assert TinyBundle(tokenizer={"normalization": "keras"}).load().to_dict() == plain


@pytest.mark.parametrize("value", ["nfd", "Unicode", "", None, 1, ["unicode"], {}])
def test_a_reader_refuses_a_step_that_it_does_not_know_by_name(value: object) -> None:
    with pytest.raises(ManifestError) as caught:
        TinyBundle(tokenizer={"normalization": value}).load()
    assert str(caught.value).startswith(f"tokenizer.normalization is {value!r}, expected keras or")
