"""State hooks of the flows: what a run that ended badly says on its page of the server."""

from typing import Any

from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactCreate
from prefect.client.schemas.objects import FlowRun, State
from prefect.settings import PREFECT_API_URL

ADVICE = """\
# {state}

{message}

Finished stages are kept, and training goes on from its last checkpoint. Continue this run with

    prefect flow-run retry {run}

The stages' logs lie in `{runs}/<name>/logs`.
"""


def say_how_to_continue(flow: Flow[..., Any], flow_run: FlowRun, state: State) -> None:
    """Leave the artifact `how-to-continue` on a run that failed, crashed or was cancelled.

    On a server of its own, which ends with the run, nobody would read it.
    """
    if not PREFECT_API_URL.value():
        return
    text = ADVICE.format(
        state=state.name,
        message=state.message or "",
        run=flow_run.id,
        runs=flow_run.parameters.get("runs", "runs"),
    )
    page = ArtifactCreate(
        key="how-to-continue", type="markdown", description=state.name, data=text, flow_run_id=flow_run.id
    )
    get_client(sync_client=True).create_artifact(page)
