"""State hooks of the flows: advice on the server's page of a run that failed, crashed or was canceled."""

from typing import Any

from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactCreate
from prefect.client.schemas.objects import FlowRun, State
from prefect.settings import PREFECT_API_URL

from pipelines.cards.card import fenced

ADVICE = """\
# {state}

{message}

Finished stages are kept, and training resumes from its last checkpoint. Continue this run with

    prefect flow-run retry {run}

The stages' logs are in `{runs}/<name>/logs`.
"""


def say_how_to_continue(flow: Flow[..., Any], flow_run: FlowRun, state: State) -> None:
    """Add the artifact `how-to-continue` to a run that failed, crashed or was canceled.

    Not on a temporary server, which ends with the run.
    """
    if not PREFECT_API_URL.value():
        return
    text = ADVICE.format(
        state=state.name,
        message=fenced(state.message or ""),  # An error may quote data or a response.
        run=flow_run.id,
        runs=flow_run.parameters.get("runs", "runs"),
    )
    page = ArtifactCreate(
        key="how-to-continue", type="markdown", description=state.name, data=text, flow_run_id=flow_run.id
    )
    get_client(sync_client=True).create_artifact(page)
