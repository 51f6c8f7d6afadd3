import asyncio
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from rewards.algebra.worker_pool import WorkerPool, cpu_time
from rewards.answer.types import Expression, Scalar
from rewards.arithmetic import balls
from rewards.grader import grade
from rewards.parsing.parser import parse_answer


def expression(text: str) -> Expression:
    answer = parse_answer(text)
    assert isinstance(answer, Scalar)
    return answer.value


HARD = expression(r"(x+1)^{200000}(x+y)^{9999}"), expression(r"(x-1)^{9999}\sin(x+y)^{999}")
EASY = expression(r"\sin^2x+\cos^2x"), expression("1")


@pytest.fixture(scope="module")
def pool():
    pool = WorkerPool(1)
    yield pool
    pool.close()


def test_algebra_decides(pool: WorkerPool) -> None:
    assert pool.ask(*EASY) == "same"
    assert pool.ask(EASY[0], expression("2")) == "different"


def test_a_long_computation_is_ended_and_the_next_one_answered(pool: WorkerPool) -> None:
    started = time.monotonic()
    assert pool.ask(*HARD) == "timeout"
    assert time.monotonic() - started < 15
    assert pool.ask(*EASY) == "same"


def test_threads_share_the_worker(pool: WorkerPool) -> None:
    answers: list[str] = []
    threads = [threading.Thread(target=lambda: answers.append(pool.ask(*EASY))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["same"] * 4


def test_no_worker_outlives_a_killed_parent() -> None:
    code = """
import os
from rewards.parsing.parser import parse_answer
from rewards.algebra.worker_pool import WorkerPool, cpu_time

pool = WorkerPool(1)
pool.ask(parse_answer("x").value, parse_answer("2x").value)
os.write(1, str(pool._idle[0].process.pid).encode())
os.kill(os.getpid(), 9)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    worker = int(done.stdout)
    for _ in range(100):
        if not is_running(worker):
            return
        time.sleep(0.1)
    pytest.fail(f"worker {worker} still runs")


def is_running(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_forked_process_does_not_use_its_parents_workers(pool: WorkerPool) -> None:
    assert pool.is_ours
    child = os.fork()
    if child == 0:
        os._exit(1 if pool.is_ours else 0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_forked_process_leaves_its_parents_workers_alone_at_exit(pool: WorkerPool) -> None:
    assert pool.ask(*EASY) == "same"
    worker = pool._idle[0].process
    child = os.fork()
    if child == 0:
        pool.close()
        os._exit(0)
    os.waitpid(child, 0)
    assert worker.poll() is None
    assert pool.ask(*EASY) == "same"


def test_cpu_time_counts_the_worker(pool: WorkerPool) -> None:
    assert pool.ask(*EASY) == "same"
    before = cpu_time()
    assert pool.ask(*HARD) == "timeout"
    assert 0.8 < cpu_time() - before < 2.0


def test_coroutines_and_spawned_processes_agree(pool: WorkerPool) -> None:
    pairs = [(r"\boxed{\sqrt{12}}", r"2\sqrt3"), (r"\boxed{0.3}", "1/3"), (r"\boxed{(x+1)^2}", "x^2+2x+1")]

    async def from_coroutines() -> list[bool]:
        return await asyncio.gather(*(asyncio.to_thread(grade, *pair) for pair in pairs))

    with multiprocessing.get_context("spawn").Pool(2) as processes:
        spawned = processes.starmap(grade, pairs)
    assert asyncio.run(from_coroutines()) == spawned == [True, False, True]


def test_no_worker_outlives_a_normal_exit() -> None:
    code = """
import os
from rewards.parsing.parser import parse_answer
from rewards.algebra.worker_pool import shared_pool

shared_pool().ask(parse_answer("x").value, parse_answer("2x").value)
os.write(1, str(shared_pool()._idle[0].process.pid).encode())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not is_running(int(done.stdout))


def test_a_process_forked_during_an_evaluation_can_grade() -> None:
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with balls._precision_lock:
            held.set()
            done.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(5)
    child = os.fork()
    if child == 0:
        signal.alarm(10)
        os._exit(0 if grade(r"\boxed{\sqrt{1234567}+1}", r"1+1234567^{1/2}") else 1)
    status = os.waitpid(child, 0)[1]
    done.set()
    thread.join()
    assert os.waitstatus_to_exitcode(status) == 0
