"""Words that cannot be learnt, so that using them is: their embeddings are drawn anew every step.

A language model that is trained from scratch never writes a word that it has not been trained on:
the loss only ever pushes such a word's output down. Invented words (`meaning: invented`) have
another embedding in every step, one that could be a learnt word's; what they mean and how they are
written can only be copied from the context. A word that no training shows is then written as well:
its embedding is drawn in the same way. Input and output embeddings are one matrix, so the model
stays a plain checkpoint.
"""

from collections.abc import Iterable

import torch
from torch import Tensor

from eilev.inputs.tokenizer import TextCodec
from eilev.model.video_blip import VideoBlip
from eilev.training.augmentation.draws import seeded_generator


def unlearnt_tokens(forms: Iterable[str], narrations: Iterable[str], codec: TextCodec) -> Tensor:
    """Tokens of words that occur in no narration, each a word: int64 (number,), sorted.

    Args:
        forms: The words, in all their forms.
        narrations: What is said of the clips.
        codec: Of words, which has the forms that may occur.
    """
    said = {token for text in narrations for token in codec.encode(f" {text}")}
    known = (codec.tokenizer.token_to_id(form) for form in forms)
    tokens = {token for token in known if token is not None} - said
    return torch.tensor(sorted(tokens), dtype=torch.int64)


def redraw(model: VideoBlip, tokens: Tensor, like: Tensor, *keys: int) -> None:
    """Draw the embeddings of some tokens anew, as if they were among others.

    Args:
        model: Its input and output embeddings must be tied.
        tokens: What is drawn, int64 (number,).
        like: Tokens whose mean and covariance the drawn ones have, int64 (number,).
        keys: What the draws depend on, e.g. (seed, step).
    """
    weight: Tensor = model.get_input_embeddings().weight  # type: ignore[assignment]
    with torch.no_grad():
        learnt = weight[like.to(weight.device)]
        mean = learnt.mean(dim=0)
        mixed = torch.randn(len(tokens), len(like), generator=seeded_generator(*keys)).to(learnt)
        weight[tokens.to(weight.device)] = mean + mixed @ (learnt - mean) / len(like) ** 0.5
