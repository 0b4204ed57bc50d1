import subprocess
import sys

import numpy as np
import pytest

import eilev
from eilev import Narrator
from eilev.io import DataError
from tests.narrators import DEFAULTS, write_models, write_videos
from tests.tiny import NARRATIONS, tiny_clips


@pytest.fixture(scope="module")
def models(tmp_path_factory, tiny_bundle):
    return write_models(tmp_path_factory.mktemp("models"), tiny_bundle)


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    return write_videos(tmp_path_factory.mktemp("videos"))


@pytest.fixture(scope="module")
def narrators(models):
    return {name: Narrator.from_pretrained(folder) for name, folder in models.items()}


@pytest.fixture(params=["checkpoint", "bundle"])
def narrator(narrators, request):
    return narrators[request.param]


def episode(videos, shots, ask=None):
    context = [(videos[i % 3], NARRATIONS[i % 3]) for i in range(shots)]
    return [*context, (videos[shots % 3], ask)]


def python(code, *arguments):
    """Run code in a fresh interpreter."""
    result = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_both_know_what_they_were_trained_on(narrators):
    assert narrators["checkpoint"].defaults == DEFAULTS
    assert narrators["bundle"].defaults == DEFAULTS


def test_a_checkpoint_and_its_bundle_say_the_same(narrators, videos):
    episodes = [
        *[episode(videos, shots) for shots in (0, 1, 2, 8)],
        episode(videos, 2, "The camera wearer opens it."),
        [((videos[0], 2.5), NARRATIONS[1]), ((str(videos[1]), 0), None)],
        [(tiny_clips(1)[0], NARRATIONS[1]), (tiny_clips(1, seed=5)[0], None)],
    ]
    found = {
        name: [narrator.narrate(items) for items in episodes]
        for name, narrator in narrators.items()
    }
    assert found["checkpoint"] == found["bundle"]
    assert len(set(found["bundle"])) > 2
    for narrator in narrators.values():
        assert narrator.narrate_batch(episodes) == found["bundle"]


def test_a_checkpoint_and_its_bundle_score_the_same(narrators, videos):
    candidates = [*NARRATIONS, "The camera wearer", "onion"]
    items = episode(videos, 2)
    scores = [narrator.score(items, candidates) for narrator in narrators.values()]
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-4)
    assert len(set(scores[0])) == len(candidates)
    assert max(scores[0]) < 0


def test_the_moment_of_a_video_changes_its_clip(narrator, videos):
    clips = [narrator.read([((videos[0], time_s), None)])[1][0] for time_s in (0.5, 3.5)]
    assert not np.array_equal(*clips)
    assert clips[0].shape == (2, 32, 32, 3)


def test_a_narration_is_the_first_line_that_a_model_writes():
    class Talkative:
        def generate(self, *request):
            return ["The camera wearer cuts. \nQuestion: What else?"] * len(request[0])

    clip = tiny_clips(1)[0]
    assert Narrator(Talkative(), DEFAULTS).narrate([(clip, None)]) == "The camera wearer cuts."


def test_beams_are_the_same_in_checkpoint_and_bundle(narrators, videos):
    items = episode(videos, 1)
    found = [narrators[kind].narrate(items, num_beams=3) for kind in ("checkpoint", "bundle")]
    assert isinstance(found[0], str)
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([], "no video to narrate"),
        ([("a.mp4", None), ("b.mp4", None)], "item 1 of 2 has no narration"),
        ([("a.mp4", "  "), ("b.mp4", None)], "item 1 of 2 has no narration"),
        (["a.mp4"], "item 1 of 1 is not a pair"),
        ([("a.mp4", "text", "more")], "item 1 of 1 is not a pair"),
        ([("a.mp4", 5)], "item 1 of 1 is not a pair"),
        ([("absent.mp4", None)], r"absent\.mp4: no such file"),
        ([(np.zeros((2, 4, 4, 3)), None)], "frames are float64"),
    ],
)
def test_odd_items_are_refused(narrator, items, message):
    with pytest.raises(ValueError, match=message):
        narrator.narrate(items)
    with pytest.raises(ValueError, match=message):
        narrator.score(items, NARRATIONS)


def test_odd_numbers_and_candidates_are_refused(narrator, videos):
    items = episode(videos, 0)
    with pytest.raises(ValueError, match="at least 1"):
        narrator.narrate(items, max_new_tokens=0)
    with pytest.raises(ValueError, match="the model has 256"):
        narrator.narrate(items, max_new_tokens=256)
    with pytest.raises(ValueError, match="none that is empty"):
        narrator.score(items, [" "])
    assert narrator.narrate_batch([]) == []


def test_an_undecodable_video_is_named(narrator, tmp_path):
    path = tmp_path / "broken.mp4"
    path.write_bytes(b"no video at all")
    with pytest.raises(ValueError, match=r"broken\.mp4: not an MP4"):
        narrator.narrate([(path, None)])


def test_what_is_no_model_is_named(models, tmp_path):
    with pytest.raises(DataError, match="neither a checkpoint"):
        Narrator.from_pretrained(tmp_path)
    with pytest.raises(DataError, match=r"absent/data/model: no such folder"):
        Narrator.from_pretrained("absent/data/model")
    with pytest.raises(ValueError, match="are for checkpoints"):
        Narrator.from_pretrained(models["bundle"], device="cpu")
    with pytest.raises(ValueError, match="must be one of"):
        Narrator.from_pretrained(models["checkpoint"], dtype="int8")


def test_other_attributes_do_not_exist():
    assert eilev.Narrator is Narrator
    with pytest.raises(AttributeError, match="has no attribute 'Narrators'"):
        eilev.Narrators  # noqa: B018


def test_importing_is_cheap():
    code = """
import sys
import eilev
assert not any(name.startswith("eilev.") for name in sys.modules)
from eilev import Narrator
heavy = {"torch", "transformers", "onnxruntime", "huggingface_hub", "av"}
print(sorted(heavy & sys.modules.keys()))
"""
    assert python(code) == "[]"


# An installation of `eilev[serve]` has none of these.
WITHOUT_TORCH = """
import sys
torch = ("torch", "transformers", "huggingface_hub", "safetensors", "accelerate")
for name in (*torch, "pandas", "pyarrow"):
    sys.modules[name] = None
from eilev import Narrator
"""


def test_a_bundle_needs_no_torch(models, narrators, videos):
    code = WITHOUT_TORCH + (
        "print(Narrator.from_pretrained(sys.argv[1]).narrate("
        "[(sys.argv[2], sys.argv[3]), (sys.argv[4], None)]))"
    )
    items = [(videos[0], NARRATIONS[0]), (videos[1], None)]
    found = python(code, models["bundle"], videos[0], NARRATIONS[0], videos[1])
    assert found == narrators["checkpoint"].narrate(items)


def test_without_torch_a_checkpoint_says_what_to_install(models):
    code = WITHOUT_TORCH + (
        "try:\n    Narrator.from_pretrained(sys.argv[1])\nexcept ValueError as error: print(error)"
    )
    found = python(code, models["checkpoint"])
    assert "a checkpoint needs torch: pip install 'eilev[pipeline]'" in found
