"""What training a profile would take: parameters, memory, operations, data and hours.

    hours = operations / (GPUs x peak rate x utilisation)
    memory = weights + gradients + AdamW's two moments + DDP's buckets + peak of the step

Operations and the peak of the step are counted (eilev.planning.cost), rates are data sheets'
(eilev.planning.gpus); the utilisation is an assumption. Communication, data loading, warm-up and
evaluation after training are left out.
"""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch import nn

from eilev.config.launch import Precision
from eilev.config.params import Params
from eilev.config.train import PhaseConfig
from eilev.model.video_blip import VideoBlip
from eilev.planning.architectures import meta_model
from eilev.planning.cost import Group, StepCost, step_cost
from eilev.planning.gpus import GPUS
from eilev.planning.workload import Workload, typical_batch

FLOAT32 = 4
# Share of a GPU's memory that is left to CUDA, NCCL and fragmentation.
RESERVE = 0.1
# A sharp photograph of 448 x 448 takes 4.1 bits per pixel at quality 95, video frames less.
JPEG_BITS_PER_PIXEL = 3.0
# Decoding one of 448 x 448 took 2.4 ms of one core (`python -m benchmarks.plan`).
DECODE_S_PER_PIXEL = 2.4e-3 / 448**2


@dataclass(frozen=True)
class Machine:
    """GPUs of one kind (a key of GPUS), and the share of their peak rate that a step reaches."""

    kind: str
    count: int
    utilisation: float


@dataclass(frozen=True)
class ModuleSize:
    """Parameters of a module, and those of them that are trained."""

    parameters: int
    trainable: int


@dataclass(frozen=True)
class Memory:
    """Bytes on each GPU."""

    weights: int
    gradients: int
    optimiser: int
    buckets: int
    step: int
    total: int
    usable: int


@dataclass(frozen=True)
class Compute:
    """Operations (multiplications and additions) and time.

    forward: operations of one episode's forward pass by module. episode: forward and backward.
    step: of all GPUs together. episodes_at_once: on each GPU. The hours are the whole run's, the
    other figures means over its epochs.
    """

    tokens_per_episode: float
    forward: Mapping[str, float]
    episode: float
    step: float
    epoch: float
    episodes_per_step: int
    episodes_at_once: int
    steps_per_epoch: int
    steps: int
    seconds_per_step: float
    train_hours: float
    validation_hours: float
    hours: float
    gpu_hours: float


@dataclass(frozen=True)
class Data:
    """Clips on disk, and on their way to the GPUs."""

    clips: int
    clip_bytes: float
    bytes: float
    clips_per_step: float
    clips_per_epoch: float
    frames_per_second: float
    # Cores that decoding JPEGs keeps busy, for each GPU.
    decoding_cores: float


@dataclass(frozen=True)
class Plan:
    """All of it, for one process per GPU."""

    modules: Mapping[str, ModuleSize]
    parameters: int
    trainable: int
    precision: Precision
    memory: Memory
    compute: Compute
    data: Data


def make_plan(params: Params, precision: Precision, machine: Machine, workload: Workload) -> Plan:
    """Plan the training of `params` on a machine.

    Raises:
        ValueError: the model's architecture or the kind of GPU is not known, or the GPUs cannot
            share a step evenly.
    """
    if machine.kind not in GPUS:
        raise ValueError(f"no GPU '{machine.kind}' is known, there are {', '.join(GPUS)}")
    model = meta_model(params.train.model, workload.vocab_size)
    modules = module_sizes(model)
    trainable = sum(size.trainable for size in modules.values())
    at_once = params.train.episodes_at_once(machine.count)
    phases = _phases(params, at_once, model, precision, workload)
    val = typical_batch(params, params.episodes.val, 1, model, workload)
    alike = [p for p in phases if {g.shape for g in p.groups} == {g.shape for g in val}]
    if alike:
        val_cost, val_size = alike[0].cost, at_once
    else:
        val_cost, val_size = (
            _step_cost(params, params.train.phases[-1], val, precision, workload),
            1,
        )
    forward = sum(val_cost.forward_flops.values()) / val_size
    compute = _compute(params, phases, forward, precision, machine, workload)
    parameters = sum(size.parameters for size in modules.values())
    return Plan(
        modules=modules,
        parameters=parameters,
        trainable=trainable,
        precision=precision,
        memory=_memory(parameters, trainable, max(p.cost.peak_bytes for p in phases), machine),
        compute=compute,
        data=_data(params, phases, compute, machine, workload),
    )


def module_sizes(model: VideoBlip) -> dict[str, ModuleSize]:
    """Sizes of the model's children and of its own parameters, the query tokens."""
    sizes = {name: _size(list(child.parameters())) for name, child in model.named_children()}
    own = [parameter for name, parameter in model.named_parameters() if "." not in name]
    return {"query_tokens": _size(own), **sizes}


def _size(parameters: list[nn.Parameter]) -> ModuleSize:
    return ModuleSize(
        sum(p.numel() for p in parameters),
        sum(p.numel() for p in parameters if p.requires_grad),
    )


