"""The record of an exported bundle, which the exporter writes and the server reads; no torch.

A bundle is a folder: ONNX graphs (of a large model with their weights in files beside them),
tokenizer files, preprocessor_config.json and manifest.json.
"""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator

from eilev.bundle.rules import FRAME_CHOICE, LAYOUTS, PIXELS, Family
from eilev.config.section import Positive, Section, Share
from eilev.io import DataError, sha256, write_json

MANIFEST_FILE = "manifest.json"
FORMAT_VERSION = 3

VISION, EMBED, ENCODER, DECODER = "vision.onnx", "embed.onnx", "encoder.onnx", "decoder.onnx"

# fp16: as transformers loads a checkpoint in half precision. int8: the weights of matrix products
# and embeddings, activations as they come.
Precision = Literal["fp32", "fp16", "int8"]
GRAPHS: dict[Family, tuple[str, ...]] = {
    "decoder_only": (VISION, EMBED, DECODER),
    "encoder_decoder": (VISION, EMBED, ENCODER, DECODER),
}

TokenId = Annotated[int, Field(ge=0)]
Channels = tuple[float, float, float]


class BundleError(DataError):
    """A file of a bundle is missing, altered or of another format; the message names it."""


class CacheShape(Section):
    """The decoder's self-attention cache: (batch, num_heads, past, head_dim) per layer."""

    num_layers: Positive
    num_heads: Positive
    head_dim: Positive


class Tokens(Section):
    """Ids of the special tokens; `decoder_start` begins an encoder-decoder's output."""

    bos: TokenId | None
    eos: TokenId
    pad: TokenId
    decoder_start: TokenId | None


class ImageFormat(Section):
    """What preprocessor_config.json says: side in pixels, channel statistics of 0 to 1 values."""

    size: Positive
    mean: Channels
    std: Channels


class Clip(Section):
    """How frames become a clip: `num_frames` of them out of `window_s` seconds around a time."""

    choice: str
    pixels: str
    num_frames: Positive
    window_s: Annotated[float, Field(gt=0.0)]


class MeasuredParity(Section):
    """How the bundle compares with the torch model in float32 on the same episodes.

    action_agreement: share of narrations with the same verb and noun; null where no lexicon says
    which words these are.
    """

    episodes: Positive
    max_logit_difference: Annotated[float, Field(ge=0.0)]
    identical_narrations: Annotated[int, Field(ge=0)]
    action_agreement: Share | None


def _is_ours(version: int) -> int:
    if version != FORMAT_VERSION:
        raise ValueError(
            f"the bundle has format {version}, this version of EILeV has {FORMAT_VERSION}; "
            "export the model again"
        )
    return version


class Manifest(Section):
    """What a server must know of a bundle, and where the bundle comes from."""

    format_version: Annotated[int, AfterValidator(_is_ours)]
    family: Family
    precision: Precision
    # sha256 of every file of the folder but the manifest, and their bytes together.
    files: dict[str, str]
    num_bytes: Positive
    clip: Clip
    # Side in pixels of the decoder's squares, as in training, before they are preprocessed.
    frame_size: Positive
    num_query_tokens: Positive
    hidden_size: Positive
    vocab_size: Positive
    # Tokens that the tokenizer knows; the model may have rows for more.
    tokenizer_size: Positive
    # Order of prompts, narrations and newlines (eilev/bundle/rules.py).
    layout: str
    # Prompt and new tokens together; null where positions are relative.
    max_length: Positive | None
    cache: CacheShape
    tokens: Tokens
    image: ImageFormat
    # Defaults of the evaluation.
    prompt: str
    max_new_tokens: Positive
    opset: Positive
    git_revision: str | None
    # Null until it was compared.
    parity: MeasuredParity | None
    params: dict[str, Any]
    metrics: dict[str, Any]

    @model_validator(mode="after")
    def _has_its_graphs(self) -> Self:
        for name in GRAPHS[self.family]:
            if name not in self.files:
                raise ValueError(f"'files' lacks {name}, which a {self.family} bundle needs")
        for name in self.files:
            if Path(name).name != name:
                raise ValueError(f"'files' has '{name}', which is not a plain file name")
        return self

    @model_validator(mode="after")
    def _has_known_rules(self) -> Self:
        known = {
            "clip.choice": (self.clip.choice, FRAME_CHOICE),
            "clip.pixels": (self.clip.pixels, PIXELS),
            "layout": (self.layout, LAYOUTS[self.family]),
        }
        for field, (found, ours) in known.items():
            if found != ours:
                raise ValueError(f"'{field}' is '{found}'; this version of EILeV knows '{ours}'")
        return self

    @property
    def num_frames(self) -> int:
        """Frames of every clip."""
        return self.clip.num_frames

    @property
    def takes_questions(self) -> bool:
        """Whether the model was trained with prompts; a bundle that does not say may have been."""
        prompts = self.params.get("train", {}).get("prompts", [self.prompt or None])
        return any(prompt is None or prompt.strip() for prompt in prompts)

    @property
    def fingerprint(self) -> str:
        """Of all that the manifest says, the checksums of the other files among it."""
        content = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return f"eilev-{hashlib.sha256(content.encode()).hexdigest()[:16]}"

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read and check manifest.json.

        Raises:
            BundleError: the file is missing, is not JSON, or has wrong fields, which are named.
        """
        path = folder / MANIFEST_FILE
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError as error:
            raise BundleError(f"{path}: no such file; export a bundle first") from error
        except ValidationError as error:
            raise BundleError(f"{path}: {_problems(error)}") from error

    def write(self, folder: Path) -> None:
        """Write manifest.json."""
        write_json(self.model_dump(mode="json"), folder / MANIFEST_FILE)

    def verify(self, folder: Path) -> None:
        """Compare every file with its checksum; none is read as a whole.

        Raises:
            BundleError: a file is missing or altered; it is named.
        """
        for name, expected in self.files.items():
            path = folder / name
            if not path.is_file():
                raise BundleError(f"{path}: no such file, but {MANIFEST_FILE} lists it")
            if sha256(path) != expected:
                raise BundleError(
                    f"{path}: altered since the export (sha256 differs); export again"
                )


def _problems(error: ValidationError) -> str:
    """Every field and what is wrong with it; of a manifest of another format only that it is."""
    problems = {
        ".".join(map(str, item["loc"])) or "top level": item["msg"] for item in error.errors()
    }
    name = "format_version"
    shown = {name: problems[name]} if name in problems else problems
    return "; ".join(f"{field}: {problem}" for field, problem in shown.items())
