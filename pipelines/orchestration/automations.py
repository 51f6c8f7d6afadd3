"""Automations of a Prefect server; `reasoner-zero up` creates them.

    python -m pipelines.orchestration.automations                            train-on-new-corpus, disabled
    python -m pipelines.orchestration.automations --notify slack-webhook/alerts   and notify-failed-training

train-on-new-corpus starts train/on-demand with the same configuration when the flow `curate` has finished;
if nothing is new, the existing training artifact is reused. notify-failed-training sends a message through a
notification block when a run of a deployment tagged `training` fails or crashes.
"""

import argparse
import asyncio
import sys
from typing import Any

import pipelines.orchestration.environment  # noqa: F401  (Prefect reads its settings as it is imported)

# isort: split
from prefect.client.orchestration import PrefectClient
from prefect.events.actions import RunDeployment, SendNotification
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL

CURATED = "reasoner-zero.corpus.curated"
"""Event after the corpus is refreshed; its payload has config, overrides, runs and the artifact's fingerprint
and content."""
TRAINING = "train/on-demand"


async def make_automations(api: str, notify: str = "", auth: str | None = None) -> list[str]:
    """Create or replace the automations on the server at `api`; returns their names.

    `auth` is the key of the server's API. ValueError when a block or deployment is missing.
    """
    async with PrefectClient(api, auth_string=auth) as client:
        made = [await _train_on_new_corpus(client)]
        if notify:
            made.append(await _notify_failed_training(client, notify))
        for automation in made:
            for old in await client.read_automations_by_name(automation.name):
                await client.delete_automation(old.id)
            await client.create_automation(automation)
    return [automation.name for automation in made]


async def _train_on_new_corpus(client: PrefectClient) -> AutomationCore:
    try:
        deployment = await client.read_deployment_by_name(TRAINING)
    except ObjectNotFound:
        raise ValueError(f"no deployment {TRAINING}: first run prefect --no-prompt deploy --all") from None
    # Train with the configuration that was curated.
    parameters: dict[str, Any] = {
        name: {"__prefect_kind": "jinja", "template": f"{{{{ event.payload.{name} }}}}"}
        for name in ("config", "runs")
    }
    overrides = {"__prefect_kind": "jinja", "template": "{{ event.payload.overrides | tojson }}"}
    parameters["overrides"] = {"__prefect_kind": "json", "value": overrides}
    return AutomationCore(
        name="train-on-new-corpus",
        description=f"A refreshed corpus starts {TRAINING} with the same configuration.",
        enabled=False,
        trigger=EventTrigger(expect={CURATED}, posture=Posture.Reactive, threshold=1),
        actions=[RunDeployment(deployment_id=deployment.id, parameters=parameters)],
    )


async def _notify_failed_training(client: PrefectClient, notify: str) -> AutomationCore:
    kind, _, name = notify.partition("/")
    try:
        block = await client.read_block_document_by_name(name, kind)
    except ObjectNotFound:
        raise ValueError(
            f"no notification block {notify}: create one on the server's Blocks page and give it as "
            "TYPE/NAME, such as slack-webhook/alerts"
        ) from None
    return AutomationCore(
        name="notify-failed-training",
        description="Send a message when a training run fails or crashes.",
        trigger=EventTrigger(
            expect={"prefect.flow-run.Failed", "prefect.flow-run.Crashed"},
            match_related={"prefect.resource.role": "tag", "prefect.resource.id": "prefect.tag.training"},
            posture=Posture.Reactive,
            threshold=1,
        ),
        actions=[
            SendNotification(
                block_document_id=block.id,
                subject="Training {{ flow_run.name }}: {{ flow_run.state.name }}",
                body="{{ flow_run.state.message }}\n{{ flow_run|ui_url }}",
            )
        ],
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    text = "Prefect block that is messaged when a training run fails, such as slack-webhook/alerts"
    parser.add_argument("--notify", default="", metavar="TYPE/NAME", help=text)
    arguments = parser.parse_args()
    api = PREFECT_API_URL.value()
    if not api:
        sys.exit("no server: set PREFECT_API_URL, such as http://127.0.0.1:4200/api")
    try:
        asyncio.run(make_automations(api, arguments.notify, PREFECT_API_AUTH_STRING.value()))
    except ValueError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
