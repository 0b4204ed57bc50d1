import json
from pathlib import Path

import pytest

from eilev.io import DataError
from eilev.sources.synonyms import read_synonyms


def write(folder: Path, text: str) -> Path:
    path = folder / "synonyms.yaml"
    path.write_text(text)
    return path


def test_words_have_classes(tmp_path: Path) -> None:
    found = read_synonyms(write(tmp_path, "verbs: {cut: [Slice, cut  up], wash: }\n"))
    assert found.verbs.class_of("slice") == "cut"
    assert found.verbs.class_of("peel") == "peel"
    assert found.nouns.class_of("cup") == "cup"
    assert found.verbs.words_of("cut") == {"cut", "slice", "cut up"}
    assert found.verbs.words_of("peel_(skin)") == {"peel", "skin"}
    assert found.verbs.words_of("") == {"cut", "slice", "cut up", "wash"}


def test_json_reads_as_well(tmp_path: Path) -> None:
    path = tmp_path / "synonyms.json"
    path.write_text(json.dumps({"nouns": {"cup": ["mug"]}}))
    assert read_synonyms(path).nouns.class_of("mug") == "cup"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected the sections 'verbs' and 'nouns'"),
        ("cut: [slice]", "expected the sections 'verbs' and 'nouns'"),
        ("verbs: [cut]", "verbs is no mapping"),
        ("verbs: {cut: slice}", "verbs.cut must be text with a list of words"),
        ("verbs: {on: [off]}", "verbs.True must be text with a list of words .quote on"),
        ("verbs: {cut: [chop], hew: [chop]}", "verbs: 'chop' is in 'cut' and 'hew'"),
        ("verbs: {cut: [chop], cut: [hew]}", "'cut' is there twice"),
        ("verbs: [", "not valid YAML or JSON"),
        ("verbs: !!python/object/apply:os.getcwd []", "not valid YAML or JSON"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as error:
        read_synonyms(write(tmp_path, text))
    assert "synonyms.yaml: " in str(error.value)


def test_a_missing_file_names_the_parameter(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent.yaml: no such file; set ingest.synonyms"):
        read_synonyms(tmp_path / "absent.yaml")
