"""Random numbers of a clip: drawn by its own generator, whatever batch the clip is in.

A step is shared out among processes and pieces; what becomes of a clip must not depend on how.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

# One for each clip of a batch, all on the device of its frames.
Generators = Sequence[torch.Generator]


def seeded_generator(*keys: int, device: torch.device | str = "cpu") -> torch.Generator:
    """Return a generator whose draws depend on `keys` only, e.g. (seed, step, clip)."""
    state = np.random.SeedSequence(keys).generate_state(1, np.uint64)
    generator = torch.Generator(device)
    # torch takes a signed seed on some devices.
    generator.manual_seed(int(state[0]) >> 1)
    return generator


def uniform(generators: Generators, *shape: int) -> Tensor:
    """Draw from [0, 1): float32 (num_clips, *shape)."""
    return torch.stack([torch.rand(shape, generator=g, device=g.device) for g in generators])


def normal(generators: Generators, *shape: int) -> Tensor:
    """Draw from the standard normal distribution: float32 (num_clips, *shape)."""
    return torch.stack([torch.randn(shape, generator=g, device=g.device) for g in generators])
