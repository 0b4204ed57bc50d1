"""`eilev plan`: what training a profile would take on given GPUs, without one."""

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from eilev.config.compose import compose_params
from eilev.config.launch import read_launch
from eilev.config.params import Params, load_params
from eilev.planning.gpus import GPUS
from eilev.planning.plan import RESERVE, Machine, ModuleSize, Plan, make_plan, peak_rate
from eilev.planning.workload import NARRATION_TOKENS, Workload, estimate_workload, read_workload

UTILISATION = 0.4
GIB = 2**30
TERA = 1e12
# Name, value and remark.
Line = tuple[str, float, str]


@dataclass(frozen=True)
class PublishedRun:
    """What the reference states of its own run on Ego4D: GPUs and hours for 5 epochs."""

    kind: str
    count: int
    hours: float


# By language model and whether there are contexts (16 shots); README of the published code.
PUBLISHED_RUNS = {
    ("opt", True): PublishedRun("A40", 8, 36.0),
    ("t5", True): PublishedRun("A40", 8, 36.0),
    ("opt", False): PublishedRun("A40", 1, 24.0),
    ("t5", False): PublishedRun("A40", 1, 23.0),
}


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = subparsers.add_parser("plan", help="memory, operations and hours of a training")
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="KEY=VALUE",
        help="a profile, as `eilev params` takes it; without any, params.yaml as it is",
    )
    parser.add_argument("--gpu", choices=list(GPUS), default="A40")
    parser.add_argument("--gpus", type=int, help="how many; default: as the launch file says")
    parser.add_argument(
        "--utilisation",
        type=float,
        default=UTILISATION,
        help=f"share of the GPU's peak rate that is reached (default {UTILISATION}, assumed)",
    )
    parser.add_argument("--episodes", type=int, help="training episodes of one epoch")
    parser.add_argument("--narration-tokens", type=int, help=f"default {NARRATION_TOKENS}")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print the plan.

    Raises:
        ValueError: bad options, an unknown architecture, or a source whose size is not known.
    """
    params = compose_params(options.overrides)[1] if options.overrides else load_params()
    launch = read_launch(Path(params.train.launch))
    machine = Machine(options.gpu, options.gpus or launch.num_processes, options.utilisation)
    if machine.count < 1 or not 0 < machine.utilisation <= 1:
        raise ValueError("--gpus must be at least 1, --utilisation above 0 and at most 1")
    workload = _workload(params, options)
    plan = make_plan(params, launch.precision, machine, workload)
    published = _published(params, plan, machine)
    if options.json:
        result = {"machine": asdict(machine), "workload": asdict(workload), **asdict(plan)}
        print(json.dumps(result | {"published": published}, indent=2))  # noqa: T201
        return
    print(format_plan(plan, machine, workload))  # noqa: T201
    print(_notes(published))  # noqa: T201


def _workload(params: Params, options: argparse.Namespace) -> Workload:
    # What lies in data/ was made with params.yaml, not with a profile.
    measured = None if options.overrides or options.episodes else read_workload(params)
    tokens = options.narration_tokens or NARRATION_TOKENS
    return measured or estimate_workload(params, options.episodes, tokens)


def _published(params: Params, plan: Plan, machine: Machine) -> dict[str, Any] | None:
    """The reference's cost of the same training, and the size of an epoch that would explain it."""
    name = params.train.model.pretrained or ""
    family = "opt" if "opt-2.7b" in name else "t5" if "flan-t5-xl" in name else None
    with_contexts = any(any(phase.shots) for phase in params.episodes.train)
    run = PUBLISHED_RUNS.get((family or "", with_contexts))
    # The reference's curriculum is one phase.
    if run is None or len(params.train.phases) > 1:
        return None
    rate = peak_rate(Machine(run.kind, run.count, machine.utilisation), plan.precision)
    epochs = sum(phase.epochs for phase in params.episodes.train)
    return asdict(run) | {
        "gpu_hours": run.count * run.hours,
        "episodes_per_epoch_at_utilisation": round(
            run.hours * 3600 * rate / (epochs * plan.compute.episode)
        ),
    }


