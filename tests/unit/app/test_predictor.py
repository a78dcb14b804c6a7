import base64
import json

import numpy as np
import pytest
from tiny_bundle import TinyBundle

from tox_com_det.model.head import Head, HeadError
from tox_com_det.model.manifest import Manifest, content_version
from tox_com_det.model.predictor import Predictor
from tox_com_det.store.vectors import Vectors


def predictor(bundle, database, manifest=None):
    manifest = manifest or bundle.load()
    return Predictor(
        manifest, Head(bundle.head(), manifest), Vectors(database, manifest.tokenizer, 100)
    )


def test_words_are_scored_in_order_after_the_padding(bundle, database):
    one = predictor(bundle, database).predict(["You are GREAT!"])[0]
    assert one.scores == pytest.approx(bundle.scores(["you", "are", "great"]), abs=1e-6)
    assert (one.known, one.unknown, one.used) == (3, 0, 3)


def test_unknown_words_are_dropped_and_counted(bundle, database):
    one = predictor(bundle, database).predict(["you zork are zork"])[0]
    assert one.scores == pytest.approx(bundle.scores(["you", "are"]), abs=1e-6)
    assert (one.known, one.unknown, one.used) == (2, 2, 2)


def test_a_long_text_is_cut_at_the_start_and_the_cut_words_are_counted(bundle, database):
    words = ["you", "are", "great", "and", "my", "work", "awful", "naïve"]
    one = predictor(bundle, database).predict([" ".join(words)])[0]
    assert one.scores == pytest.approx(bundle.scores(words[-6:]), abs=1e-6)
    assert (one.known, one.unknown, one.used, one.cut) == (6, 0, 6, 2)
    assert database.asked == [words[-6:]]


def test_a_text_without_known_words_is_all_padding(bundle, database):
    one = predictor(bundle, database).predict(["zork"])[0]
    assert one.scores == pytest.approx(bundle.scores([]), abs=1e-6)
    assert (one.known, one.unknown, one.used) == (0, 1, 0)


def test_several_texts_take_one_lookup_and_keep_their_order(bundle, database):
    found = predictor(bundle, database).predict(["awful", "great you", "awful"])
    wanted = [bundle.scores(words) for words in (["awful"], ["great", "you"], ["awful"])]
    for one, scores in zip(found, wanted, strict=True):
        assert one.scores == pytest.approx(scores, abs=1e-6)
    assert database.asked == [["awful", "great", "you"]]


def test_unknown_words_take_the_row_of_the_oov_token(database, bundle):
    data = bundle.manifest()
    data["tokenizer"] |= {"oov_token": "<oov>"}
    row = bundle.vectors["awful"].tobytes()
    data["embedding"]["special_rows"]["99"] = base64.b64encode(row).decode()
    data["model_version"] = content_version(data)
    one = predictor(bundle, database, Manifest.from_dict(data)).predict(["you zork"])[0]
    assert one.scores == pytest.approx(bundle.scores(["you", "awful"]), abs=1e-6)
    assert (one.known, one.unknown, one.used) == (1, 1, 2)


def test_a_score_that_is_not_a_number_is_an_error(bundle, database):
    manifest = bundle.load()
    bundle.bias[2] = np.nan
    with pytest.raises(HeadError, match="not a number"):
        predictor(bundle, database, manifest).predict(["you"])


def test_a_golden_output_that_does_not_match_is_named(bundle, database):
    data = bundle.manifest()
    data["golden_outputs"]["cases"][1]["scores"][4] += 0.01
    one = predictor(bundle, database, Manifest.from_dict(data))
    assert one.check_golden_outputs().problem.startswith("golden output 1: insult of 'awful' is 0.")
    assert predictor(bundle, database).check_golden_outputs().problem == ""


def test_golden_outputs_are_scored_without_the_cache(bundle, database):
    one = predictor(bundle, database)
    one.predict(["you are great awful"])
    one.check_golden_outputs()
    assert len(database.asked) == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"metadata": {"embedding_checksum": "sha256:" + "0" * 64}}, "metadata embedding_checksum"),
        ({"metadata": {"labels": json.dumps(["toxic"])}}, "metadata labels"),
        ({"metadata": {"labels": "toxic"}}, "not JSON"),
        ({"metadata": {"sequence_length": "7"}}, "metadata sequence_length"),
        ({"head_input": "tokens"}, "inputs are"),
        ({"length": 7}, "input vectors has the shape"),
        ({"dimension": 5}, "input vectors has the shape"),
        ({"labels": ("toxic",)}, "output scores has the shape"),
    ],
)
def test_another_models_head_is_refused_and_the_difference_named(bundle, change, words):
    with pytest.raises(HeadError, match=words):
        Head(TinyBundle(**change).head(), bundle.load())


def test_a_head_that_is_not_onnx_is_one_line(bundle):
    with pytest.raises(HeadError, match=r"^head\.onnx cannot be loaded: .*$"):
        Head(b"not a model", bundle.load())


@pytest.mark.parametrize("shape", [(1, 6, 5), (1, 7, 4), (6, 4)])
def test_inputs_of_another_shape_are_refused(bundle, shape):
    with pytest.raises(ValueError, match="expected"):
        Head(bundle.head(), bundle.load()).run({"vectors": np.zeros(shape, np.float32)})
