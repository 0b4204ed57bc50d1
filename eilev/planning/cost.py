"""What a training step costs, counted on tensors without numbers: no GPU, no memory, no weights.

The step of `eilev.training.episode_model` is run under torch's FakeTensorMode, where every operator
computes shapes only. FlopCounterMode counts its multiplications and additions, `PeakMemory` the
bytes alive at its worst moment, autocast's low-precision copies of weights among them.
"""

import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count
from torch.utils.weak import WeakIdKeyDictionary

from eilev.config.launch import Precision
from eilev.config.train import ModelConfig
from eilev.model.video_blip import VideoBlip
from eilev.planning.architectures import outline

Shape = Sequence[int]


def _attention(query: Shape, key: Shape, value: Shape, *_: Any, **__: Any) -> int:
    count: Any = sdpa_flop_count
    return int(count(query, key, value))


def _attention_backward(
    grad: Shape, query: Shape, key: Shape, value: Shape, *_: Any, **__: Any
) -> int:
    count: Any = sdpa_backward_flop_count
    return int(count(grad, query, key, value))


# The CPU's fused attention, which torch's counter does not know.
ATTENTION_FLOPS = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: _attention_backward,
}


@dataclass(frozen=True)
class Group:
    """Episodes of a batch that have the same number of clips and so run together.

    clips: of an episode, the query's included. length: tokens of an episode, placeholders included.
    labels: tokens that carry a loss; an encoder-decoder's target has as many.
    """

    episodes: int
    clips: int
    length: int
    labels: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """What an episode of it looks like."""
        return self.clips, self.length, self.labels


@dataclass(frozen=True)
class StepCost:
    """Cost of forward and backward over one batch of one process.

    forward_flops: by module. flops: forward and backward. peak_bytes: most bytes alive at once
    beside weights, gradients and optimiser state.
    """

    forward_flops: Mapping[str, int]
    flops: int
    peak_bytes: int


class PeakMemory(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows the bytes of all tensors that are made while it is on.

    Args:
        known: Tensors that exist already and are not counted.
    """

    def __init__(self, known: Sequence[Tensor] = ()):
        super().__init__()  # type: ignore[no-untyped-call]
        self.live = self.peak = 0
        self._seen = WeakIdKeyDictionary()
        for tensor in known:
            self._seen[tensor.untyped_storage()] = True

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operator and follow what it returns."""
        result = func(*args, **(kwargs or {}))
        tree_map_only(Tensor, self._follow, result)
        return result

    def _follow(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage in self._seen:
            return
        self._seen[storage] = True
        size = storage.nbytes()
        self.live += size
        self.peak = max(self.peak, self.live)
        weakref.finalize(storage, self._release, size)

    def _release(self, size: int) -> None:
        self.live -= size


def step_cost(
    config: ModelConfig,
    vocab_size: int,
    groups: Sequence[Group],
    num_frames: int,
    precision: Precision = "no",
    guided: bool = False,
    told: bool = True,
) -> StepCost:
    """Count one step.

    Args:
        config: The train.model section.
        vocab_size: Tokens of a model from scratch; a checkpoint brings its own.
        groups: The batch of one process; every clip in it is taken to be another one.
        num_frames: Frames of a clip.
        precision: Of autocast, as in Accelerate's `mixed_precision`.
        guided: Whether attention is asked for (a phase's guidance), which forbids fused kernels.
        told: Whether the language model is run (a phase's language); else the clips are only named.

    Raises:
        ValueError: the architecture is not known; see `published.outline`.
    """
    with FakeTensorMode():
        model = outline(config, vocab_size).train()
        if guided:
            model.language_model.set_attn_implementation("eager")
        known: list[Tensor] = []
        for parameter in model.parameters():
            known.append(parameter)
            if parameter.requires_grad:
                # With accumulation they stay from one batch to the next.
                parameter.grad = torch.empty_like(parameter)
                known.append(parameter.grad)
        loss = _told_loss if told else _named_loss
        return _count(lambda: loss(model, groups, num_frames), model, precision, known)


def _count(
    forward_pass: Callable[[], Tensor], model: VideoBlip, precision: Precision, known: list[Tensor]
) -> StepCost:
    kind = torch.float16 if precision == "fp16" else torch.bfloat16
    counter = FlopCounterMode(display=False, custom_mapping=ATTENTION_FLOPS)
    with counter, PeakMemory(known) as memory:
        with torch.autocast("cpu", dtype=kind, enabled=precision != "no"):
            loss = forward_pass()
        forward = counter.get_flop_counts()
        loss.backward()  # type: ignore[no-untyped-call]
    by_module = {
        name: sum(forward.get(type(module).__name__, {}).values())
        for name, module in model.named_children()
    }
    return StepCost(by_module, counter.get_total_flops(), memory.peak)


def _told_loss(model: VideoBlip, groups: Sequence[Group], num_frames: int) -> Tensor:
    """Run EpisodeModel's forward; which token is where makes no difference to the cost."""
    features = _encoded(model, groups, num_frames)
    parts = torch.split(features, [group.episodes * group.clips for group in groups])
    losses = [_group_loss(model, group, own) for group, own in zip(groups, parts, strict=True)]
    return torch.stack(losses).sum()


def _named_loss(model: VideoBlip, groups: Sequence[Group], num_frames: int) -> Tensor:
    """The same of a phase whose clips are only named, the few words left out."""
    return _encoded(model, groups, num_frames).sum()


def _encoded(model: VideoBlip, groups: Sequence[Group], num_frames: int) -> Tensor:
    vision: Any = model.config.vision_config
    size = vision.image_size
    num_clips = sum(group.episodes * group.clips for group in groups)
    return model.encode_videos(torch.empty(num_clips, 3, num_frames, size, size))


def _group_loss(model: VideoBlip, group: Group, features: Tensor) -> Tensor:
    video = features.reshape(group.episodes, -1, features.shape[-1])
    num_words = group.length - video.shape[1]
    words = torch.zeros(group.episodes, num_words, dtype=torch.long)
    text = model.get_input_embeddings()(words)
    embeds = torch.cat([video.to(text.dtype), text], dim=1)
    inputs: dict[str, Any] = {"inputs_embeds": embeds, "use_cache": False}
    targets = torch.zeros(group.episodes, group.labels, dtype=torch.long)
    if model.family.encoder_decoder:
        inputs["decoder_input_ids"] = targets
    else:
        # The labels stand last, each predicted from the position before it.
        inputs["logits_to_keep"] = group.labels + 1
    logits = model.language_model(**inputs).logits[:, -group.labels :]
    return F.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), reduction="sum")
