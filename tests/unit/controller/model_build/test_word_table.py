"""A word index as CSV or TSV, as people export it; what is not one is refused with its line."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from controller.model_build.errors import BuildError
from controller.model_build.word_index import read_word_index

SAMPLE = Path(__file__).parents[4] / "sample_model"
WORDS = {"the": 1, "of": 2, "für": 3}


def read(tmp_path: Path, content: str | bytes) -> dict[str, int]:
    path = tmp_path / "words.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    index = read_word_index(path)
    return {
        word.decode(): int(number) for word, number in zip(index.words, index.indices, strict=True)
    }


@pytest.mark.parametrize(
    "text",
    [
        "the,1\nof,2\nfür,3\n",
        "the,1\r\nof,2\r\nfür,3",
        "\ufeffword,index\r\nthe,1\r\nof,2\r\nfür,3\r\n",
        "word;index\nthe;1\nof;2\nfür;3\n",
        "Word\tIndex\nthe\t1\nof\t2\nfür\t3\n",
        "index,word\n1,the\n2,of\n3,für\n",
        "1,the\n2,of\n3,für\n",
        "1 the\n2 of\n3 für\n",
        "the     1\nof      2\nfür     3\n",
        "the, 1\nof, 2\nfür, 3\n",
        '"word","index"\n"the","1"\n"of","2"\n"für","3"\n',
        # Series(word_index).to_csv() and DataFrame(...).to_csv() of pandas.
        ",0\nthe,1\nof,2\nfür,3\n",
        ",word,index\n0,the,1\n1,of,2\n2,für,3\n",
        "token,count,id\nthe,900,1\nof,500,2\nfür,1,3\n",
        "spelling,position\nthe,1\nof,2\nfür,3\n",
    ],
)
def test_table_is_read_in_every_form(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text) == WORDS


def test_quoted_word_may_contain_the_separator_and_quotation_marks(tmp_path: Path) -> None:
    text = 'word,index\n"1,000",1\n"""",2\n"say ""no""",3\nthe,4\n'
    assert read(tmp_path, text) == {"1,000": 1, '"': 2, 'say "no"': 3, "the": 4}


def test_quotation_mark_of_a_tsv_is_a_word(tmp_path: Path) -> None:
    assert read(tmp_path, 'the\t1\n"\t2\nof\t3\n') == {"the": 1, '"': 2, "of": 3}


def test_words_may_be_numbers(tmp_path: Path) -> None:
    assert read(tmp_path, "the,1\n2019,2\nof,3\n") == {"the": 1, "2019": 2, "of": 3}
    assert read(tmp_path, "word,index\n2019,1\n2020,2\n") == {"2019": 1, "2020": 2}


@pytest.mark.parametrize("text", ["the,1\n\u00a0,2\na\u00a0b,3\n", "the\n\u00a0\na\u00a0b\n"])
def test_no_break_space_is_a_word_as_in_keras(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text) == {"the": 1, "\u00a0": 2, "a\u00a0b": 3}


@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["", "bom"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_words_of_unicode_blanks_quotes_and_separators_survive_an_export(
    tmp_path: Path, separator: str, end: str, quoting: int, mark: str
) -> None:
    blanks = [chr(code) for code in range(0x80, 0x3001) if chr(code).isspace()]
    blanks += ["\u200b", "\ufeff", "\u180e"]
    marks = ["'", '"', '""', 'a"b', ",", ";"]
    every = ["the", *blanks, *(f"a{blank}b" for blank in blanks), *marks]
    words = {word: index for index, word in enumerate(every, start=1)}
    for header in ([], [("word", "index")]):
        text = io.StringIO(newline="")
        writer = csv.writer(text, delimiter=separator, lineterminator=end, quoting=quoting)  # type: ignore[arg-type] # an int
        writer.writerows([*header, *words.items()])
        assert read(tmp_path, mark + text.getvalue()) == words


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv_of_the_sample_model_has_its_words(tmp_path: Path, separator: str) -> None:
    words = json.loads((SAMPLE / "word_index.json").read_text())
    text = io.StringIO()
    csv.writer(text, delimiter=separator).writerows([("word", "index"), *words.items()])
    assert read(tmp_path, text.getvalue()) == words


@pytest.mark.parametrize("name", ["word", "Tokens", "vocabulary", "0"])
def test_name_of_an_only_column_is_not_taken_for_the_first_word(tmp_path: Path, name: str) -> None:
    with pytest.raises(BuildError, match=f"line 1 is '{name}', which names a column: remove it"):
        read(tmp_path, f"{name}\nthe\nyou\nidiot\n")
    assert read(tmp_path, f"{name},1\nthe,2\nyou,3\n")[name] == 1


def test_list_of_words_may_contain_commas(tmp_path: Path) -> None:
    words = {"the": 1, "1,000": 2, "5,5": 3, ",": 4, "of": 5, "a": 6}
    assert read(tmp_path, "\n".join(words)) == words


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("the,1\nof,2\nto be,3,4\na,4\n", r"line 3 is 'to be,3,4', which has not the 2 columns"),
        ("the,1\nof\nto,3\na,4\n", r"line 2 is 'of', which has not the 2 columns, separated by c"),
        ("the;1\nof;2\n\nto;3\n", r"line 3 is empty: remove it"),
        ("word,index\nthe,1\nof,x\nto,3\n", r"line 3 is 'of,x': 'x' is not an index"),
        ("the,1.0\nof,2.0\n", r"line 1 is 'the,1.0': '1.0' is not an index"),
        ("the,0.43\nof,0.11\n", r"line 1 is 'the,0.43': '0.43' is not an index"),
        ("the,1\n,2\nof,3\n", r"line 2 is ',2', without a word"),
        ("the,0\nof,1\n", r"word 'the' has index 0, but index 0 is the padding"),
        ("the,-1\nof,2\n", r"word 'the' has index -1"),
        ("the,1\nof,99999999999\n", r"line 2 is .* is not an index"),
        ("the,1\nof,1\n", r"'the' and 'of' have the same index 1"),
        ("the,1\nof,2\nthe,3\n", r"'the' occurs twice"),
        ("1,2\n2,3\n3,1\n", r"both columns hold numbers: name the columns .*, word,index\)"),
        ("word,count\nthe,500\nof,300\n", r"'count' says how often a word occurs"),
        ("the,500\nof,300\nto,300\n", r"counts are not indices"),
        ("the,1,500\nof,2,400\nto,3,90\n", r"line 1 is 'the,1,500', and there are 3 columns: name"),
        ("word,index\n", "it is empty"),
        ("the,1\nfür,2\n".encode("latin-1"), r"byte 7 is not UTF-8 text\): save it as UTF-8"),
        ("the,1\n".encode("utf-16"), r"byte 0 is not UTF-8 text"),
    ],
)
def test_what_is_no_word_index_is_refused_with_its_line(
    tmp_path: Path, text: str | bytes, match: str
) -> None:
    with pytest.raises(BuildError, match=match) as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_json_of_index_word_is_read(tmp_path: Path) -> None:
    assert read(tmp_path, '{"1": "the", "2": "of", "3": "2019"}') == {"the": 1, "of": 2, "2019": 3}


def test_tokenizer_json_may_have_its_words_as_an_object(tmp_path: Path) -> None:
    assert read(tmp_path, '{"config": {"word_index": {"the": 1, "of": 2}}}') == {"the": 1, "of": 2}
