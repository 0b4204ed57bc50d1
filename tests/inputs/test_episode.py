import pandas as pd

from eilev.inputs.episode import clip_ids_of


def test_clip_ids_are_those_of_queries_and_contexts():
    episodes = pd.DataFrame({"query": ["pan", "pan"], "context": [["onion", "bread"], []]})
    assert clip_ids_of(episodes) == ["bread", "onion", "pan"]
