from eilev.training.validation import Scores, is_better


def test_icl_keeps_the_model_with_more_exact_narrations_and_breaks_ties_by_loss():
    assert is_better(Scores(0.9, exact=0.6, token_accuracy=0.5), 0.5, 0.1, "icl")
    assert not is_better(Scores(0.1, exact=0.4, token_accuracy=0.9), 0.5, 0.9, "icl")
    assert is_better(Scores(0.1, exact=0.5, token_accuracy=0.5), 0.5, 0.2, "icl")
    assert not is_better(Scores(0.2, exact=0.5, token_accuracy=0.5), 0.5, 0.2, "icl")


def test_loss_keeps_the_model_with_the_lower_loss():
    assert is_better(Scores(0.1, exact=0.0, token_accuracy=0.5), 0.5, 0.2, "loss")
    assert not is_better(Scores(0.3, exact=1.0, token_accuracy=0.5), 0.5, 0.2, "loss")
