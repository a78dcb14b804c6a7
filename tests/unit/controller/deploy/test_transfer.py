"""Uploads: progress, resume and checksum, and what a full disk or a damaged file leads to."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from local_remote import LocalRemote

from controller.deploy import transfer
from controller.deploy.errors import DeployError
from controller.deploy.server import Server
from controller.deploy.uploads import check_space, plan_uploads

TO = "models/v1/head.onnx"


@pytest.fixture
def local(tmp_path: Path) -> Path:
    path = tmp_path / "head.onnx"
    path.write_bytes(bytes(range(256)) * 4096)  # 1 MiB: four chunks
    return path


@pytest.fixture
def final(remote: LocalRemote) -> Path:
    """Where the file belongs."""
    return remote.root / TO


@pytest.fixture
def server(remote: LocalRemote) -> Server:
    return Server(remote)


def upload(server: Server, local: Path) -> int:
    return transfer.place(server, plan_uploads(server, [(local, TO)]).uploads)


def parts(remote: LocalRemote) -> list[Path]:
    return list(remote.parts.glob("*"))


def test_file_is_placed_and_nothing_is_left_over(
    server: Server, remote: LocalRemote, local: Path, final: Path
) -> None:
    assert upload(server, local) == 1
    assert final.read_bytes() == local.read_bytes()
    assert parts(remote) == []


def test_same_file_is_not_sent_again(server: Server, remote: LocalRemote, local: Path) -> None:
    upload(server, local)
    sent = remote.sent
    assert upload(server, local) == 0
    assert remote.sent == sent


def test_damaged_file_in_its_place_is_replaced(server: Server, local: Path, final: Path) -> None:
    final.parent.mkdir()
    final.write_bytes(b"x" + local.read_bytes()[1:])
    assert upload(server, local) == 1
    assert final.read_bytes() == local.read_bytes()


def test_interrupted_upload_resumes_where_it_stopped(
    server: Server,
    remote: LocalRemote,
    local: Path,
    final: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    remote.cut_after = 100_000
    with pytest.raises(
        DeployError,
        match=r"stopped after 0.0 kB \(connection lost\): rerun the command, it resumes",
    ):
        upload(server, local)
    assert not final.exists()
    assert parts(remote)[0].stat().st_size == 100_000
    remote.cut_after = None
    upload(server, local)
    assert remote.sent == local.stat().st_size - 100_000
    assert final.read_bytes() == local.read_bytes()
    assert "resuming at 0.1 MB" in capsys.readouterr().out


@pytest.mark.parametrize("size", [7, 2 << 20], ids=["shorter", "longer"])
def test_partial_upload_of_another_content_is_not_resumed(
    server: Server, remote: LocalRemote, local: Path, final: Path, size: int
) -> None:
    digest = hashlib.sha256(local.read_bytes()).hexdigest()
    remote.parts.mkdir()
    (remote.parts / f"{digest}.part").write_bytes(b"x" * size)
    upload(server, local)
    assert remote.sent == local.stat().st_size
    assert final.read_bytes() == local.read_bytes()


def test_file_that_is_damaged_on_its_way_is_not_placed(
    server: Server, remote: LocalRemote, local: Path, final: Path
) -> None:
    remote.damage = lambda data: data[:-1] + b"!"
    with pytest.raises(DeployError, match=r"nanode arrived damaged .*; rerun the command"):
        upload(server, local)
    assert not final.exists()
    assert parts(remote) == []


def test_plan_of_a_dry_run_creates_nothing(
    server: Server, remote: LocalRemote, local: Path
) -> None:
    plan = plan_uploads(server, [(local, TO), (local, None)], dry_run=True)
    assert [one.placed for one in plan.uploads] == [False, False]
    assert plan.missing == 2 * local.stat().st_size
    assert not remote.parts.exists()


def test_plan_names_complete_releases_and_the_confirmed_one(
    server: Server, remote: LocalRemote
) -> None:
    for name in ("models/v1", "models/v2", "releases/1.0-aaa"):
        (remote.root / name).mkdir()
    for name in ("models/v1", "releases/1.0-aaa"):
        (remote.root / name / ".complete").touch()
    plan = plan_uploads(server, [])
    assert plan.complete == {"v1", "1.0-aaa"}
    assert plan.confirmed is None


def test_space_is_required_only_for_what_is_sent(server: Server) -> None:
    check_space(server, free=0, needed=0, what="nothing")
    check_space(server, free=65 << 20, needed=1 << 20, what="a file")
    with pytest.raises(DeployError, match=r"is too full for a file: 1\.0 MB and 67\.1 MB to spar"):
        check_space(server, free=65 << 20, needed=(1 << 20) + 1, what="a file")


@pytest.mark.parametrize(
    ("free", "words"),
    [(1_024_000, "is too full for head"), (10**10, r"stopped after 0.0 kB \(Failure\)")],
    ids=["full", "another reason"],
)
def test_disk_that_fills_up_during_the_upload_is_named(
    server: Server, remote: LocalRemote, local: Path, free: int, words: str
) -> None:
    def refuse(data: bytes) -> bytes:
        remote.free_bytes = free
        raise OSError("Failure")  # all that SFTP reports of it

    remote.damage = refuse
    with pytest.raises(DeployError, match=words):
        upload(server, local)


def test_directory_that_may_not_be_written_names_the_playbook(
    server: Server, remote: LocalRemote, local: Path
) -> None:
    def refuse(data: bytes) -> bytes:
        raise PermissionError("denied")

    remote.damage = refuse
    with pytest.raises(DeployError, match=r"may not write .*ansible-playbook site.yml --tags fla"):
        upload(server, local)
