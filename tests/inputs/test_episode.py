import pyarrow as pa

from eilev.inputs.episode import clip_ids_of


def test_clip_ids_are_those_of_queries_and_contexts():
    first = pa.table({"query": ["pan", "pan"], "context": [["onion", "bread"], []]})
    second = pa.table({"query": ["pot"], "context": [["pan"]]})
    assert clip_ids_of([first, second]).to_pylist() == ["bread", "onion", "pan", "pot"]
