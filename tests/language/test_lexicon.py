import pandas as pd

from eilev.language.lexicon import Lexicon


def test_lexicon_takes_the_most_frequent_word() -> None:
    lexicon = Lexicon.from_narrations(
        pd.DataFrame(
            {
                "verb_class": [*["cut_(trim,_slice)"] * 4, "[other]", None],
                "verb_word": ["slice", "cut", "slice", "cut", "wave", None],
                "noun_class": ["onion", "onion", "onion", None, "pan", "lid"],
                "noun_word": ["shallot", "shallot", "onion", None, "pan", None],
            }
        )
    )
    assert lexicon.canonical_verbs == {"[other]": "wave", "cut_(trim,_slice)": "cut"}
    assert lexicon.canonical_nouns == {"onion": "shallot", "pan": "pan"}
    assert lexicon.verb_words["cut_(trim,_slice)"] == {"cut", "trim", "slice"}
    assert lexicon.noun_words == {"lid": {"lid"}, "onion": {"onion", "shallot"}, "pan": {"pan"}}
