"""A model whose tensors are shared out among the processes: PyTorch's FSDP2, through Accelerate.

Each process holds a part of every tensor (`DTensor`), so whoever wants a whole one asks all
processes for it: what is said here to be of all of them hangs unless all of them call it.
"""

from collections.abc import Collection, Sequence

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor, distribute_tensor

from eilev.config.section import ParamsError


def is_sharded(accelerator: Accelerator) -> bool:
    """Whether processes hold parts of the model only."""
    return bool(accelerator.is_fsdp2)


def check_shardable(frozen: Sequence[Collection[str]], views: int, draws_words: bool) -> None:
    """Refuse what needs the whole model in one process.

    Args:
        frozen: of each phase, the modules that it does not train.
        views: how often a frozen tower looks at each clip; 0 is at every showing.
        draws_words: whether embeddings are drawn anew at every step.

    Raises:
        ParamsError: several phases (a model is shared out once), features that are kept, or
            episodes in invented words.
    """
    asked = {
        "train.phases has several": len(frozen) > 1,
        "train.views keeps what a frozen tower sees": views and "vision_model" in frozen[0],
        "the meaning 'invented' draws embeddings anew": draws_words,
    }
    if why := [reason for reason, holds in asked.items() if holds]:
        raise ParamsError(
            f"train.launch: FSDP shares the model out among the processes, but "
            f"{', and '.join(why)}: take a launch file without FSDP, or change that"
        )


def whole(tensor: Tensor) -> Tensor:
    """All of a tensor, of all processes."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def share_out(value: Tensor, like: Tensor) -> Tensor:
    """A whole tensor in parts, of all processes, if another one of its shape is."""
    if isinstance(like, DTensor) and value.shape == like.shape:
        return distribute_tensor(value.to(like.device), like.device_mesh, like.placements)
    return value


def put(tensor: Tensor, value: Tensor) -> None:
    """Overwrite a tensor with a whole one, of all processes."""
    tensor.copy_(share_out(value, tensor))


def layer_classes(model: nn.Module, language_model: nn.Module) -> list[str]:
    """Names of the classes whose instances are shared out one by one: all layers of all parts."""
    own = {"Blip2EncoderLayer", "Blip2QFormerLayer", *_no_split(language_model)}
    return sorted(own & {type(module).__name__ for module in model.modules()})


def _no_split(language_model: nn.Module) -> Collection[str]:
    return getattr(language_model, "_no_split_modules", None) or ()


def gather(model: nn.Module, keep: bool) -> None:
    """Make the parameters whole again, on the CPU: of all processes, which need not keep them.

    The model can then be saved, not run.
    """
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.reshard()  # the last forward pass leaves some of them whole for the moment
    made: dict[Tensor, nn.Parameter] = {}
    for module in model.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            if not isinstance(parameter, DTensor):
                continue
            if parameter not in made:
                content = whole(parameter.detach())
                kept = content.cpu() if keep else torch.empty(0)
                made[parameter] = nn.Parameter(kept, requires_grad=parameter.requires_grad)
            setattr(module, name, made[parameter])
