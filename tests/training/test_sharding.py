"""The launch files, as Accelerate reads them, and trainings that it starts by them on the CPU."""

import json
from pathlib import Path

import pytest
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from accelerate.utils.launch import _filter_args, prepare_multi_gpu_env
from safetensors.torch import load_file
from torch.distributed import run as torchrun

from benchmarks.running import free_port
from eilev.config.launch import read_launch
from eilev.config.section import ParamsError
from eilev.model.checkpoint import load_weights
from eilev.training.setup import make_accelerator
from eilev.training.sharding import check_shardable
from tests.kitchen import tiny_train_config
from tests.training.tiny_run import few_steps, run, start_as_launched, write_few_steps

ROOT = Path(__file__).parents[2]
FILES = sorted(ROOT.glob("accelerate*.yaml"))


def launched(file, *options):
    """What `accelerate launch` makes of a file: torchrun's settings, the processes' environment."""
    asked = ["--config_file", str(file), *map(str, options), "script.py"]
    arguments, *_ = _validate_launch_command(launch_command_parser().parse_args(asked))
    environment = prepare_multi_gpu_env(arguments)
    script = ["--training_script", "script.py", "--training_script_args", ""]
    parser = torchrun.get_args_parser()
    return torchrun.config_from_args(_filter_args(arguments, parser, script))[0], environment


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_accelerate_starts_the_processes_that_a_file_says(file):
    ours = read_launch(file)
    torchruns, environment = launched(file)
    assert torchruns.max_nodes * torchruns.nproc_per_node == ours.num_processes
    assert environment["ACCELERATE_MIXED_PRECISION"] == ours.precision
    shares_out = environment.get("ACCELERATE_USE_FSDP") == "true"
    assert shares_out == (file.name == "accelerate_fsdp.yaml")


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The run by one process."""
    kitchen, changes = few_steps()
    return run(tmp_path_factory.mktemp("alone"), kitchen, **changes)


def assert_the_same(folder, alone):
    _, weights, recorder, _ = alone
    record = json.loads((folder / "record.json").read_text())
    assert record["processes"] == 2
    assert [step for step, _ in record["rows"]] == [step for step, _ in recorder.rows]
    for (_, values), (_, expected) in zip(record["rows"], recorder.rows, strict=True):
        assert values == pytest.approx(expected, abs=1e-4)
    for name, value in load_file(folder / "end").items():
        # AdamW makes steps of tiny gradients, too, whose signs are rounding.
        assert float((value - weights[name]).abs().mean()) < 1e-4, name


def test_two_machines_have_the_losses_of_one_process(alone, tmp_path):
    options = ["--num_processes", 2, "--main_process_ip", "127.0.0.1", "--main_process_port"]
    options.append(free_port())
    nodes = [
        launched(ROOT / "accelerate_two_nodes.yaml", *options, "--machine_rank", rank)
        for rank in (0, 1)
    ]
    assert [node.max_nodes for node, _ in nodes] == [2, 2]
    started = [
        start_as_launched(write_few_steps, (tmp_path, False, False), node, environment)
        for node, environment in nodes
    ]
    for process in started:
        process.join()
    assert [process.exitcode for process in started] == [0, 0]
    assert_the_same(tmp_path, alone)


def test_a_model_that_is_shared_out_trains_stops_and_goes_on_as_a_whole_one(alone, tmp_path):
    node, environment = launched(ROOT / "accelerate_fsdp.yaml", "--num_processes", 2)
    environment |= {"ACCELERATE_MIXED_PRECISION": "no"}
    for stops in (True, False):
        arguments = (tmp_path, True, stops)
        process = start_as_launched(write_few_steps, arguments, node, environment)
        process.join()
        assert bool(process.exitcode) == stops
        saved = [path.name for path in (tmp_path / "checkpoints").glob("step-*")]
        assert saved == ["step-00000001"]
    assert_the_same(tmp_path, alone)
    # All of it, frozen parts as well; else this would be an error.
    model = load_weights(tmp_path / "model")
    assert sum(p.numel() for p in model.parameters()) == sum(
        p.numel() for p in alone[3].model.parameters()
    )


def test_what_can_not_be_shared_out_is_refused():
    eyes = ("vision_model",)
    check_shardable([eyes], views=0, draws_words=False)
    for phases, views, draws in (([eyes, eyes], 0, False), ([eyes], 1, False), ([eyes], 0, True)):
        with pytest.raises(ParamsError, match=r"^train\.launch: FSDP shares the model out"):
            check_shardable(phases, views, draws)


def test_deepspeed_is_refused(monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_DEEPSPEED", "true")
    with pytest.raises(ParamsError, match=r"^accelerate\.yaml: DeepSpeed .* use FSDP"):
        make_accelerator(tiny_train_config())
