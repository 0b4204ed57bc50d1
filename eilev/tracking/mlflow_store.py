"""Runs in an MLflow store (the only user of MLflow)."""

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from eilev.io import DataError
from eilev.tracking.record import Record

# Tags: by the first a run that is there already is found.
LOCK_TAG, COMMIT_TAG = "dvc.lock", "mlflow.source.git.commit"
# What MLflow takes at once.
_PARAMS, _METRICS = 100, 1000


def store(record: Record, uri: str, experiment: str, name: str) -> tuple[str, bool]:
    """Put a run into a store; one that is there, finished, is left as it is.

    Args:
        record: the run.
        uri: of MLflow's store: `sqlite:///FILE`, or a server's address.
        experiment: MLflow's, made where it is missing.
        name: of the run.

    Returns:
        The run's id in MLflow, and whether it is new.

    Raises:
        DataError: MLflow is not installed, or refuses; the message names the store.
    """
    # No tool phones home.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    try:
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
    except ImportError as error:
        raise DataError("needs MLflow: pip install --editable '.[mlflow]'") from error
    try:
        return _store(MlflowClient(uri), record, experiment, name)
    except MlflowException as error:
        raise DataError(f"{uri}: {str(error).splitlines()[0]}") from error


def _store(client: Any, record: Record, experiment: str, name: str) -> tuple[str, bool]:
    found = client.get_experiment_by_name(experiment)
    place = client.create_experiment(experiment) if found is None else found.experiment_id
    same = f"tags.`{LOCK_TAG}` = '{record.digest}' and attributes.status = 'FINISHED'"
    for run in client.search_runs([place], same, max_results=1):
        return run.info.run_id, False
    tags = {LOCK_TAG: record.digest, COMMIT_TAG: record.commit}
    run_id: str = client.create_run(place, run_name=name, tags=tags).info.run_id
    try:
        _fill(client, run_id, record)
    except BaseException:
        client.set_terminated(run_id, "FAILED")
        raise
    client.set_terminated(run_id)
    return run_id, True


def _fill(client: Any, run_id: str, record: Record) -> None:
    from mlflow.entities import Metric, Param

    # DVC keeps no times of the steps.
    now = int(time.time() * 1000)
    for params in _pieces([*record.params.items()], _PARAMS):
        client.log_batch(run_id, params=[Param(key, value) for key, value in params])
    for points in _pieces(record.points, _METRICS):
        metrics = [Metric(point.name, point.value, now, point.step) for point in points]
        client.log_batch(run_id, metrics=metrics)
    with tempfile.TemporaryDirectory() as folder:
        for path, content in record.files.items():
            target = Path(folder, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        client.log_artifacts(run_id, folder)


def _pieces(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
