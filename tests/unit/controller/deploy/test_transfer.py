"""No progress, no resume, no checksum on uploads: what the upload does about it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from local_remote import LocalRemote

from controller.deploy import transfer
from controller.deploy.errors import DeployError


@pytest.fixture
def local(tmp_path: Path) -> Path:
    path = tmp_path / "head.onnx"
    path.write_bytes(bytes(range(256)) * 4096)  # 1 MiB: four chunks
    return path


def parts(remote: LocalRemote) -> list[Path]:
    return list((remote.root / "incoming" / "deploy").glob("*"))


def test_file_arrives_in_its_place_and_nothing_is_left_over(
    remote: LocalRemote, local: Path
) -> None:
    final = remote.root / "models" / "v1" / "head.onnx"
    assert transfer.upload(remote, remote.config, local, str(final)) is True
    assert final.read_bytes() == local.read_bytes()
    assert parts(remote) == []


def test_same_file_is_not_sent_again(remote: LocalRemote, local: Path) -> None:
    final = str(remote.root / "models" / "head.onnx")
    transfer.upload(remote, remote.config, local, final)
    sent = remote.sent
    assert transfer.upload(remote, remote.config, local, final) is False
    assert remote.sent == sent


def test_damaged_file_in_its_place_is_replaced(remote: LocalRemote, local: Path) -> None:
    final = remote.root / "models" / "head.onnx"
    final.write_bytes(b"x" + local.read_bytes()[1:])
    assert transfer.upload(remote, remote.config, local, str(final)) is True
    assert final.read_bytes() == local.read_bytes()


def test_cut_upload_goes_on_where_it_stopped(
    remote: LocalRemote, local: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    final = remote.root / "models" / "head.onnx"
    remote.cut_after = 100_000
    with pytest.raises(DeployError, match="type the same again, it goes on"):
        transfer.upload(remote, remote.config, local, str(final))
    assert not final.exists()
    assert parts(remote)[0].stat().st_size == 100_000
    remote.cut_after = None
    transfer.upload(remote, remote.config, local, str(final))
    assert remote.sent == local.stat().st_size - 100_000
    assert final.read_bytes() == local.read_bytes()
    assert "going on at 0.1 MB" in capsys.readouterr().out


def test_rest_of_another_content_is_not_gone_on_with(remote: LocalRemote, local: Path) -> None:
    digest = hashlib.sha256(local.read_bytes()).hexdigest()
    (remote.root / "incoming" / "deploy").mkdir()
    (remote.root / "incoming" / "deploy" / f"{digest}.part").write_bytes(b"garbage")
    final = remote.root / "models" / "head.onnx"
    transfer.upload(remote, remote.config, local, str(final))
    assert final.read_bytes() == local.read_bytes()


def test_file_damaged_on_the_way_does_not_get_its_name(remote: LocalRemote, local: Path) -> None:
    final = remote.root / "models" / "head.onnx"
    remote.damage = lambda data: data[:-1] + b"!"
    with pytest.raises(DeployError, match="arrived damaged"):
        transfer.upload(remote, remote.config, local, str(final))
    assert not final.exists()
    assert parts(remote) == []


def test_disk_that_is_too_full_is_told_before_anything_is_sent(
    remote: LocalRemote, local: Path
) -> None:
    remote.free_kib = 1000
    with pytest.raises(DeployError, match="is too full for head"):
        transfer.upload(remote, remote.config, local, str(remote.root / "models" / "head.onnx"))
    assert remote.sent == 0


@pytest.mark.parametrize(
    ("free_kib", "words"),
    [(1000, "is too full for head"), (10_000_000, r"broke off after 0.0 kB \(Failure\)")],
    ids=["full", "something else"],
)
def test_disk_that_fills_up_on_the_way_is_named(
    remote: LocalRemote, local: Path, free_kib: int, words: str
) -> None:
    def refuse(data: bytes) -> bytes:
        remote.free_kib = free_kib
        raise OSError("Failure")  # all that SFTP says of it

    remote.damage = refuse
    with pytest.raises(DeployError, match=words):
        transfer.upload(remote, remote.config, local, str(remote.root / "models" / "head.onnx"))


def test_sudo_that_fails_is_told_with_its_words(remote: LocalRemote, local: Path) -> None:
    remote.answers["install"] = transfer.Done("", "install: no space\n", 1)
    with pytest.raises(DeployError, match="nanode could not prepare: install: no space"):
        transfer.upload(remote, remote.config, local, str(remote.root / "models" / "head.onnx"))


def test_free_space_is_dfs_fourth_column() -> None:
    df = "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/sda 100 40 60 40% /\n"
    assert transfer.free_bytes(df) == 60 * 1024
    assert transfer.free_bytes(f"{df}/dev/sdb 100 60 40 60% /srv\n") == 40 * 1024
