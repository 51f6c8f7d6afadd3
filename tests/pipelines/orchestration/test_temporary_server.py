"""A temporary server that ends is refused at once with its last words; one that is slow is waited for."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from pipelines.orchestration.temporary_server import REMEDY, TemporaryServer
from tests.pipelines.conftest import LICENSE, ROOT, write_config

LIVING = """
import sys, time
from http.server import BaseHTTPRequestHandler, HTTPServer

class Health(BaseHTTPRequestHandler):
    asked = 0

    def do_GET(self):
        Health.asked += 1
        self.send_response(200 if Health.asked > 2 else 503)
        self.end_headers()

    def log_message(self, *_): ...

sys.stderr.write("slow today\\n")
time.sleep(1)
HTTPServer(("127.0.0.1", int(sys.argv[1])), Health).serve_forever()
"""
TRACEBACK = """
import sys
try:
    {}["a"]
except KeyError as error:
    try:
        raise OSError("no table\\nDetails: many") from error
    except OSError:
        import traceback
        traceback.print_exc()
sys.stderr.write("\\nApplication startup failed. Exiting.\\n")
sys.exit(3)
"""
TAKEN = 'import sys; sys.stderr.write("[Errno 98] (127.0.0.1, 8123): address already in use"); sys.exit(3)'


class Scripted(TemporaryServer):
    """Starts these Python programs, one after the other, in place of Prefect's."""

    def __init__(self, *programs: str) -> None:
        super().__init__()
        self.programs = list(programs)

    def __new__(cls, *_: str) -> "Scripted":
        return super().__new__(cls)

    def command(self) -> list[str]:
        return [sys.executable, "-c", self.programs.pop(0), str(self.port)]


@pytest.fixture(autouse=True)
def no_server_yet(monkeypatch):
    monkeypatch.setattr(TemporaryServer, "_instances", {})


@pytest.mark.parametrize(
    ("program", "said"),
    [
        pytest.param("raise SystemExit('no room')", "(exit status 1); its last words: no room", id="exit"),
        pytest.param("import os; os.kill(os.getpid(), 9)", "(SIGKILL); it said nothing", id="killed"),
        pytest.param(TRACEBACK, "(exit status 3); its last words: OSError: no table", id="traceback"),
        pytest.param("print('hello')", "(exit status 0); it said nothing", id="nothing to do"),
    ],
)
def test_a_server_that_ends_is_refused_with_its_last_words(program, said):
    server = Scripted(program)  # A second start would find no program.
    with pytest.raises(RuntimeError) as caught:
        server.start()
    assert str(caught.value) == f"the run's own Prefect server ended {said}; {REMEDY}"
    assert not server.running and not TemporaryServer._instances  # The next start begins anew.


def test_a_slow_server_is_waited_for_and_what_it_writes_is_shown(capfd):
    server = Scripted(TAKEN, LIVING)  # Another run was faster at the first port.
    try:
        server.start(timeout=120)
        assert server.running and server.answers() and not server.programs
        assert TemporaryServer() is server  # So do Prefect's clients find it.
    finally:
        server.stop()
    assert capfd.readouterr().err.count("slow today\n") == 1


def test_a_server_that_never_answers_is_ended_when_the_time_is_up():
    server = Scripted("import time; time.sleep(600)")
    before = {child.pid for child in psutil.Process().children()}
    with pytest.raises(RuntimeError, match="did not answer within 1 s; it said nothing"):
        server.start(timeout=1)
    assert {child.pid for child in psutil.Process().children()} <= before


def test_a_run_whose_server_cannot_start_ends_with_one_line(tmp_path: Path):
    """An older build left its metadata in the working folder, where `python -m uvicorn` finds it first."""
    left = tmp_path / "reasoner_zero.egg-info" / "PKG-INFO"
    left.parent.mkdir()
    left.write_text("Metadata-Version: 2.1\nName: reasoner-zero\nVersion: 0.1.0\n")
    code = "import sys; from pipelines.cli.main import main; sys.exit(main())"
    command = ["run", "--config", str(write_config(tmp_path, LICENSE)), "--runs", str(tmp_path / "runs")]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, *command],
        env=environment | {"PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    said = [line for line in done.stderr.splitlines() if "INFO" not in line]
    plugin = "sqlalchemy.exc.NoSuchModuleError: Can't load plugin: sqlalchemy.plugins:immediate"
    assert said == [
        "reasoner-zero: the run's own Prefect server ended (exit status 3); "
        f"its last words: {plugin}; {REMEDY}"
    ]
    assert done.returncode == 1
