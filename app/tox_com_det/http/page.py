"""The web page: `GET /`, and `POST /` with a comment. Nothing is loaded from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qs

from flask import Flask, Response, render_template, request

from tox_com_det.http.access import admit
from tox_com_det.http.errors import ApiError
from tox_com_det.http.forms import Result
from tox_com_det.http.limits import limits
from tox_com_det.http.page_content import EXAMPLE_NUMBERS, EXAMPLES, Shown, facts, shown
from tox_com_det.http.request_body import read_body
from tox_com_det.http.static_page import STYLE, STYLE_SOURCE, inline
from tox_com_det.http.turns import Turns
from tox_com_det.http.v1 import Scorer
from tox_com_det.keys.access import Access
from tox_com_det.model.explain import TooManyWordsToExplain
from tox_com_det.model.predictor import Predictor
from tox_com_det.settings import Settings

_FORM = "application/x-www-form-urlencoded"
_FIELDS = {"text", "key", "example"}
# A character has four bytes of UTF-8 at most, each of which is sent as %XX.
_BYTES_PER_CHARACTER = 12
# Names of the fields, a key, the number of an example.
_BYTES_BESIDE_TEXT = 1024
_SCRIPT, _SCRIPT_SOURCE = inline("page.js")

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; connect-src 'self'; base-uri 'none'; form-action 'self';"
    f" frame-ancestors 'none'; script-src {_SCRIPT_SOURCE}; style-src {STYLE_SOURCE}"
)


def add_page(
    app: Flask, settings: Settings, predictor: Predictor, turns: Turns, access: Access
) -> None:
    """Add both routes to an app."""
    manifest = predictor.manifest
    model = facts(manifest)
    scorer = Scorer(predictor, settings.max_unknown_words)
    most_bytes = _BYTES_PER_CHARACTER * settings.max_chars + _BYTES_BESIDE_TEXT
    most_bytes = min(most_bytes, settings.max_body_bytes)

    def render(content: Shown, status: int = 200) -> Response:
        html = render_template(
            "page.html",
            style=STYLE,
            script=_SCRIPT,
            url=request.url_root,
            labels=manifest.labels,
            limits=limits(settings, request.environ),
            requires_key=settings.require_key,
            examples=EXAMPLES,
            facts=model,
            shown=content,
        )
        response = Response(html, status, mimetype="text/html")
        response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        return response

    @app.get("/")
    def index() -> Response:
        return render(Shown())

    @app.post("/")
    def score() -> Response:
        text = ""
        try:
            request.max_content_length = most_bytes
            # Reading a form takes longer than most comments. Its key is in it, so until then the
            # client is the address.
            with turns.turn(access.client_of(request.environ, ()).name):
                fields = _fields(read_body(request), request.mimetype)
                text = _text(fields, settings.max_chars)
            client = admit(access, [fields["key"]] if fields.get("key") else [])
            with turns.turn(client.name):
                return render(shown(text, _scored(scorer, text)))
        except Exception as error:
            # The words that a program would get, in a page.
            response = app.make_response(app.handle_user_exception(error))
            answer = response.get_json(force=True)
            message = answer["detail"] if "detail" in answer else answer["error"]["message"]
            page = render(Shown(text, message[:1].upper() + message[1:]), response.status_code)
            if "Retry-After" in response.headers:
                page.headers["Retry-After"] = response.headers["Retry-After"]
            return page


def _fields(body: bytes, media_type: str) -> Mapping[str, str]:
    """Fields of a form, none of them twice."""
    if media_type != _FORM:
        raise ApiError(415, "unsupported_media_type", f"send Content-Type: {_FORM}")
    try:
        found = parse_qs(body.decode("ascii"), keep_blank_values=True, max_num_fields=len(_FIELDS))
    except ValueError:
        raise ApiError(400, "bad_request", "the form cannot be read") from None
    if found.keys() - _FIELDS or any(len(values) > 1 for values in found.values()):
        words = "the form has a field that is unknown, or occurs twice"
        raise ApiError(400, "unknown_field", f"{words}: send {', '.join(sorted(_FIELDS))}")
    return {name: values[0] for name, values in found.items()}


def _text(fields: Mapping[str, str], max_chars: int) -> str:
    # A browser counts the end of a line as one character, and sends two.
    text = fields.get("text", "").replace("\r\n", "\n")
    if len(text) > max_chars:
        message = f"the comment has {len(text)} characters, the limit is {max_chars}"
        raise ApiError(413, "text_too_long", message)
    if "example" in fields:
        # Chosen in place of what was typed.
        chosen = dict(zip(EXAMPLE_NUMBERS, EXAMPLES, strict=True)).get(fields["example"])
        if chosen is None:
            words = f"example is a number from 0 to {len(EXAMPLES) - 1}"
            raise ApiError(400, "wrong_type", words)
        return chosen
    if not text.strip():
        raise ApiError(400, "empty_text", "write a comment first")
    return text


def _scored(scorer: Scorer, text: str) -> Result:
    try:
        return scorer.answer([text], explain=True).results[0]
    except TooManyWordsToExplain:
        return scorer.answer([text], explain=False).results[0]
