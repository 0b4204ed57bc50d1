"""Texts whose pages are a file's."""

import pyarrow as pa

from eilev.texts import map_texts


def test_texts_of_pieces_are_one_array() -> None:
    texts = ["a", "", "über", None, "ab c", "\U0001f373"]
    whole = pa.array(texts, pa.string())
    found = map_texts([whole[:2], whole[2:2], whole[1:6]])
    found.validate(full=True)
    # As the columns of a table have no empty values, one counts as the empty text.
    assert found.to_pylist() == ["a", "", "", "über", "", "ab c", "\U0001f373"]


def test_no_texts() -> None:
    assert map_texts([]).to_pylist() == map_texts([pa.array([""])])[:0].to_pylist() == []
    assert map_texts([pa.array([""])]).to_pylist() == [""]
