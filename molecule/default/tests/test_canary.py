"""No comment and no key stays on the server: secrets are sent every way, then it is searched.

The secrets are random words, so nothing of an earlier run is found. A command never contains one,
because sudo and Ansible log what they run: a pattern such as `[a]bc` does not find itself.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import re
import secrets
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
import requests
from conftest import HANG_SECONDS
from test_edge import hanging, live_unit, queued, serves
from waiting import until

ANALYZE = "/v1alpha1/comments:analyze"
SUGGEST = "/v1alpha1/comments:suggestscore"
# Below nginx's limit and uWSGI's; nginx's own buffer was 16 kB.
LARGE = 900_000
# Bodies of this size pass through every buffer.
SIZES = (0, 30_000, 100_000)


class Secrets:
    """Words that must not be found, and one that must be."""

    def __init__(self) -> None:
        self.comment = "canary" + secrets.token_hex(8)
        self.google_key = "AIza" + secrets.token_hex(16)
        self.false_key = "toxcomdet_" + secrets.token_hex(16)
        self.control = "control" + secrets.token_hex(8)
        self.true_key = ""

    def patterns(self) -> str:
        """Options for grep that find each of them, and not themselves."""
        words = (self.comment, self.google_key, self.false_key, self.true_key, self.control)
        return " ".join(f"-e '[{word[0]}]{word[1:]}'" for word in words)

    def halves(self) -> str:
        """The control for a shell, which puts it together."""
        return f"'{self.control[:9]}' '{self.control[9:]}'"


@pytest.fixture
def words(host) -> Iterator[Secrets]:
    """The secrets; one of them is a valid key with a low rate."""
    words = Secrets()
    name = f"canary-{secrets.token_hex(4)}"
    with host.sudo():
        had_keys = host.file("/etc/tox_com_det/keys.json").exists
    try:
        with host.sudo():
            added = host.check_output(f"toxctl --json keys --add {name} --rate 20")
        words.true_key = json.loads(added.splitlines()[-1])["result"]["key"]
        yield words
    finally:
        with host.sudo():
            revoked = host.run(f"toxctl keys --revoke {name}")
            if not had_keys:
                host.run("rm -f /etc/tox_com_det/keys.json")
    assert revoked.rc == 0, revoked.stdout + revoked.stderr


class Sender:
    """Sends secrets and takes whatever comes back."""

    def __init__(self, http: requests.Session, url: str, words: Secrets) -> None:
        self.http, self.url, self.words = http, url, words

    def post(
        self, path: str, body: object, key: str, seconds: float = HANG_SECONDS, **headers: str
    ) -> int:
        """Return the status; 0 without a response."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        address = f"{self.url}{path}{'&' if '?' in path else '?'}key={key}"
        given = {
            "Content-Type": "application/json",
            "X-Api-Key": key,
            "Authorization": f"Bearer {key}",
            "Referer": f"http://{self.words.comment}/",
            **headers,
        }
        with contextlib.suppress(OSError):
            response = self.http.post(address, data=data, headers=given, timeout=seconds)
            assert self.words.comment not in response.text or "batch" in path
            return response.status_code
        return 0

    def text(self, size: int = 0) -> str:
        """A comment of about so many bytes, with a word that the service has not cached."""
        new = f"{self.words.comment}{secrets.token_hex(4)}"
        return f"you {new} are " + f"{self.words.comment} " * (size // 23)

    def bodies(self, size: int = 0) -> list[tuple[str, bytes, str]]:
        """A request of each kind: path, body, Content-Type."""
        text = self.text(min(size, 18_000))
        analyze = {"comment": {"text": text}, "requestedAttributes": {"TOXICITY": {}}}
        scores = {"TOXICITY": {"summaryScore": {"value": 1}}}
        suggest = {"comment": {"text": text}, "attributeScores": scores}
        padded = json.dumps({**analyze, "context": {"entries": [{"text": self.text(size)}]}})
        part = (
            f"--b\nContent-Type: application/http\nContent-ID: <{self.words.comment}>\n\n"
            f"POST {ANALYZE}?key={self.words.true_key} HTTP/1.1\n\n{json.dumps(analyze)}\n"
        )
        parts = part * max(1, min(300, size // len(part))) + "--b--\n"
        texts = [text] * max(1, min(30, size // len(text)))
        return [
            (ANALYZE, padded.encode(), "application/x-www-form-urlencoded"),
            (ANALYZE, padded.encode(), "multipart/form-data; boundary=b"),
            (SUGGEST, json.dumps(suggest).encode(), "text/plain"),
            ("/batch", parts.encode(), "multipart/mixed; boundary=b"),
            ("/predict", json.dumps({"texts": texts}).encode(), "application/json"),
        ]

    def every_kind(self, key: str, size: int = 0, seconds: float = HANG_SECONDS) -> set[int]:
        """Send one of each kind; return their statuses."""
        return {
            self.post(path, body, key, seconds, **{"Content-Type": kind})
            for path, body, kind in self.bodies(size)
        }

    def half(self, size: int = 200_000) -> socket.socket:
        """Begin a request that does not end: half of its body is sent."""
        parts = urlsplit(self.url)
        connection = socket.create_connection((parts.hostname, parts.port or 80), HANG_SECONDS)
        body = self.text(size).encode()
        head = f"POST {ANALYZE}?key={self.words.google_key} HTTP/1.1\r\nHost: x\r\n"
        head += f"Content-Length: {2 * len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        return connection

    def in_tiny_chunks(self, size: int = 200_000) -> socket.socket:
        """Begin a request whose chunks hold a byte each; it stays without its last one."""
        parts = urlsplit(self.url)
        connection = socket.create_connection((parts.hostname, parts.port or 80), HANG_SECONDS)
        head = f"POST {ANALYZE}?key={self.words.google_key} HTTP/1.1\r\nHost: x\r\n"
        chunks = (b"1;%b\r\n%c\r\n" % (b"x" * 20, byte) for byte in self.text(size).encode())
        connection.sendall(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n")
        connection.sendall(b"".join(chunks))
        return connection


def files_of_nginx(host) -> set[str]:
    """The kinds of file systems that hold what nginx wrote of bodies to files without a name."""
    return set(
        host.run(
            "for fd in $(find /proc/[0-9]*/fd -lname '*nginx*deleted*' 2>/dev/null); do"
            " stat --dereference --file-system --format %T $fd; done"
        ).stdout.split()
    )


def in_temporary_files(host, words: Secrets) -> str:
    """Where a secret is while requests are under way: also in files that have no name any more.

    nginx and C's tmpfile() remove the name at once. In a container only the user of a process may
    read its open files. Those of nginx for bodies are in memory (see the test for it).
    """
    places = "/tmp /var/tmp /dev/shm /run /var/lib/nginx /var/cache /srv /opt /etc /var/log"  # noqa: S108 (searched, not used)
    deleted = (
        "for fd in $(find /proc/[0-9]*/fd -lname \\*deleted\\) -not -lname /run/nginx-bodies/\\*"
        " 2>/dev/null); do"
        f" [ -f $fd ] && grep -aoE {words.patterns()} $fd /dev/null; done"
    ).replace("'", '"')
    return host.run(
        "LC_ALL=C; export LC_ALL;"
        f" for user in $(stat --format %U /proc/[0-9]* 2>/dev/null | sort -u); do"
        f" runuser -u $user -- sh -c '{deleted}'; done;"
        f" grep -raoE -D skip {words.patterns()} {places} 2>/dev/null"
    ).stdout


def everywhere(host, words: Secrets) -> str:
    """Where a secret is on the disks, in memory file systems and in the journal."""
    found = host.run(
        "LC_ALL=C; export LC_ALL;"
        " find / -maxdepth 1 -mindepth 1 -not -name proc -not -name sys -print0"
        f" | xargs -0 grep -raoE -D skip {words.patterns()} 2>/dev/null;"
        f" journalctl --no-pager --all --output export | grep -aoE {words.patterns()}"
        " | sed 's/^/journal:/'"
    )
    return found.stdout


# Appended to the service's code: an error that nobody expected, whose message is the comment.
FAILURE = """
_predict = Predictor.predict


def _fail(self, texts, *arguments, **named):
    if any("canary" in text for text in texts):
        raise RuntimeError(" ".join(texts))
    return _predict(self, texts, *arguments, **named)


Predictor.predict = _fail
"""


@contextlib.contextmanager
def failing(host, server, unit: str) -> Iterator[None]:
    """The live slot answers comments with a canary with 500."""
    process = host.check_output("systemctl show --property MainPID %s", unit).partition("=")[2]
    command = host.check_output(f"tr '\\0' '\\n' < /proc/{process}/cmdline | head -n 1")
    (release,) = re.findall(rf"{server['releases_dir']}/[^/]+", command)
    module = f"{release}/tox_com_det/model/predictor.py"
    kept = f"{server['releases_dir']}/predictor.py"
    host.check_output("cp --preserve %s %s", module, kept)
    try:
        host.check_output("printf '%%s' %s >> %s", FAILURE, module)
        host.check_output("systemctl restart %s", unit)
        yield
    finally:
        host.check_output("mv %s %s", kept, module)
        host.check_output("systemctl restart %s", unit)


@pytest.fixture
def planted(host, words: Secrets) -> Iterator[list[str]]:
    """Files with the control, on a disk and in memory, and a line of the journal."""
    files = ["/var/tmp/control", "/dev/shm/control"]  # noqa: S108 (of this test alone)
    try:
        with host.sudo():
            for path in files:
                host.check_output(f"printf '%s%s' {words.halves()} > {path}")
            host.check_output(f"printf '%s%s' {words.halves()} | systemd-cat -t control")
            host.check_output("journalctl --sync || true")
        yield files
    finally:
        with host.sudo():
            host.check_output(f"rm -f {' '.join(files)}")


@pytest.mark.usefixtures("slow_refill")
def test_no_comment_and_no_key_is_left_anywhere(host, database, http, url, server, words, planted):
    sender = Sender(http, url, words)
    unit = live_unit(host, server)
    # Their bodies never arrive whole: nginx waits for 15 s and closes the connections.
    with sender.half(), sender.half(20_000), sender.in_tiny_chunks():
        _send_everything(host, server, sender, database, unit)
    with host.sudo():
        # Would leave core dumps, if anything did.
        host.check_output(f"systemctl kill --signal SEGV {unit}")
        host.check_output("systemctl kill --signal SEGV nginx.service")
        until(lambda: serves(http, url))
        found = everywhere(host, words)
    lines = found.splitlines()
    for path in (*planted, "journal"):
        assert f"{path}:{words.control}" in lines, found
    assert [line for line in lines if not line.endswith(words.control)] == []


def test_bodies_that_need_a_file_have_it_in_memory(host, http, url, words):
    """Chunks of a byte have more framing than nginx's buffer has room for."""
    with host.sudo():
        nginx = host.check_output("awk '/^user/ {print $2}' /etc/nginx/nginx.conf").rstrip(";")
    with Sender(http, url, words).in_tiny_chunks(), host.sudo(nginx):
        until(lambda: files_of_nginx(host) == {"tmpfs"})


def _send_everything(host, server, sender, database, unit) -> None:
    http, url, words = sender.http, sender.url, sender.words

    # 200, and 429 in parts of a batch beyond the key's rate; every size of a body.
    for key in (words.true_key, words.google_key):
        for size in SIZES:
            assert sender.every_kind(key, size) <= {200, 400, 413, 429}
    assert 200 in sender.every_kind(words.google_key)
    sender.every_kind(words.false_key, LARGE)
    chunked = (part for part in [sender.bodies(LARGE)[4][1]])
    with contextlib.suppress(OSError):
        http.post(f"{url}/predict?key={words.google_key}", data=chunked)

    # 400, 404, 405, 413, 414, 415, 431.
    key = words.google_key
    assert sender.post(ANALYZE, f'{{"comment": "{words.comment}'.encode(), key) == 400
    assert sender.post(ANALYZE, gzip.compress(sender.text(3_000_000).encode()), key, **{
        "Content-Encoding": "gzip"
    }) == 413  # fmt: skip
    assert sender.post(ANALYZE, sender.text(2_000_000).encode(), key) == 413
    assert sender.post("/predict", sender.text().encode(), key, **{"Content-Type": "a/b"}) == 415
    assert sender.post("/nope", sender.text().encode(), key) == 404
    assert sender.post(f"{ANALYZE}?x={'x' * 9000}", {}, key) == 414
    assert sender.post(ANALYZE, {}, key, **{"X-Long": key * 300}) == 431
    with contextlib.suppress(OSError):
        http.request("TRACE", f"{url}{ANALYZE}?key={key}")

    with host.sudo():
        _break_the_service(host, server, sender, database, unit)

    # 429 of nginx, and of the service for a key that only looks like one.
    small = {"comment": {"text": sender.text()}, "requestedAttributes": {"TOXICITY": {}}}
    for key in (words.google_key, words.false_key):
        with ThreadPoolExecutor(16) as pool:
            found = list(pool.map(lambda _, key=key: sender.post(ANALYZE, small, key), range(400)))
        # How many the service refuses of the other depends on the machine.
        assert 429 in found or key != words.google_key


def _break_the_service(host, server, sender, database, unit) -> None:
    """500 and 503, slow requests, a slot that hangs and one that dies."""
    http, url, words = sender.http, sender.url, sender.words
    link = server["live_link"]
    assert host.run(f"mv {link} {link}.kept").rc == 0
    try:
        assert sender.every_kind(words.google_key, 30_000) == {503}
    finally:
        assert host.run(f"mv {link}.kept {link}").rc == 0
    assert host.run("systemctl stop %s", database).rc == 0
    try:
        assert 503 in sender.every_kind(words.google_key)
    finally:
        assert host.run("systemctl start %s", database).rc == 0
    until(lambda: serves(http, url))
    with failing(host, server, unit):
        until(lambda: serves(http, url))
        assert 500 in sender.every_kind(words.google_key)
        assert 500 in sender.every_kind(words.true_key, 30_000)
    until(lambda: serves(http, url))
    # Their bodies wait in nginx; some clients go away, the others are answered slowly.
    # nginx lets four large requests of a client wait, so they come in two rounds.
    slow = ((words.google_key, 0, HANG_SECONDS), (words.true_key, 100_000, HANG_SECONDS))
    for senders in (slow, ((words.false_key, LARGE, 1),)):
        with ThreadPoolExecutor(16) as pool, hanging(host, unit):
            waiting = [
                pool.submit(sender.post, path, body, key, seconds, **{"Content-Type": kind})
                for key, size, seconds in senders
                for path, body, kind in sender.bodies(size)
            ]
            looks = [in_temporary_files(host, words) for _ in range(2)]
            during = [line for look in looks for line in look.splitlines()]
            assert [line for line in during if not line.endswith(words.control)] == []
        for one in waiting:
            one.result()  # raises what `post` asserts: no response has the comment in it
    # A slot that dies under its requests.
    with ThreadPoolExecutor(1) as pool, hanging(host, unit):
        before = queued(host, server, unit)
        dying = pool.submit(sender.every_kind, words.google_key)
        until(lambda: dying.done() or queued(host, server, unit) > before)
        assert host.run("systemctl kill --signal KILL %s", unit).rc == 0
        assert dying.result() <= {0, 200, 400, 429, 503}
    until(lambda: serves(http, url))
