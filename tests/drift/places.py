"""The files that `eilev drift` reads, in a folder of a test."""

from pathlib import Path

import yaml

from eilev.io import write_json
from eilev.traffic import Corpus, Reference
from tests.conftest import ROOT


def write_reference(path: Path, fingerprint: str) -> None:
    """A training that has one sentence."""
    reference = Reference(
        fingerprint=fingerprint,
        vocabulary=("camera", "cuts", "onion", "the", "wearer"),
        actions=(("cut", "onion"),),
        verbs={"cut": 1},
        nouns={"onion": 1},
        shots=(1,),
        burstiness=0.5,
        feature_mean=(0.0, 1.0),
        feature_std=(0.0, 1.0),
        corpus=Corpus(verbs={"cut": 1}, nouns={"onion": 1}, figures={}),
    )
    write_json(reference.model_dump(mode="json"), path)


def write_params(folder: Path, min_requests: int) -> None:
    """The default's, but for the number of requests that are judged."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["drift"]["min_requests"] = min_requests
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
