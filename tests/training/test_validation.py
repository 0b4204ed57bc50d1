import math

import torch

from eilev.schema import IGNORE_INDEX
from eilev.training.validation import Scores, is_better, score_tokens

_ = IGNORE_INDEX
# Two rows over a vocabulary of 3; the label of each position is to be predicted one before.
LABELS = torch.tensor([[_, 1, 2, _], [_, _, 0, 1]])


def logits(predictions):
    """Logits that give a predicted token probability 0.8 and the others 0.1."""
    probabilities = torch.full((*predictions.shape, 3), 0.1)
    return probabilities.scatter_(-1, predictions.unsqueeze(-1), 0.8).log()


def test_decoder_only_scores_the_token_after_each_position():
    predictions = torch.tensor([[1, 2, 0, 0], [0, 0, 2, 0]])
    scores = score_tokens(logits(predictions), LABELS, encoder_decoder=False)
    right, wrong = -math.log(0.8), -math.log(0.1)
    expected = torch.tensor([[2 * right, 2, 2], [right + wrong, 1, 2]])
    torch.testing.assert_close(scores, expected)


def test_encoder_decoder_scores_each_position():
    predictions = torch.tensor([[0, 1, 2, 0], [0, 0, 0, 0]])
    scores = score_tokens(logits(predictions), LABELS, encoder_decoder=True)
    assert scores[:, 1:].tolist() == [[2, 2], [1, 2]]


def test_icl_keeps_the_model_with_more_exact_narrations_and_breaks_ties_by_loss():
    assert is_better(Scores(0.9, exact=0.6, token_accuracy=0.5), 0.5, 0.1, "icl")
    assert not is_better(Scores(0.1, exact=0.4, token_accuracy=0.9), 0.5, 0.9, "icl")
    assert is_better(Scores(0.1, exact=0.5, token_accuracy=0.5), 0.5, 0.2, "icl")
    assert not is_better(Scores(0.2, exact=0.5, token_accuracy=0.5), 0.5, 0.2, "icl")


def test_loss_keeps_the_model_with_the_lower_loss():
    assert is_better(Scores(0.1, exact=0.0, token_accuracy=0.5), 0.5, 0.2, "loss")
    assert not is_better(Scores(0.3, exact=1.0, token_accuracy=0.5), 0.5, 0.2, "loss")
