"""Promises of the subprocess: it answers, reports, fails with a reason, and can be killed at any moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping

import pytest

from synth_worker.errors import BadInput, Cancelled, TrainingFailed
from synth_worker.process import Worker

HERE = "tests.unit.test_process"


def double(payload: Mapping[str, object], report: Callable[[Mapping[str, object]], None]) -> Mapping[str, object]:
    sys.stdout.write("a library that prints must not break the channel\n")
    report({"done": 1, "total": 2})
    return {"value": 2 * int(str(payload["value"]))}


def refuse(_payload: Mapping[str, object], _report: object) -> Mapping[str, object]:
    raise BadInput("no such thing", hint="take another")


def sleep(_payload: Mapping[str, object], _report: object) -> Mapping[str, object]:
    time.sleep(60)
    return {}


def die(_payload: Mapping[str, object], _report: object) -> Mapping[str, object]:
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def test_calls_follow_each_other_and_progress_comes_out() -> None:
    seen: list[Mapping[str, object]] = []
    with Worker() as worker:
        assert worker.call(f"{HERE}:double", {"value": 4}, progress=seen.append) == {"value": 8}
        assert worker.call(f"{HERE}:double", {"value": 5}) == {"value": 10}
    assert seen == [{"done": 1, "total": 2}]


def test_a_refusal_comes_through_and_the_worker_lives_on() -> None:
    with Worker() as worker:
        with pytest.raises(TrainingFailed, match="no such thing"):
            worker.call(f"{HERE}:refuse", {})
        assert worker.call(f"{HERE}:double", {"value": 1}) == {"value": 2}


def test_a_killed_child_is_a_failed_training_and_the_next_call_works() -> None:
    with Worker() as worker:
        with pytest.raises(TrainingFailed, match="memory"):
            worker.call(f"{HERE}:die", {})
        assert worker.call(f"{HERE}:double", {"value": 1}) == {"value": 2}


def test_cancel_kills_the_child() -> None:
    flag = threading.Event()
    threading.Timer(1.0, flag.set).start()
    start = time.monotonic()
    with Worker() as worker, pytest.raises(Cancelled):
        worker.call(f"{HERE}:sleep", {}, cancelled=flag.is_set)
    assert time.monotonic() - start < 20  # the job itself would take a minute


def test_a_deadline_ends_the_call() -> None:
    with Worker() as worker, pytest.raises(TimeoutError):
        worker.call(f"{HERE}:sleep", {}, deadline=time.monotonic() + 0.5)


def test_the_child_ends_when_its_parent_is_killed() -> None:
    code = (
        "import time\nfrom synth_worker.process import Worker\n"
        "w = Worker(); w.call('synth_worker.process:echo', {})\n"
        "print(w._child.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    for _ in range(100):
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    raise AssertionError("the child outlived its parent")
