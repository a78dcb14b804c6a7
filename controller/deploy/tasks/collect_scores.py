"""`fab collect-scores`: its options, and what it prints."""

from __future__ import annotations

import re

from controller.deploy.cli import DRY_RUN
from controller.deploy.errors import DeployError
from controller.deploy.paths import ROOT, absolute, user_path
from controller.scores.collect import ATTRIBUTES, collect
from controller.scores.google import ADDRESS, Perspective, read_key
from controller.scores.pairs import Pairs
from controller.scores.retries import check_address
from controller.scores.texts import read_texts

__all__ = ["HELP", "collect_scores"]

PAIRS = ROOT / "build" / "scores" / "pairs.csv"
HELP = {
    "texts": "file of comments: one per line, or a .csv or .tsv with a header",
    "google_key_file": "file with the API key for Google's Perspective",
    "column": "column of a .csv or .tsv (default: text, comment_text or alike)",
    "attributes": f"separated by commas (default: {','.join(ATTRIBUTES)})",
    "language": "of the comments (default: en)",
    "rate": "requests per second (default: 1, Google's default quota)",
    "address": f"whom to ask (default: {ADDRESS})",
    "out": f"CSV of text, attribute, score (default: {PAIRS.relative_to(ROOT)})",
    **DRY_RUN,
}


def collect_scores(
    texts: str | None = None,
    google_key_file: str | None = None,
    column: str | None = None,
    attributes: str | None = None,
    language: str = "en",
    rate: int = 1,
    address: str = ADDRESS,
    out: str | None = None,
    dry_run: bool = False,
) -> None:
    """Collect Google's scores of your comments, while Perspective answers (until 2026-12-31)."""
    if not texts or not google_key_file:
        raise DeployError(
            "name the comments and the key: "
            "`fab collect-scores --texts FILE --google-key-file FILE`"
        )
    check_address("address", address, ADDRESS)
    names = [name for name in (attributes or ",".join(ATTRIBUTES)).split(",") if name]
    if not names or not all(re.fullmatch(r"[A-Z][A-Z0-9_@]{0,63}", name) for name in names):
        raise DeployError(f"--attributes is {attributes}, expected names such as TOXICITY,INSULT")
    comments = read_texts(absolute(texts), column)
    perspective = Perspective(address, read_key(absolute(google_key_file)))
    pairs = Pairs(user_path(out, PAIRS), dry_run=dry_run)
    if dry_run:
        left = sum(bool(pairs.missing(text, names)) for text in comments)
        print(f"would ask {address} for {left} of {len(comments)} comments, {rate} per second")
        return
    done = collect(perspective, pairs, comments, names, language, rate)
    print(
        f"{done.scored} comments scored, {done.refused} refused, {done.before} were there before: "
        f"{pairs.path}"
    )
