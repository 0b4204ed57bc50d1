import pytest

from eilev.io import DataError, fingerprint


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