_counted = functools.lru_cache(step_cost)


@dataclass(frozen=True)
class _Phase:
    """A phase of the curriculum: its share of the epochs, its typical batch and what that costs."""

    share: float
    epochs: int
    groups: tuple[Group, ...]
    cost: StepCost


def _phases(
    params: Params, at_once: int, model: VideoBlip, precision: Precision, workload: Workload
) -> list[_Phase]:
    total = sum(phase.epochs for phase in params.episodes.train)
    phases = []
    for drawn, trained in zip(params.episodes.train, params.train.phases, strict=True):
        groups = typical_batch(params, drawn, at_once, model, workload)
        cost = _step_cost(params, trained, groups, precision, workload)
        phases.append(_Phase(drawn.epochs / total, drawn.epochs, groups, cost))
    return phases


def _step_cost(
    params: Params,
    phase: PhaseConfig,
    groups: tuple[Group, ...],
    precision: Precision,
    workload: Workload,
) -> StepCost:
    model = params.train.model
    frozen = model.model_copy(update={"freeze": (*model.freeze, *phase.freeze)})
    frames = params.clips.num_frames
    losses = (phase.guidance > 0, phase.language > 0)
    return _counted(frozen, workload.vocab_size, groups, frames, precision, *losses)


def peak_rate(machine: Machine, precision: Precision) -> float:
    """Operations per second of all GPUs at the assumed utilisation."""
    gpu = GPUS[machine.kind]
    rate = gpu.fp32 if precision == "no" else gpu.bf16
    return rate * 1e12 * machine.utilisation * machine.count


def _memory(parameters: int, trainable: int, peak: int, machine: Machine) -> Memory:
    """Weights stay in float32 under autocast; the step's peak holds its low-precision copies."""
    trained = FLOAT32 * trainable
    buckets = trained if machine.count > 1 else 0
    return Memory(
        weights=FLOAT32 * parameters,
        gradients=trained,
        optimiser=2 * trained,
        buckets=buckets,
        step=peak,
        total=FLOAT32 * parameters + 3 * trained + buckets + peak,
        usable=int((1 - RESERVE) * GPUS[machine.kind].memory_gib * 2**30),
    )


def _compute(
    params: Params,
    phases: Sequence[_Phase],
    val_forward: float,
    precision: Precision,
    machine: Machine,
    workload: Workload,
) -> Compute:
    train, size = params.train, params.train.episodes_at_once(machine.count)
    episodes = workload.episodes * sum(phase.epochs for phase in phases)
    steps = sum(math.ceil(workload.episodes * phase.epochs / train.batch_size) for phase in phases)
    episode = sum(phase.share * phase.cost.flops for phase in phases) / size
    forward = {
        name: sum(phase.share * phase.cost.forward_flops[name] for phase in phases) / size
        for name in phases[0].cost.forward_flops
    }
    rate = peak_rate(machine, precision)
    # The last step is always followed by a validation.
    validations = math.ceil(steps / train.validate_every)
    training = episodes * episode / rate / 3600
    validation = validations * workload.val_episodes * val_forward / rate / 3600
    return Compute(
        tokens_per_episode=_mean(phases, lambda group: group.episodes * group.length) / size,
        forward=forward,
        episode=episode,
        step=episode * train.batch_size,
        epoch=episode * workload.episodes,
        episodes_per_step=train.batch_size,
        episodes_at_once=size,
        steps_per_epoch=math.ceil(workload.episodes / train.batch_size),
        steps=steps,
        seconds_per_step=episode * train.batch_size / rate,
        train_hours=training,
        validation_hours=validation,
        hours=training + validation,
        gpu_hours=(training + validation) * machine.count,
    )


def _mean(phases: Sequence[_Phase], of_group: Callable[[Group], float]) -> float:
    """Sum over the groups of a batch, the phases weighted by their epochs."""
    return sum(phase.share * sum(map(of_group, phase.groups)) for phase in phases)


def _data(
    params: Params,
    phases: Sequence[_Phase],
    compute: Compute,
    machine: Machine,
    workload: Workload,
) -> Data:
    clips, pixels = params.clips, params.clips.frame_size**2
    estimate = clips.num_frames * pixels * JPEG_BITS_PER_PIXEL / 8
    clip_bytes = estimate if workload.clip_bytes is None else workload.clip_bytes
    in_batch = _mean(phases, lambda group: group.episodes * group.clips)
    per_episode = in_batch / compute.episodes_at_once
    per_step = per_episode * compute.episodes_per_step
    frames_per_second = per_step * clips.num_frames / compute.seconds_per_step
    cores = frames_per_second * pixels * DECODE_S_PER_PIXEL / machine.count
    return Data(
        clips=workload.narrations,
        clip_bytes=clip_bytes,
        bytes=workload.narrations * clip_bytes,
        clips_per_step=per_step,
        clips_per_epoch=per_episode * workload.episodes,
        frames_per_second=frames_per_second,
        decoding_cores=cores,
    )
