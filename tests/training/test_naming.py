import pyarrow as pa
import torch

from eilev.ids import ById, Ids
from eilev.inputs.interleave import IGNORE_INDEX
from eilev.training.naming import NAMELESS, find_names, naming_loss
from tests.tiny import tiny_model


def test_first_and_last_telling_word():
    codec = tiny_model().codec
    told = ["The camera wearer cuts the onion.", "The camera wearer."]
    texts: ById[str] = ById(Ids(["a", "b"]), pa.array(told))
    telling = torch.zeros(codec.vocab_size, dtype=torch.bool)
    cuts, onion = codec.encode(" cuts")[0], codec.encode(" onion")[0]
    telling[[cuts, onion]] = True
    assert find_names(texts, telling, codec).tolist() == [[cuts, onion], [*NAMELESS]]


def test_halves_are_asked_for_their_own_word():
    """Tokens that point at the right embeddings lose less than the same the wrong way round."""
    words = torch.eye(6)
    telling = torch.tensor([False, True, True, True, True, False])
    verb, noun = 5 * words[1], 5 * words[3]
    features = torch.stack([verb, verb, noun, noun])[None]
    named = torch.tensor([[1, 3]])
    right = naming_loss(features, named, words, telling)
    wrong = naming_loss(features.flip(1), named, words, telling)
    assert right.shape == (1,)
    assert right < 0.5 * wrong


def test_the_choice_is_among_telling_words_only():
    words, named = torch.randn(8, 4), torch.tensor([[2, 2]])
    telling = torch.zeros(8, dtype=torch.bool)
    telling[2] = True
    assert naming_loss(torch.randn(1, 2, 4), named, words, telling) == 0


def test_a_clip_without_names_has_no_loss():
    named = torch.tensor([[1, 2], [IGNORE_INDEX, IGNORE_INDEX]])
    telling = torch.ones(5, dtype=torch.bool)
    loss = naming_loss(torch.randn(2, 1, 4), named, torch.randn(5, 4), telling)
    assert loss[0] > 0
    assert loss[1] == 0
