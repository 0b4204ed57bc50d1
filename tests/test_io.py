import hashlib

import pytest

from eilev.io import DataError, fingerprint, hash_files, sha256


def test_fingerprint_tells_settings_and_contents_apart(tmp_path):
    file = tmp_path / "a"
    file.write_text("1")
    first = fingerprint({"x": 1}, [file])
    assert fingerprint({"x": 1}, [file]) == first
    assert fingerprint({"x": 2}, [file]) != first
    file.write_text("2")
    assert fingerprint({"x": 1}, [file]) != first
    with pytest.raises(DataError, match="missing"):
        fingerprint({}, [tmp_path / "missing"])


def test_sha256(tmp_path):
    (tmp_path / "file").write_bytes(b"abc")
    assert sha256(tmp_path / "file") == hashlib.sha256(b"abc").hexdigest()


def test_files_are_told_apart_by_their_contents(tmp_path):
    file = tmp_path / "a"
    file.write_text("1")
    first = hash_files({"a": file})
    assert hash_files({"a": file}) == first
    file.write_text("2")
    assert hash_files({"a": file}) != first
    with pytest.raises(DataError, match="missing"):
        hash_files({"a": tmp_path / "missing"})
