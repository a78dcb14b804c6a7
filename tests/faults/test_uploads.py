"""Uploads that are cut off, damaged or meet a full disk."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from bundles import Bundles, flip, read
from conftest import Fault, Scene
from cut_proxy import CutProxy
from faulty_server import FaultyServer

FLIP = (
    "import sys; path, after = sys.argv[1], sys.argv[2].encode(); "
    "data = bytearray(open(path, 'rb').read()); "
    "data[data.index(after) + len(after) if after else len(data) // 2] ^= 1; "
    "open(path, 'wb').write(data)"
)
# Slow enough that what the proxy has let through is on the server when it cuts.
RATE = 20e6
SLACK = 2 << 20
# What may be lost of what the proxy has let through: one write of SFTP, and what is no file's.
ON_ITS_WAY = 512 << 10
IN_MANIFEST = {"hash": b'"sha256": "', "answer": b'"scores": [\n     0.'}


def size_of(bundle: Path, pattern: str = "head.onnx") -> int:
    return next(bundle.glob(pattern)).stat().st_size


def uploaded(server: FaultyServer) -> int:
    """Bytes of the uploads that wait on the server."""
    return sum(
        int(word)
        for word in server.inside(
            'for one in "$1"/*/*.part; do [ ! -f "$one" ] || stat -c %s "$one"; done',
            server.config["incoming_dir"],
        ).split()
    )


def is_cut_at(scene: Scene, there: int, cut: int) -> None:
    """Demand that an upload is as long as the proxy let it become."""
    assert cut - ON_ITS_WAY < there <= cut, f"{there} bytes are there of {cut} before the cut"
    scene.tell(f"{there / 1e6:.1f} MB were there after the cut")


def drop_uploads(server: FaultyServer) -> None:
    server.inside('rm -f "$1"/*/*.part', server.config["incoming_dir"])


@pytest.mark.parametrize(
    "percent", [10, pytest.param(50, marks=pytest.mark.quick), 99], ids=lambda one: f"{one}%"
)
def test_a_model_whose_upload_is_cut_goes_on_where_it_stopped(
    fault: Fault, server: FaultyServer, bundles: Bundles, proxy: CutProxy, percent: int
) -> None:
    bundle = bundles.heavy("cut")
    size = size_of(bundle)
    drop_uploads(server)
    with fault(
        f"upload of a model cut at {percent} %",
        "a proxy before sshd resets the connection; then the same command again",
    ) as scene:
        laptop = scene.laptop.through(proxy)
        proxy.rate = RATE
        proxy.cut_after = cut = size * percent // 100
        scene.bad(*scene.deploy(bundle), words="rerun the command, it resumes", laptop=laptop)
        assert proxy.was_cut.is_set()
        scene.still_serves()
        there = uploaded(server)
        is_cut_at(scene, there, cut)
        before = proxy.sent
        scene.good(*scene.deploy(bundle), laptop=laptop)
        again = proxy.sent - before
        assert size - there <= again < size - there + SLACK
        scene.tell(f"then {again / 1e6:.1f} of {size / 1e6:.1f} MB were sent and it is live")
        server.serves(bundle)


def test_a_dump_whose_upload_is_cut_goes_on_where_it_stopped(
    fault: Fault, server: FaultyServer, bundles: Bundles, proxy: CutProxy
) -> None:
    bundle = bundles.big()
    size = size_of(bundle, "dump/*/*.bson")
    drop_uploads(server)
    with fault(
        "upload of a dump cut at 50 %",
        "a proxy before sshd resets the connection; then the same command again",
    ) as scene:
        laptop = scene.laptop.through(proxy)
        proxy.rate = RATE
        proxy.cut_after = cut = size // 2
        words = ("restore-embeddings", "--bundle", str(bundle))
        scene.bad(*words, words="rerun the command, it resumes", laptop=laptop)
        assert proxy.was_cut.is_set()
        scene.still_serves()
        there, before = uploaded(server), proxy.sent
        is_cut_at(scene, there, cut)
        scene.good(*words, laptop=laptop)
        assert size - there <= proxy.sent - before < size - there + SLACK
        scene.tell(f"then {(proxy.sent - before) / 1e6:.1f} of {size / 1e6:.1f} MB were sent")
        scene.still_serves()
        scene.next_deploy_works()


@pytest.mark.parametrize("what", ["head", "hash in the manifest", "answer in the manifest"])
def test_a_byte_that_flipped_on_the_laptop(fault: Fault, bundles: Bundles, what: str) -> None:
    bundle = bundles.fresh("flipped-here")
    if what == "head":
        flip(bundle / "head.onnx")
    else:
        flip(bundle / "manifest.json", IN_MANIFEST[what.split()[0]])
    with fault(f"flipped byte here: {what}", "one bit of the local file, then deploy-model") as it:
        it.bad(*it.deploy(bundle))
        it.still_serves()
        it.next_deploy_works()


def test_a_byte_that_flipped_in_the_dump_on_the_laptop(fault: Fault, bundles: Bundles) -> None:
    bundle = bundles.fresh_words("flipped-dump-here")
    (dump,) = bundle.glob("dump/*/*.bson")
    flip(dump)
    with fault(
        "flipped byte here: dump", "one bit of the local .bson, then restore-embeddings"
    ) as scene:
        scene.bad("restore-embeddings", "--bundle", str(bundle))
        scene.still_serves()
        flip(dump)
        scene.good("restore-embeddings", "--bundle", str(bundle))
        scene.deploys(bundle)


def flip_hook(server: FaultyServer, path: str, after: bytes = b"") -> str:
    """A hook's line that flips a bit of a file on the server."""
    return shlex.join(server.command(server.python, "-c", FLIP, path, after.decode()))


