"""Uploads that are interrupted or damaged, or that meet a full disk."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from bundles import Bundles, flip, read
from conftest import Fault, Scene
from cut_proxy import CutProxy
from faulty_server import ON_ITS_WAY, FaultyServer

FLIP = (
    "import sys; path, after = sys.argv[1], sys.argv[2].encode(); "
    "data = bytearray(open(path, 'rb').read()); "
    "data[data.index(after) + len(after) if after else len(data) // 2] ^= 1; "
    "open(path, 'wb').write(data)"
)
RATE = 20e6
SLACK = 2 << 20
IN_MANIFEST = {"hash": b'"sha256": "', "golden": b'"scores": [\n     0.'}


def size_of(bundle: Path, pattern: str = "head.onnx") -> int:
    return next(bundle.glob(pattern)).stat().st_size


def uploaded(server: FaultyServer) -> int:
    """Bytes of the incomplete uploads on the server."""
    script = 'for one in "$1"/*/*.part; do [ ! -f "$one" ] || stat -c %s "$one"; done'
    sizes = server.inside(script, server.config["incoming_dir"]).split()
    return sum(int(size) for size in sizes)


def is_cut_at(scene: Scene, arrived: int, cut: int) -> None:
    """Assert that an upload is as long as the proxy allowed."""
    assert cut - ON_ITS_WAY < arrived <= cut, f"{arrived} bytes arrived, {cut} were forwarded"
    scene.note(f"{arrived / 1e6:.1f} MB had arrived at the cut")


def drop_uploads(server: FaultyServer) -> None:
    server.inside('rm -f "$1"/*/*.part', server.config["incoming_dir"])


@pytest.mark.parametrize(
    "percent", [10, pytest.param(50, marks=pytest.mark.quick), 99], ids=lambda one: f"{one}%"
)
def test_interrupted_upload_of_a_model_resumes(
    fault: Fault, server: FaultyServer, bundles: Bundles, proxy: CutProxy, percent: int
) -> None:
    bundle = bundles.heavy("cut")
    size = size_of(bundle)
    drop_uploads(server)
    with fault(
        f"upload of a model cut at {percent} %",
        "a proxy in front of sshd resets the connection; then the same command again",
    ) as scene:
        laptop = scene.laptop.through(proxy)
        proxy.rate = RATE
        proxy.cut_after = cut = size * percent // 100
        scene.fails(*scene.deploy(bundle), words="it resumes from there", laptop=laptop)
        assert proxy.was_cut.is_set()
        scene.unchanged()
        arrived = uploaded(server)
        is_cut_at(scene, arrived, cut)
        before = proxy.sent
        scene.succeeds(*scene.deploy(bundle), laptop=laptop)
        again = proxy.sent - before
        assert size - arrived <= again < size - arrived + SLACK
        scene.note(f"then {again / 1e6:.1f} of {size / 1e6:.1f} MB were sent and it is live")
        server.serves(bundle)


def test_interrupted_upload_of_a_dump_resumes(
    fault: Fault, server: FaultyServer, bundles: Bundles, proxy: CutProxy
) -> None:
    bundle = bundles.big()
    size = size_of(bundle, "dump/*/*.bson")
    drop_uploads(server)
    with fault(
        "upload of a dump cut at 50 %",
        "a proxy in front of sshd resets the connection; then the same command again",
    ) as scene:
        laptop = scene.laptop.through(proxy)
        proxy.rate = RATE
        proxy.cut_after = cut = size // 2
        words = ("restore-embeddings", "--bundle", str(bundle))
        scene.fails(*words, words="it resumes from there", laptop=laptop)
        assert proxy.was_cut.is_set()
        scene.unchanged()
        arrived, before = uploaded(server), proxy.sent
        is_cut_at(scene, arrived, cut)
        scene.succeeds(*words, laptop=laptop)
        assert size - arrived <= proxy.sent - before < size - arrived + SLACK
        scene.note(f"then {(proxy.sent - before) / 1e6:.1f} of {size / 1e6:.1f} MB were sent")
        scene.unchanged()
        scene.next_deploy_works()


@pytest.mark.parametrize("what", ["head", "hash in the manifest", "golden output in the manifest"])
def test_flipped_byte_on_the_laptop_is_noticed(fault: Fault, bundles: Bundles, what: str) -> None:
    bundle = bundles.fresh("flipped-local")
    if what == "head":
        flip(bundle / "head.onnx")
    else:
        flip(bundle / "manifest.json", IN_MANIFEST[what.split()[0]])
    with fault(
        f"flipped byte on the laptop: {what}", "one bit of the local file, then deploy-model"
    ) as it:
        it.fails(*it.deploy(bundle))
        it.unchanged()
        it.next_deploy_works()


def test_flipped_byte_in_the_dump_on_the_laptop_is_noticed(fault: Fault, bundles: Bundles) -> None:
    bundle = bundles.fresh_words("flipped-dump-local")
    (dump,) = bundle.glob("dump/*/*.bson")
    flip(dump)
    with fault(
        "flipped byte on the laptop: dump", "one bit of the local .bson, then restore-embeddings"
    ) as scene:
        scene.fails("restore-embeddings", "--bundle", str(bundle))
        scene.unchanged()
        flip(dump)
        scene.succeeds("restore-embeddings", "--bundle", str(bundle))
        scene.deploys(bundle)


def flip_hook(server: FaultyServer, path: str, after: bytes = b"") -> str:
    """A hook that flips a bit of a file on the server."""
    return shlex.join(server.command(server.python, "-c", FLIP, path, after.decode()))


@pytest.mark.parametrize(
    ("file", "after"),
    [
        pytest.param("head.onnx", b"", marks=pytest.mark.quick),
        ("manifest.json", IN_MANIFEST["hash"]),
        ("manifest.json", IN_MANIFEST["golden"]),
    ],
    ids=["head", "hash in the manifest", "golden output in the manifest"],
)
def test_flipped_byte_on_the_server_is_noticed(
    fault: Fault,
    server: FaultyServer,
    bundles: Bundles,
    request: pytest.FixtureRequest,
    file: str,
    after: bytes,
) -> None:
    bundle = bundles.fresh("flipped-remote")
    path = f"{server.config['models_dir']}/{read(bundle)['model_version']}/{file}"
    what = request.node.callspec.id
    with fault(
        f"flipped byte on the server: {what}",
        "one bit of the file after it was placed (hook before-verify)",
    ) as scene:
        laptop = scene.laptop.with_hooks(before_verify=flip_hook(server, path, after))
        scene.fails(*scene.deploy(bundle), laptop=laptop)
        scene.unchanged()
        scene.deploys(bundle)


def test_flipped_byte_in_an_interrupted_upload_is_noticed(
    fault: Fault, server: FaultyServer, bundles: Bundles, proxy: CutProxy
) -> None:
    bundle = bundles.heavy("flipped-part")
    drop_uploads(server)
    with fault(
        "flipped byte in a .part", "upload cut at 50 %, one bit of the .part, the same again"
    ) as scene:
        laptop = scene.laptop.through(proxy)
        proxy.rate, proxy.cut_after = RATE, size_of(bundle) // 2
        scene.fails(*scene.deploy(bundle), laptop=laptop)
        # The manifest's own .part, smaller and complete, lies beside it.
        parts = server.inside('ls -S "$1"/*/*.part', server.config["incoming_dir"]).split()
        flipped = server.run(server.python, "-c", FLIP, parts[0], "")
        assert flipped.returncode == 0, flipped.stderr
        before = proxy.sent
        scene.succeeds(*scene.deploy(bundle), laptop=laptop)
        assert proxy.sent - before >= size_of(bundle)
        scene.note("then all of it was sent again and it is live")
        server.serves(bundle)


def test_flipped_byte_in_the_dump_on_the_server_is_noticed(
    fault: Fault, server: FaultyServer, bundles: Bundles
) -> None:
    bundle = bundles.fresh_words("flipped-dump-remote")
    embedding = read(bundle)["embedding"]
    name = embedding["collection"]
    path = f"{server.config['dumps_dir']}/{name}/{embedding['database']}/{name}.bson"
    with fault(
        "flipped byte on the server: dump", "one bit of the .bson after it was placed (a hook)"
    ) as scene:
        laptop = scene.laptop.with_hooks(after_upload=flip_hook(server, path))
        scene.fails("restore-embeddings", "--bundle", str(bundle), laptop=laptop)
        scene.unchanged()
        scene.succeeds("restore-embeddings", "--bundle", str(bundle))
        scene.deploys(bundle)


def test_full_disk_is_reported_before_anything_is_sent(
    fault: Fault, server: FaultyServer, bundles: Bundles, proxy: CutProxy
) -> None:
    bundle = bundles.heavy("no-room")
    with fault(
        "disk full before the upload", "a disk with 30 MB free over incoming/, 20 MB to send"
    ) as scene:
        with server.small_disk(server.config["incoming_dir"], 30 << 20):
            laptop = scene.laptop.through(proxy)
            scene.fails(*scene.deploy(bundle), words="too full", laptop=laptop)
            assert proxy.sent < 1 << 20
        scene.unchanged()
        scene.next_deploy_works()


def test_disk_that_fills_up_during_the_upload_is_reported(
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
            scene.check_failure(attempt.wait(), "too full for head.onnx")
            scene.unchanged()
        scene.deploys(bundle)
