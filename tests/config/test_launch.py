from pathlib import Path

import pytest

from eilev.config.launch import read_launch
from eilev.config.section import ParamsError

ROOT = Path(__file__).parents[2]


def written(tmp_path, text):
    path = tmp_path / "launch.yaml"
    path.write_text(text)
    return path


def test_the_committed_files_can_be_read():
    eight = read_launch(ROOT / "accelerate_8gpu.yaml")
    assert (eight.num_processes, eight.precision, eight.use_cpu) == (8, "bf16", False)
    assert read_launch(ROOT / "accelerate.yaml").precision == "no"


def test_the_device_is_left_to_accelerate_unless_told(tmp_path):
    path = written(tmp_path, "num_processes: 1\nmixed_precision: 'no'\n")
    assert not read_launch(path).use_cpu


def test_another_number_of_processes_is_refused_with_both_numbers_and_what_to_do(tmp_path):
    launch = read_launch(written(tmp_path, "num_processes: 2\nmixed_precision: 'no'\n"))
    launch.check(2)
    with pytest.raises(
        ParamsError, match=r"launch\.yaml: num_processes is 2, .* runs in 1"
    ) as told:
        launch.check(1)
    for advice in ("eilev.stages.launch", "MULTI_GPU", "num_processes: 1"):
        assert advice in str(told.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "launch.yaml: no such file"),
        ("", "needs 'num_processes'"),
        ("num_processes: 2", "needs 'num_processes' and 'mixed_precision'"),
        ("num_processes: two\nmixed_precision: 'no'", "needs 'num_processes'"),
        ("num_processes: 2\nmixed_precision: fp8", "one of no, bf16, fp16"),
    ],
)
def test_a_bad_file_is_named(tmp_path, text, message):
    path = tmp_path / "launch.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ParamsError, match=message):
        read_launch(path)
