"""What nginx says where it refuses a request with 429: the limit that was exceeded, no other."""

from __future__ import annotations

import re

import pytest
from parsers import nginx
from rendered_files import NGINX, parsed
from rendering import SYSTEMS, Variant, owners, render

# Each limit has a number of its own, so that a text cannot name another one by chance.
LIMITS = {
    "nginx_requests_per_second": 51,
    "nginx_request_burst": 202,
    "nginx_connections_per_client": 53,
    "nginx_requests_per_second_with_key": 504,
    "nginx_request_burst_with_key": 1005,
    "nginx_connections_per_client_with_key": 306,
    "nginx_readiness_per_second": 7,
    "nginx_large_requests": 38,
    "nginx_large_requests_per_client": 9,
}
# What the limits of nginx were, whether the request has a key and is large, its path.
CASES = {
    "REJECTED , /predict": {51, 202},
    "REJECTED ,1 /batch": {51, 202},
    "REJECTED 1, /v1alpha1/comments:analyze": {504, 1005},
    "REJECTED 1,1 /predict": {504, 1005},
    "REJECTED , /readyz": {7, 51},
    "REJECTED 1, /readyz": {7, 51},
    "PASSED , /predict": {53},
    "PASSED , /readyz": {53},
    "PASSED 1, /predict": {306},
    " 1, /predict": {306},
    "PASSED ,1 /batch": {38, 9, 53, 306},
    "PASSED 1,1 /batch": {38, 9, 53, 306},
}


def maps(text: str):
    return {one.arguments[1]: one for one in nginx(text).all("map")}


def chosen(block, value: str) -> str:
    """The result of a map for a value."""
    for one in block:
        if one.name == value or (
            one.name.startswith("~") and re.search(one.name.removeprefix("~"), value)
        ):
            return str(one.arguments[0])
    (default,) = (one for one in block if one.name == "default")
    return str(default.arguments[0])


@pytest.mark.parametrize(("state", "numbers"), CASES.items())
def test_the_text_names_the_limit_that_refused_the_request(state: str, numbers: set[int]):
    found = maps(render(NGINX, owners()[NGINX], "debian12", Variant("own", LIMITS)))
    assert found["$exceeded"].arguments[0] == "$limit_req_status $keyed,$large $request_path"
    exceeded = chosen(found["$exceeded"].block, state)
    text = chosen(found["$exceeded_text"].block, exceeded)
    # A large body has at least so many bytes.
    assert {int(one) for one in re.findall("[0-9]+", text.replace("100,000", ""))} == numbers
    assert ("with a key from this address" in text) == (numbers in ({504, 1005}, {306}))
    assert int(chosen(found["$exceeded_value"].block, exceeded)) in numbers


@pytest.mark.parametrize("system", SYSTEMS)
def test_each_form_of_the_error_has_that_text(system: str):
    found = {one.arguments[1]: one for one in parsed(NGINX, system).all("map")}
    for one in found["$error_429"].block:
        assert "$exceeded_text" in one.arguments[0]
    google = chosen(found["$error_429"].block, "google")
    assert '"quota_limit_value": "$exceeded_value"' in google


@pytest.mark.parametrize(("total", "own", "allowed"), [(32, 4, "4"), (2, 4, "2"), (200, 5, "5")])
def test_one_client_has_a_part_of_the_large_requests(total: int, own: int, allowed: str):
    """A slow body keeps its place: with a quarter for each client four addresses took all."""
    values = {"nginx_large_requests": total, "nginx_large_requests_per_client": own}
    text = render(NGINX, owners()[NGINX], "debian12", Variant("own", values))
    limits = {one.arguments[0]: one.arguments[1] for one in nginx(text).all("limit_conn")}
    assert limits["large_requests"] == str(total)
    assert limits["large_requests_of_client"] == allowed
