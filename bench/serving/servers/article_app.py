"""The article's stack: Flask, Keras' `model.predict` on the whole .h5, one `find_one` per word.

The collection is filled as the article fills it, vectors as lists of texts and no index on the
word. The index that it stores is the tokenizer's, so that the scores are right.
"""

from __future__ import annotations

import os
from typing import Any

import keras
import numpy as np
from flask import Flask, jsonify, request
from pymongo import MongoClient
from pymongo.collection import Collection

from tox_com_det.model.tokenizer import TokenizerRules

DATABASE, COLLECTION = "word_embeddings", "article_posts"
LENGTH = 100
LABELS = ["toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate"]

application = Flask(__name__)
model = keras.models.load_model(os.environ["BENCH_H5"], compile=False)
client: MongoClient[dict[str, Any]] = MongoClient(os.environ["BENCH_MONGODB_URI"])
posts: Collection[dict[str, Any]] = client[DATABASE][COLLECTION]
rules = TokenizerRules(normalization="unicode")


def sequence_of(text: str) -> list[int]:
    """The indices of a text's known words, filled with zeros in front."""
    found = [posts.find_one({"word": word}) for word in rules.tokens(text)]
    indices = [one["index"] for one in found if one is not None][-LENGTH:]
    return [0] * (LENGTH - len(indices)) + indices


@application.post("/predict")
def predict() -> Any:
    """The scores of one text or of several."""
    body = request.get_json()
    texts = body["texts"] if "texts" in body else [body["text"]]
    scores = model.predict(np.array([sequence_of(text) for text in texts]), verbose=0)
    results = [{"scores": dict(zip(LABELS, map(float, row), strict=True))} for row in scores]
    return jsonify({"results": results})