@pytest.mark.parametrize(
    ("file", "after"),
    [
        pytest.param("head.onnx", b"", marks=pytest.mark.quick),
        ("manifest.json", IN_MANIFEST["hash"]),
        ("manifest.json", IN_MANIFEST["answer"]),
    ],
    ids=["head", "hash in the manifest", "answer in the manifest"],
)
def test_a_byte_that_flipped_on_the_server(
    fault: Fault,
    server: FaultyServer,
    bundles: Bundles,
    request: pytest.FixtureRequest,
    file: str,
    after: bytes,
) -> None:
    bundle = bundles.fresh("flipped-there")
    path = f"{server.config['models_dir']}/{read(bundle)['model_version']}/{file}"
    what = request.node.callspec.id
    with fault(
        f"flipped byte on the server: {what}",
        "one bit of the file after it was placed (hook before-verify)",
    ) as scene:
        laptop = scene.laptop.with_hooks(before_verify=flip_hook(server, path, after))
        scene.bad(*scene.deploy(bundle), laptop=laptop)
        scene.still_serves()
        scene.deploys(bundle)


def test_a_byte_that_flipped_in_an_upload_that_was_cut(
    fault: Fault, server: FaultyServer, bundles: Bundles, proxy: CutProxy
) -> None:
    bundle = bundles.heavy("flipped-part")
    drop_uploads(server)
    with fault(
        "flipped byte in a .part", "upload cut at 50 %, one bit of the .part, the same again"
    ) as scene:
        laptop = scene.laptop.through(proxy)
        proxy.rate, proxy.cut_after = RATE, size_of(bundle) // 2
        scene.bad(*scene.deploy(bundle), laptop=laptop)
        path = server.inside('ls "$1"/*/*.part', server.config["incoming_dir"]).strip()
        server.run(server.python, "-c", FLIP, path, "")
        before = proxy.sent
        scene.good(*scene.deploy(bundle), laptop=laptop)
        assert proxy.sent - before >= size_of(bundle)
        scene.tell("then all of it was sent again and it is live")
        server.serves(bundle)


def test_a_byte_that_flipped_in_the_dump_on_the_server(
    fault: Fault, server: FaultyServer, bundles: Bundles
) -> None:
    bundle = bundles.fresh_words("flipped-dump-there")
    embedding = read(bundle)["embedding"]
    name = embedding["collection"]
    path = f"{server.config['dumps_dir']}/{name}/{embedding['database']}/{name}.bson"
    with fault(
        "flipped byte on the server: dump", "one bit of the .bson after it was placed (a hook)"
    ) as scene:
        laptop = scene.laptop.with_hooks(after_upload=flip_hook(server, path))
        scene.bad("restore-embeddings", "--bundle", str(bundle), laptop=laptop)
        scene.still_serves()
        scene.good("restore-embeddings", "--bundle", str(bundle))
        scene.deploys(bundle)


def test_a_disk_that_is_too_full_is_noticed_before_anything_is_sent(
    fault: Fault, server: FaultyServer, bundles: Bundles, proxy: CutProxy
) -> None:
    bundle = bundles.heavy("no-room")
    with fault(
        "disk full before the upload", "a disk with 30 MB free over incoming/, 20 MB to send"
    ) as scene:
        with server.small_disk(server.config["incoming_dir"], 30 << 20):
            laptop = scene.laptop.through(proxy)
            scene.bad(*scene.deploy(bundle), words="too full", laptop=laptop)
            assert proxy.sent < 1 << 20
        scene.still_serves()
        scene.next_deploy_works()


def test_a_disk_that_fills_up_during_the_upload(
    fault: Fault, server: FaultyServer, bundles: Bundles, proxy: CutProxy
) -> None:
    bundle = bundles.heavy("disk-full")
    drop_uploads(server)
    with fault(
        "disk full during the upload",
        "a disk over incoming/ shrinks to what is used when 5 MB have arrived",
    ) as scene:
        with server.small_disk(server.config["incoming_dir"], 200 << 20):
            laptop = scene.laptop.through(proxy)
            proxy.rate = RATE / 5
            attempt = laptop.start("fab", *scene.deploy(bundle))
            server.when("uploaded", str(5 << 20)).struck()
            server.fill_small_disk(1 << 20)
            scene.failed(attempt.wait(), "too full for head.onnx")
            scene.still_serves()
        scene.deploys(bundle)
