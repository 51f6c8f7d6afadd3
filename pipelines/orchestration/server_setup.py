"""Setup of a Prefect server before a worker starts: work pool, GPU slots, and recovery of lost runs.

asyncio.run(prepare("http://127.0.0.1:4200/api", n_gpus=1))
"""

from contextlib import suppress
from pathlib import Path
from uuid import UUID

import pipelines.orchestration.environment  # noqa: F401  (Prefect reads its settings as it is imported)

# isort: split
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import DeploymentUpdate, GlobalConcurrencyLimitCreate, WorkPoolCreate
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateType
from prefect.client.schemas.objects import State, StateType
from prefect.exceptions import ObjectNotFound
from prefect.states import Crashed

from pipelines.orchestration.settings import GPU_LIMIT, POOL
from rewards.contracts.files import read_json

TEMPLATE = Path(__file__).parents[1] / "work_pools" / "process.json"
UNFINISHED = [StateType.RUNNING, StateType.PENDING, StateType.CANCELLING]


async def prepare(api: str, n_gpus: int, auth: str | None = None) -> list[UUID]:
    """Create or update the work pool and the GPU limit; returns runs lost with an earlier worker."""
    async with PrefectClient(api, auth_string=auth) as client:
        pool = WorkPoolCreate(name=POOL, type="process", base_job_template=read_json(TEMPLATE))
        await client.create_work_pool(pool, overwrite=True)
        with suppress(ObjectNotFound):
            # Frees slots that a killed run still occupies.
            await client.delete_global_concurrency_limit_by_name(GPU_LIMIT)
        await client.create_global_concurrency_limit(
            GlobalConcurrencyLimitCreate(name=GPU_LIMIT, limit=n_gpus, slot_decay_per_second=0)
        )
        return await close_lost_runs(client)


async def set_runs(api: str, runs: Path, auth: str | None = None) -> None:
    """Make every deployment write to `runs`, also those that name a run in it."""
    async with PrefectClient(api, auth_string=auth) as client:
        for deployment in await client.read_deployments():
            parameters = dict(deployment.parameters)
            known = (deployment.parameter_openapi_schema or {}).get("properties", {})
            if "runs" in known:
                parameters["runs"] = str(runs)
            if str(parameters.get("run", "")).startswith("runs/"):
                parameters["run"] = str(runs / parameters["run"].removeprefix("runs/"))
            if parameters != deployment.parameters:
                await client.update_deployment(deployment.id, DeploymentUpdate(parameters=parameters))


async def last_heartbeat(api: str, auth: str | None = None) -> float:
    """When the server last heard of a worker of our pool, in seconds since 1970; 0 if never."""
    async with PrefectClient(api, auth_string=auth) as client:
        workers = await client.read_workers_for_work_pool(POOL)
    beats = [worker.last_heartbeat_time for worker in workers if worker.last_heartbeat_time]
    return max((beat.timestamp() for beat in beats), default=0.0)


async def close_lost_runs(client: PrefectClient) -> list[UUID]:
    """Mark deployment runs as crashed that seem to run although no worker is up, so they can be retried."""
    states = FlowRunFilterState(type=FlowRunFilterStateType(any_=UNFINISHED))
    lost = []
    for run in await client.read_flow_runs(flow_run_filter=FlowRunFilter(state=states)):
        if run.deployment_id is not None:
            state: State = Crashed(
                message="The worker or the server ended while it ran; retry it to continue."
            )
            await client.set_flow_run_state(run.id, state, force=True)
            lost.append(run.id)
    return lost
