"""A Prefect server, a worker and the deployments of a copy of this tree (benchmarks.flow_kills)."""

import time
from uuid import UUID

import psutil
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import State, StateType

from benchmarks.running import free_port
from benchmarks.small import Project, alive
from flows.alerts import BEGIN

DEPLOYMENT = "pipeline/pipeline"
# Until a run's end is heard of: the stages, three heartbeats, or what never begins (flows.alerts).
END_S = BEGIN.total_seconds() + 300.0
# By which Prefect tells a run's processes.
RUN = "PREFECT__FLOW_RUN_ID"


class Prefect:
    """Server, worker and deployments of a project, through `flows.local`."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.ports = [str(free_port()), str(free_port())]
        self.client = SyncPrefectClient(f"http://127.0.0.1:{self.ports[0]}/api")

    def up(self) -> None:
        """Start all of it, and register the deployments."""
        code, output = self.project.run("flows.local", "up", *self.ports)
        if code:
            raise RuntimeError(output)

    def down(self) -> None:
        """Stop all of it."""
        self.project.run("flows.local", "down")

    def worker(self) -> psutil.Process:
        """The worker's process.

        Raises:
            psutil.NoSuchProcess: it has ended.
        """
        pid = (self.project.folder / ".prefect" / "worker.pid").read_text().split()[0]
        process = psutil.Process(int(pid))
        if process.status() == psutil.STATUS_ZOMBIE:
            raise psutil.NoSuchProcess(process.pid)
        return process

    def mend(self) -> None:
        """What a hand or a service manager does: start a worker where there is none."""
        try:
            self.worker()
        except psutil.NoSuchProcess:
            self.up()

    def start(self) -> UUID:
        """Start a run of the deployment."""
        deployment = self.client.read_deployment_by_name(DEPLOYMENT).id
        stages = {"targets": list(self.project.stages)}
        return self.client.create_flow_run_from_deployment(deployment, parameters=stages).id

    def cancel(self, run: UUID) -> None:
        """Cancel it, as a click does."""
        self.client.set_flow_run_state(run, State(type=StateType.CANCELLING))

    def final(self, run: UUID) -> State | None:
        """Its state, if it has ended."""
        state = self.client.read_flow_run(run).state
        return state if state and state.is_final() else None

    def end(self, run: UUID) -> State | None:
        """The state in which it ends, if it does."""
        deadline = time.monotonic() + END_S
        while (state := self.final(run)) is None and time.monotonic() < deadline:
            time.sleep(0.5)
        return state


def processes(run: UUID) -> list[psutil.Process]:
    """The processes of a run, the flow's first."""
    return alive(RUN, str(run))
