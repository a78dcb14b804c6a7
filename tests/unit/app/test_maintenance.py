"""What restoring and pruning share: whom they read from, and what they say of an error."""

from __future__ import annotations

from pymongo import ReadPreference
from pymongo.errors import BulkWriteError

from tox_com_det.store.maintenance import first_line, patient_client


def test_a_restore_reads_from_the_primary_whatever_the_uri_says() -> None:
    uri = "mongodb://a.invalid,b.invalid/?replicaSet=r&readPreference=secondary"
    with patient_client(uri, "a") as client:
        assert client.read_preference == ReadPreference.PRIMARY


def test_the_line_of_a_bulk_is_its_first_error() -> None:
    late = {"writeErrors": [], "writeConcernErrors": [{"errmsg": "waiting timed out", "code": 64}]}
    assert first_line(BulkWriteError(late)) == "waiting timed out"
    wrong = {**late, "writeErrors": [{"errmsg": "no space\nmore"}]}
    assert first_line(BulkWriteError(wrong)) == "no space"