def format_plan(plan: Plan, machine: Machine, workload: Workload) -> str:
    """Tables for people."""
    memory, compute, data = plan.memory, plan.compute, plan.data
    fits = "fits" if memory.total <= memory.usable else "DOES NOT FIT"
    at_once = (
        "1 episode" if compute.episodes_at_once == 1 else f"{compute.episodes_at_once} episodes"
    )
    step = "float32" if plan.precision == "no" else f"{plan.precision} autocast"
    gpus = f"{machine.count} x {machine.kind} at {machine.utilisation:.0%} of its peak"
    sections: dict[str, list[Line]] = {
        "parameters": [
            *((n, size.parameters, _role(size)) for n, size in plan.modules.items()),
            ("all", plan.parameters, ""),
            ("trained", plan.trainable, ""),
        ],
        f"memory of each {machine.kind} (GiB)": [
            ("weights (float32)", memory.weights / GIB, ""),
            ("gradients", memory.gradients / GIB, ""),
            ("AdamW's moments", memory.optimiser / GIB, ""),
            ("DDP's buckets", memory.buckets / GIB, ""),
            (f"peak of a step ({step})", memory.step / GIB, f"{at_once} at once"),
            ("all", memory.total / GIB, fits),
            (f"usable ({1 - RESERVE:.0%})", memory.usable / GIB, ""),
        ],
        "operations (TFLOP)": [
            *((f"forward, {n}", flops / TERA, "") for n, flops in compute.forward.items() if flops),
            ("an episode, forward and backward", compute.episode / TERA, ""),
            (f"a step of {compute.episodes_per_step} episodes", compute.step / TERA, ""),
            (f"an epoch of {workload.episodes:,} episodes", compute.epoch / TERA, ""),
        ],
        "data": [
            ("tokens of an episode", compute.tokens_per_episode, ""),
            ("clips stored", data.clips, f"of {data.clip_bytes / 2**20:.2f} MiB"),
            ("disk (GiB)", data.bytes / GIB, ""),
            ("clips decoded in a step", data.clips_per_step, ""),
            ("clips decoded in an epoch", data.clips_per_epoch, ""),
            ("frames decoded in a second", data.frames_per_second, ""),
            ("cores for that, each GPU", data.decoding_cores, ""),
        ],
        f"time on {gpus}": [
            ("steps", compute.steps, f"{compute.steps_per_epoch:,} an epoch"),
            ("seconds a step", compute.seconds_per_step, ""),
            ("hours of training", compute.train_hours, ""),
            ("hours of validation", compute.validation_hours, ""),
            ("hours", compute.hours, ""),
            ("GPU hours", compute.gpu_hours, ""),
        ],
    }
    return "\n\n".join(_table(title, rows) for title, rows in sections.items())


def _notes(published: Mapping[str, Any] | None) -> str:
    lines = []
    if published:
        run = "Published: {count} x {kind} for {hours:g} h ({gpu_hours:g} GPU hours) on Ego4D,"
        size = "by this plan at most {episodes_per_epoch_at_utilisation:,} episodes an epoch."
        lines.append(f"{run} {size}".format(**published))
    lines.append("Counted, not measured: nothing of this has run on a GPU (docs/plan.md).")
    return "\n" + "\n".join(lines)


def _table(title: str, rows: list[Line]) -> str:
    width = max(len(name) for name, _, _ in rows)
    lines = [f"  {name:<{width}}  {_number(value):>15}  {remark}" for name, value, remark in rows]
    return "\n".join([title, *map(str.rstrip, lines)])


def _role(size: ModuleSize) -> str:
    return "trained" if size.trainable else "frozen"


def _number(value: float) -> str:
    return f"{value:,.0f}" if isinstance(value, int) or value >= 1000 else f"{value:.3g}"
