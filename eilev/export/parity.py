"""Whether an exported model says what the torch model says, on real episodes."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from tqdm import tqdm

from eilev.bundle.manifest import Manifest, MeasuredParity
from eilev.bundle.onnx_engine import OnnxEngine
from eilev.clips.cache import ClipSource
from eilev.clips.frame_choice import Frames
from eilev.inputs.episode import episode_texts
from eilev.inputs.turns import Request, Turn
from eilev.model.batch import make_batch
from eilev.model.checkpoint import LoadedModel


class ParityError(ValueError):
    """The exported model differs from the torch model by more than is allowed."""


@dataclass(frozen=True)
class Runner:
    """One implementation of the model.

    `logits`: (positions, vocabulary) of one episode with its query's narration given.
    `narrate`: greedy narrations of the queries of several episodes, whose narrations are None.
    """

    logits: Callable[[Sequence[Turn], Sequence[Frames]], npt.NDArray[np.float32]]
    narrate: Callable[[Sequence[Request]], list[str]]


@dataclass(frozen=True)
class Bounds:
    """What a bundle must keep: the largest difference of a logit, and least shares of narrations.

    identical: word for word. same_action: the same verb and noun.
    """

    max_logit_difference: float
    identical: float = 0.0
    same_action: float = 0.0


@dataclass(frozen=True)
class Parity:
    """How two implementations compare; NaN logits make the difference NaN.

    action_agreement: share of narrations with the same verb and noun, None where nothing says
    which words these are.
    """

    episodes: int
    max_logit_difference: float
    identical_narrations: int
    action_agreement: float | None = None

    def check(self, bounds: Bounds, name: str = "the exported model") -> None:
        """Fail unless the bundle keeps within bounds; without actions, words count for them.

        Raises:
            ParityError: with the figures.
        """
        identical = self.identical_narrations / self.episodes
        agreement = identical if self.action_agreement is None else self.action_agreement
        # Written so that NaN fails.
        close = self.max_logit_difference <= bounds.max_logit_difference
        if not close or identical < bounds.identical or agreement < bounds.same_action:
            raise ParityError(
                f"{name} differs from torch: largest logit difference "
                f"{self.max_logit_difference:.3g} (allowed {bounds.max_logit_difference:.3g}), "
                f"{self.identical_narrations} of {self.episodes} narrations identical "
                f"(needed {bounds.identical:.0%}), the same action in {agreement:.0%} "
                f"(needed {bounds.same_action:.0%}); the earlier bundle is kept"
            )

    def record(self, folder: Path) -> None:
        """Note the comparison in the manifest of a bundle."""
        manifest = Manifest.load(folder)
        manifest.model_copy(update={"parity": MeasuredParity(**asdict(self))}).write(folder)


def select_episodes(
    table: pd.DataFrame,
    narrations: Mapping[Hashable, str],
    clips: ClipSource,
    prompt: str,
    count: int,
) -> list[Request]:
    """Take `count` rows of an episodes table, evenly spaced to have all kinds and shot counts.

    Args:
        table: schema.EPISODES.
        narrations: narration of each narration id.
        clips: uint8 (time, height, width, 3) of each narration id.
        prompt: asks for each narration.
        count: all rows are taken where there are fewer.
    """
    rows = np.unique(np.linspace(0, len(table) - 1, min(count, len(table))).astype(int))
    episodes: list[Request] = []
    for row in table.iloc[rows].to_dict("records"):
        ids = [*row["context"], row["query"]]
        texts = episode_texts(row["narrations"], ids, narrations)
        episodes.append(([Turn(prompt, text) for text in texts], [clips[i] for i in ids]))
    return episodes


def compare(
    reference: Runner,
    candidate: Runner,
    episodes: Sequence[Request],
    batch_size: int,
    action_of: Callable[[str], object] | None = None,
) -> Parity:
    """Run both implementations on the same episodes, whose last turns have their narrations.

    Args:
        reference: one implementation.
        candidate: the other one.
        episodes: at least one.
        batch_size: episodes that are narrated together.
        action_of: the verb and the noun of a narration.

    Raises:
        ValueError: no episodes.
    """
    if not episodes:
        raise ValueError("parity needs at least one episode")
    differences, pairs = [], list[tuple[str, str]]()
    with tqdm(total=len(episodes), desc="parity", unit="episode") as progress:
        for start in range(0, len(episodes), batch_size):
            batch = episodes[start : start + batch_size]
            for turns, clips in batch:
                difference = reference.logits(turns, clips) - candidate.logits(turns, clips)
                differences.append(float(np.abs(difference).max()))
                progress.update()
            queries = [(_without_answer(turns), clips) for turns, clips in batch]
            pairs += zip(reference.narrate(queries), candidate.narrate(queries), strict=True)
    identical = sum(ours == theirs for ours, theirs in pairs)
    # numpy's max keeps NaN, Python's may lose it.
    return Parity(
        len(episodes), float(np.max(differences)), identical, _agreement(pairs, action_of)
    )


def _agreement(
    pairs: Sequence[tuple[str, str]], action_of: Callable[[str], object] | None
) -> float | None:
    if action_of is None:
        return None
    return sum(action_of(ours) == action_of(theirs) for ours, theirs in pairs) / len(pairs)


def torch_runner(loaded: LoadedModel, max_new_tokens: int) -> Runner:
    """The torch model as the reference of `compare`."""

    @torch.no_grad()
    def logits(turns: Sequence[Turn], clips: Sequence[Frames]) -> npt.NDArray[np.float32]:
        batch = make_batch(loaded, [(turns, clips)])
        if not loaded.model.family.encoder_decoder:
            del batch["labels"]
        output = loaded.model(**batch).logits[0]
        result: npt.NDArray[np.float32] = output.float().cpu().numpy()
        return result

    def narrate(episodes: Sequence[Request]) -> list[str]:
        batch = make_batch(loaded, episodes)
        del batch["labels"]
        tokens = loaded.model.generate(**batch, max_new_tokens=max_new_tokens, do_sample=False)
        return [loaded.codec.decode(row).strip() for row in tokens.tolist()]

    return Runner(logits, narrate)


def bundle_runner(folder: Path, max_new_tokens: int) -> Runner:
    """A bundle as the candidate of `compare`."""
    engine = OnnxEngine.load(folder)
    return Runner(engine.prefill_logits, lambda batch: engine.generate(batch, max_new_tokens))


def _without_answer(turns: Sequence[Turn]) -> list[Turn]:
    return [*turns[:-1], replace(turns[-1], narration=None)]
