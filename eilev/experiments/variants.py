"""One variant of the ablations: the stages from `episodes` to `evaluate` with changed parameters.

    python -m eilev.experiments.variants --variant no_burst --seed 0 --into data/ablations

The stages run as they are, in a folder of their own that links to what they share.
"""

import argparse
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from eilev import paths
from eilev.config.compose import override
from eilev.config.params import load_params
from eilev.config.section import ParamsError
from eilev.io import atomic_file, read_json, write_json
from eilev.stages.watched import OF_AN_EXPERIMENT

VARIANTS = Path("experiments/variants.yaml")
# Within the folder that the runs go into.
RUNS, METRICS = "runs", "metrics"

SHARED = (paths.NARRATIONS.parent, paths.SPLIT.parent, paths.CLIPS)
# The sections whose `seed` an ablation's seed is; the data stay the same.
SEEDED = ("episodes", "train", "evaluate")
# What the figures are about; the other conditions and baselines cost time.
ASKED = {
    "evaluate.conditions": ["bursty", "contrastive", "shuffled"],
    "evaluate.baselines.classifier_clips": None,
}


def main() -> None:
    """Run one variant with one seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--variant", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--into", type=Path, required=True, help="folder of runs and metrics")
    options = parser.parse_args()
    try:
        run_variant(options.variant, options.seed, options.into)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)


def run_variant(variant: str, seed: int, into: Path) -> None:
    """Write metrics/VARIANT-SEED.json and runs/VARIANT-SEED/ into a folder.

    Raises:
        ParamsError: an unknown variant or key.
        CalledProcessError: a stage failed; it has said why.
    """
    params = variant_params(yaml.safe_load(Path("params.yaml").read_text()), variant, seed)
    folder = into / RUNS / f"{variant}-{seed}"
    prepare(folder, params)
    for stage in OF_AN_EXPERIMENT:
        subprocess.run(_command(stage), cwd=folder, check=True)
    metrics = read_json(folder / paths.METRICS)
    metrics["model"]["seconds"] = read_json(folder / paths.TRAIN_EFFORT)["seconds"]
    write_json(metrics, into / METRICS / f"{folder.name}.json")


def variant_params(base: Mapping[str, Any], variant: str, seed: int) -> dict[str, Any]:
    """Parameters of a variant: the dotted keys of experiments/variants.yaml set in `base`.

    Raises:
        ParamsError: there is no such variant, or it changes a key that does not exist.
    """
    variants = yaml.safe_load(VARIANTS.read_text())
    if variant not in variants:
        raise ParamsError(f"{VARIANTS}: no variant '{variant}', there are {', '.join(variants)}")
    changes: dict[str, Any] = dict.fromkeys((f"{section}.seed" for section in SEEDED), seed)
    changes |= ASKED | variants[variant]
    return override(base, changes, f"{VARIANTS}: '{variant}'")


def prepare(folder: Path, params: Mapping[str, Any]) -> None:
    """Make a folder for stages: its params.yaml, checked, links to shared data and launch file."""
    (folder / paths.DATA).mkdir(parents=True, exist_ok=True)
    with atomic_file(folder / "params.yaml") as temporary:
        temporary.write_text(yaml.safe_dump(dict(params), sort_keys=False))
        load_params(temporary)
    for shared in (*SHARED, Path(params["train"]["launch"])):
        link = folder / shared
        if link == shared:
            continue  # a launch file's absolute path holds from anywhere
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(shared.absolute())


def _command(stage: str) -> list[str]:
    launch = ["-m", "eilev.stages.launch"] if stage == "train" else []
    return [sys.executable, *launch, "-m", f"eilev.stages.{stage}"]


if __name__ == "__main__":
    main()
