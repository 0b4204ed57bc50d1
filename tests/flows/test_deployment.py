import subprocess
import sys

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate

from tests.flows.test_pipeline import ROOT, child_environment


@pytest.mark.usefixtures("_server")
def test_prefect_yaml_deploys() -> None:
    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name="eilev", type="process"))
        subprocess.run(
            [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"],
            cwd=ROOT,
            env=child_environment(),
            check=True,
        )
        deployment = client.read_deployment_by_name("pipeline/weekly")
        ablations = client.read_deployment_by_name("pipeline/ablations")
    assert ablations.parameters == {"targets": ["experiments/ablations/dvc.yaml"]}
    assert [schedule.active for schedule in deployment.schedules] == [False]
    step = "prefect.deployments.steps.set_working_directory"
    assert deployment.pull_steps == [{step: {"directory": str(ROOT)}}]
    assert deployment.global_concurrency_limit is not None
    assert deployment.global_concurrency_limit.limit == 1
