"""The figures of the paper that ours are drawn beside (arXiv 2311.17041).

Sentence similarity by a bi-encoder of generated narrations to the narrators', mean over held-out
Ego4D actions, for the models on OPT-2.7B.
"""

from collections.abc import Mapping

LABEL = "published (Ego4D, OPT-2.7B)"
# Similarities by another encoder are on another scale.
ENCODER = "all-mpnet-base-v2"

SHOTS = (0, 2, 4, 8, 16)
EILEV = "EILeV"
CURVES: Mapping[str, tuple[float, ...]] = {
    EILEV: (0.328, 0.571, 0.628, 0.674, 0.694),
    "fine-tuned without contexts": (0.531, 0.515, 0.527, 0.533, 0.548),
    "BLIP-2": (0.309, 0.486, 0.522, 0.549, 0.476),
    "without burstiness": (0.490, 0.563, 0.556, 0.563, 0.533),
    "without dynamic meaning": (0.401, 0.501, 0.555, 0.616, 0.647),
}
# EILeV with the context's videos exchanged against their texts: shots, similarity.
SHUFFLED = (16, 0.688)
