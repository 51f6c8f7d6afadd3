"""The server: only with its token, only under its name, no paths of the machine; drawn by a real browser."""

import threading

import pytest
from starlette.testclient import TestClient

from evals.viewer.server import make_app, make_server


@pytest.fixture
def client(responses) -> TestClient:
    return TestClient(make_app(responses, "run <b>1</b>", "secret"), base_url="http://127.0.0.1:8000")


@pytest.mark.parametrize(
    "path", ["/", "/view/", "/view/api/index?set=final", "/secret", "/secre/view/", "/é/view/"]
)
def test_without_the_token_nothing_is_answered(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 401 and "token" in answer.text and "final" not in answer.text


def test_another_name_for_this_machine_is_refused(client: TestClient) -> None:
    assert client.get("/secret/view/", headers={"host": "attacker.example"}).status_code == 400


def test_the_page_is_closed_to_everything_but_its_script(client: TestClient) -> None:
    answer = client.get("/secret/view/")
    assert answer.status_code == 200
    assert "default-src &#39;none&#39;" in answer.text and "connect-src &#39;self&#39;" in answer.text
    assert (
        answer.headers["referrer-policy"] == "no-referrer" and answer.headers["cache-control"] == "no-store"
    )
    assert "run &lt;b&gt;1&lt;/b&gt;" in answer.text and "<b>1" not in answer.text


def test_answers_are_json_and_name_no_path(client: TestClient, tmp_path) -> None:
    index = client.get("/secret/view/api/index", params={"set": "final"})
    assert index.json()["n"] == 32
    assert client.get("/secret/view/api/index", params={"set": "training", "step": 1}).json()["n"] == 32
    text = client.get("/secret/view/api/text", params={"set": "final", "row": 12})
    assert text.headers["content-type"] == "application/json" and "onerror" in text.text
    found = client.get("/secret/view/api/search", params={"set": "final", "query": "q5"})
    assert found.json() == [20, 21, 22, 23]
    answers = [index, text, found, client.get("/secret/view/")]
    for query in ("set=no", "set=training", "set=training&step=9", "set=../x", "row=1", "set=final&step=x"):
        answers.append(client.get(f"/secret/view/api/index?{query}"))
        assert answers[-1].status_code == 404
    answers.append(client.get("/secret/report.html"))
    assert answers[-1].status_code == 404
    assert not any(str(tmp_path.parent.parent) in answer.text for answer in answers)


@pytest.mark.slow
def test_a_browser_filters_and_draws_a_response(responses, dump_dom) -> None:
    """The real server and a real browser, with the page's own policy; what a model wrote is text."""
    server, listening, address = make_server(responses, "toy")
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        listed = dump_dom(f"{address}view/#verdict=right&reflection=yes")
        shown = dump_dom(f"{address}view/#set=final&of=toy&question=q3&sample=1")
        steps = dump_dom(f"{address}view/#set=training&step=1&search=q5")
    finally:
        server.should_exit = True
        thread.join()
        listening.close()
    assert "1–2 of 2 responses · 100.0% correct" in listed and listed.count('class="right"') == 2
    assert "<msup><mi>x</mi><mn>2</mn></msup>" in shown and "✓ correct" in shown
    assert "&lt;img src=x onerror=" in shown and "<img" not in shown and "<title>toy" in shown
    assert "1–4 of 4 responses" in steps
