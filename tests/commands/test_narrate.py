import subprocess
import sys

import pytest

from eilev import Narrator, paths
from eilev.cli import main
from tests.narrators import write_models, write_videos
from tests.tiny import NARRATIONS, PROMPT
from tests.videos import crash_decoder, cut_off, write_audio, write_video


@pytest.fixture(scope="module")
def models(tmp_path_factory, tiny_bundle):
    return write_models(tmp_path_factory.mktemp("models"), tiny_bundle)


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    return [str(path) for path in write_videos(tmp_path_factory.mktemp("videos"))]


@pytest.fixture
def narrate(models, capsys):
    def run(*arguments, model="checkpoint"):
        main(["narrate", "--model", str(models[model]), *map(str, arguments)])
        return capsys.readouterr().out.strip()

    return run


def test_the_shell_says_what_python_says(narrate, models, videos):
    a, b, c = videos
    items = [(a, NARRATIONS[0]), ((b, 1.5), NARRATIONS[1])]
    arguments = (a, NARRATIONS[0], f"{b}@1.5", NARRATIONS[1], c)
    for model in ("checkpoint", "bundle"):
        narrator = Narrator.from_pretrained(models[model])
        assert narrate(*arguments, model=model) == narrator.narrate([*items, (c, None)])
    asked = narrator.narrate([*items, (c, "The cup")], max_new_tokens=5)
    assert narrate(*arguments, "The cup", "--max-new-tokens", 5) == asked
    assert narrate(*arguments, "--prompt", "The cup", "--max-new-tokens", 5) == asked
    assert asked != narrator.narrate([*items, (c, None)], max_new_tokens=5)


def test_beams(narrate, models, videos):
    narrator = Narrator.from_pretrained(models["checkpoint"])
    expected = narrator.narrate([(videos[0], None)], num_beams=4, length_penalty=-1.0)
    options = ("--beams", 4, "--length-penalty", "-1")
    assert narrate(videos[0], *options) == expected
    assert narrate(videos[0], *options, model="bundle") == expected


def test_candidates_are_printed_best_first(narrate, models, videos):
    items = [(videos[0], NARRATIONS[0]), (videos[1], None)]
    candidates = [part for text in NARRATIONS for part in ("--candidate", text)]
    lines = narrate(videos[0], NARRATIONS[0], videos[1], *candidates, model="bundle").splitlines()
    scores = Narrator.from_pretrained(models["checkpoint"]).score(items, NARRATIONS)
    expected = sorted(zip(scores, NARRATIONS, strict=True), reverse=True)
    assert [line.split(maxsplit=1)[1] for line in lines] == [text for _, text in expected]
    for line, (score, _) in zip(lines, expected, strict=True):
        assert float(line.split()[0]) == pytest.approx(score, abs=1e-3)


def test_without_a_model_the_pipelines_own_is_used(models, videos, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=r"error: data/train/model: no such folder"):
        main(["narrate", videos[0]])
    for path, model in ((paths.MODEL, "checkpoint"), (paths.BUNDLE, "bundle")):
        path.parent.mkdir(parents=True)
        path.symlink_to(models[model])
    main(["narrate", videos[0]])
    assert capsys.readouterr().out.strip()
    # Of a bundle, where there is one: it has no device to choose.
    with pytest.raises(SystemExit, match="for checkpoints, not bundles"):
        main(["narrate", videos[0], "--device", "cpu"])


def test_a_file_name_may_have_an_at_sign(narrate, tmp_path):
    path = write_video(tmp_path / "kitchen@2.mp4", 10)
    odd = path.rename(tmp_path / "kitchen@2")
    assert narrate(odd) == narrate(odd.rename(tmp_path / "kitchen.mp4"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent.mp4"], "argument 1, 'absent.mp4', is not a video file; expected VIDEO NARR"),
        (["absent.mp4@3"], "argument 1, 'absent.mp4@3', is not a video file"),
        ([NARRATIONS[0], "A"], "argument 1, 'The camera wearer cuts"),
        (["A", NARRATIONS[0], NARRATIONS[1], "A"], "argument 3, 'The camera wearer opens"),
        (["A", "A", "A"], r"argument 2 is the video '.*a\.mp4', not a text"),
        (["A", "A"], r"argument 2 is the video '.*a\.mp4', not a text"),
        (["A", " ", "A"], "argument 2 is empty, not a text"),
        (["A", "cut", "--prompt", "wash"], "two prompts: 'cut' and --prompt 'wash'"),
        (["A", "--max-new-tokens", "0"], "must be at least 1"),
        (["A@9"], r"a\.mp4: 9\.0 s lies outside the video of 4"),
    ],
)
def test_odd_arguments_are_one_clear_line(narrate, videos, arguments, message):
    given = [part.replace("A", videos[0], 1) if part[0] == "A" else part for part in arguments]
    with pytest.raises(SystemExit, match=message) as error:
        narrate(*given)
    assert str(error.value).startswith("error: ")
    assert "\n" not in str(error.value)


def test_undecodable_videos_are_named_whatever_they_do(narrate, videos, tmp_path):
    text = tmp_path / "text.mp4"
    text.write_text("The camera wearer cuts the onion.")
    with pytest.raises(SystemExit, match=r"error: .*text\.mp4: not an MP4"):
        narrate(videos[0], NARRATIONS[0], text)
    with pytest.raises(SystemExit, match=r"error: .*audio\.mp4: no video stream"):
        narrate(write_audio(tmp_path / "audio.mp4"))
    whole = write_video(tmp_path / "whole.mp4", 40)
    with pytest.raises(SystemExit, match=r"error: .*half\.mp4: "):
        narrate(cut_off(tmp_path / "half.mp4", whole))
    fragmented = write_video(
        tmp_path / "fragmented.mp4", 60, muxer={"movflags": "frag_keyframe+empty_moov"}
    )
    crashing = crash_decoder(tmp_path / "crash.mp4", fragmented)
    with pytest.raises(SystemExit, match=r"error: .*crash\.mp4: damaged"):
        narrate(videos[0], NARRATIONS[0], crashing)


def test_the_command_works_in_a_serving_installation(models, videos):
    """`eilev[serve]` has no torch, and not what the other commands need."""
    code = """
import sys
for name in ("torch", "transformers", "huggingface_hub", "lemminflect", "matplotlib", "jinja2"):
    sys.modules[name] = None
from eilev.cli import main
if __name__ == "__main__":
    main(sys.argv[1:])
"""
    command = [sys.executable, "-c", code]
    arguments = ["narrate", "--model", str(models["bundle"]), videos[0], NARRATIONS[0], videos[1]]
    narration = subprocess.run([*command, *arguments], capture_output=True, text=True)
    assert narration.returncode == 0, narration.stderr
    narrator = Narrator.from_pretrained(models["bundle"])
    expected = narrator.narrate([(videos[0], NARRATIONS[0]), (videos[1], PROMPT)])
    assert narration.stdout.strip() == expected
    overview = subprocess.run([*command, "--help"], capture_output=True, text=True)
    assert overview.returncode == 0, overview.stderr
    assert all(name in overview.stdout for name in ("describe", "narrate", "show"))
