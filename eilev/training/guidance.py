"""A loss on attention that teaches a model from scratch to bind narrations to their videos.

To answer from the context, a token must know which clip it belongs to (routing), and the token to
come must be looked up where the context has said it of a like clip (copying). Each is useless
without the other, so the language loss alone stays on a plateau: it copies what is frequent. This
loss tells one half of the heads of the first and of the last layer where to look; the other heads
and all other layers are free, and nothing of it is left in the trained model.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

_TINY = 1e-6


def guidance_loss(
    attentions: Sequence[Tensor],
    input_ids: Tensor,
    attention_mask: Tensor,
    video_input_mask: Tensor,
    telling: Tensor,
) -> Tensor:
    """Negative log of the attention that rests where it should, mean of an episode's tokens.

    Args:
        attentions: (batch, heads, length, length) of each layer, after the softmax.
        input_ids: (batch, length), padded on the right.
        attention_mask: (batch, length), 0 at padding.
        video_input_mask: (batch, length), non-zero at the clips' placeholders.
        telling: bool (vocabulary,), the tokens that tell narrations apart.

    Returns:
        (batch,), routing plus copying: 0 where all guided heads look exactly where they should.
    """
    video = video_input_mask.bool()
    text = attention_mask.bool() & ~video
    routes = own_clip(video) & text[:, :, None]
    sources = earlier_mentions(input_ids, text, telling)
    return _missing(attentions[0], routes) + _missing(attentions[-1], sources)


def own_clip(video: Tensor) -> Tensor:
    """Where a token finds its clip: the last run of placeholders before it.

    Args:
        video: bool (batch, length), the placeholders.

    Returns:
        bool (batch, length, length): [b, i, j] if j is a placeholder of the clip that i is about.
    """
    before = torch.nn.functional.pad(video, (1, 0))[:, :-1]
    clip = (video & ~before).cumsum(dim=1)
    return (clip[:, :, None] == clip[:, None, :]) & video[:, None, :]


def earlier_mentions(input_ids: Tensor, text: Tensor, telling: Tensor) -> Tensor:
    """Where the token to come has been said before.

    Args:
        input_ids: (batch, length).
        text: bool (batch, length), tokens that are neither placeholders nor padding.
        telling: bool (vocabulary,), the tokens that are looked up.

    Returns:
        bool (batch, length, length): [b, i, j] if j <= i holds the telling token of i + 1.
    """
    coming = torch.roll(input_ids, -1, dims=1)
    asked = torch.roll(text, -1, dims=1) & telling[coming]
    asked[:, -1] = False
    same = (coming[:, :, None] == input_ids[:, None, :]) & asked[:, :, None] & text[:, None, :]
    return same.tril()


def _missing(attention: Tensor, wanted: Tensor) -> Tensor:
    """Negative log attention of the first half of the heads, over rows that want anything."""
    guided = attention[:, : max(1, attention.shape[1] // 2)].float().mean(dim=1)
    asking = wanted.any(dim=-1)
    lost = -torch.log((guided * wanted).sum(dim=-1) + _TINY) * asking
    return lost.sum(dim=1) / asking.sum(dim=1).clamp(min=1)
