"""Call a function in a subprocess that can be killed: progress comes out, cancel goes in.

The child is a plain ``python -m synth_worker.process``: unlike multiprocessing it never imports the caller's main
module, so that an unguarded script can call the verbs. It serves one call after another, ends when its parent ends
(even by ``kill -9``: its standard input closes), and is killed when a call is cancelled.
"""

from __future__ import annotations

import importlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO, cast

from synth_worker.errors import Cancelled, GesalpError, TrainingFailed

Payload = Mapping[str, object]
Report = Callable[[Mapping[str, object]], None]
Job = Callable[[Payload, Report], Mapping[str, object]]
"""What runs in the child: takes a JSON-able payload and a progress function, returns a JSON-able answer."""

POLL_SECONDS = 0.1

FAILURES = (ValueError, ArithmeticError, LookupError, TypeError, MemoryError, OSError)
"""What a fit may raise on a table that it cannot learn: a failed training with a reason, not the end of the run."""


def never() -> bool:
    """Never cancel."""
    return False


def silent(_progress: Mapping[str, object]) -> None:
    """Drop progress."""


@dataclass(frozen=True)
class _Line:
    text: str | None


class Worker:
    """Run jobs, one at a time, in a child process that starts with the first call (or ``warm``).

    >>> with Worker() as worker:
    ...     worker.call("synth_worker.process:echo", {"text": "hello"})
    {'text': 'hello'}
    """

    def __init__(self) -> None:
        self._child: subprocess.Popen[str] | None = None
        self._lines: queue.Queue[_Line] = queue.Queue()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def warm(self) -> None:
        """Start the child now, so that its imports run while the caller does something else."""
        if self._child is not None and self._child.poll() is None:
            return
        environment = dict(os.environ)
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            environment[name] = "1"  # sums depend on how many threads share them; jobs use pools of their own
        # -c and not -m: under -m the module would exist twice, once as __main__.
        self._child = subprocess.Popen(
            [sys.executable, "-c", "from synth_worker.process import main; main()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=environment,
            start_new_session=True,  # Ctrl-C goes to the parent alone, which then decides
        )
        self._lines = queue.Queue()
        assert self._child.stdout is not None  # noqa: S101 - PIPE was asked for
        threading.Thread(target=_pump, args=(self._child.stdout, self._lines), daemon=True).start()

    def call(
        self,
        job: str,
        payload: Payload,
        *,
        progress: Report = silent,
        cancelled: Callable[[], bool] = never,
        deadline: float | None = None,
    ) -> Mapping[str, object]:
        """Run ``module:function`` on a payload and return its answer.

        ``deadline`` is a ``time.monotonic()`` instant. Raises Cancelled when ``cancelled`` says so (the child is
        killed within a second), TimeoutError at the deadline, TrainingFailed when the job fails or its process dies.
        """
        self.warm()
        child = self._child
        assert child is not None and child.stdin is not None  # noqa: S101 - warm() has just made it
        try:
            child.stdin.write(json.dumps({"job": job, "payload": payload}) + "\n")
            child.stdin.flush()
        except (BrokenPipeError, OSError) as error:
            raise TrainingFailed(self._epitaph(child)) from error
        try:
            while True:
                if cancelled():
                    raise Cancelled("cancelled; finished attempts are kept")
                if deadline is not None and time.monotonic() > deadline:
                    raise TimeoutError("the time budget ran out during the fit")
                try:
                    line = self._lines.get(timeout=POLL_SECONDS).text
                except queue.Empty:
                    continue
                if line is None:
                    raise TrainingFailed(self._epitaph(child))
                message = cast("dict[str, object]", json.loads(line))
                if "progress" in message:
                    progress(cast("dict[str, object]", message["progress"]))
                elif "failed" in message:
                    raise TrainingFailed(str(message["failed"]))
                else:
                    return cast("dict[str, object]", message["answer"])
        except (Cancelled, TimeoutError, KeyboardInterrupt):
            self.close()
            raise

    def close(self) -> None:
        """Kill the child, if there is one."""
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        child.wait()
        for stream in (child.stdin, child.stdout):
            if stream is not None:
                stream.close()

    def _epitaph(self, child: subprocess.Popen[str]) -> str:
        code = child.wait()
        self._child = None
        if code == -signal.SIGKILL:
            return "the training process was killed (signal 9), most often because memory ran out"
        return f"the training process ended with code {code} and no answer"


def echo(payload: Payload, _report: Report) -> Mapping[str, object]:
    """Answer with the payload; used to try the channel."""
    return payload


def main() -> None:
    """Serve jobs from standard input until it closes."""
    # Whatever a library prints must not end up in the channel: keep the channel, point stdout at stderr.
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    jobs: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_watch_stdin, args=(jobs,), daemon=True).start()
    while True:
        request = cast("dict[str, object]", json.loads(jobs.get()))
        module, name = str(request["job"]).split(":")
        job = cast("Job", getattr(importlib.import_module(module), name))
        payload = cast("Payload", request["payload"])
        try:
            _send(channel, {"answer": job(payload, lambda progress: _send(channel, {"progress": progress}))})
        except GesalpError as error:
            _send(channel, {"failed": str(error)})
        except FAILURES as error:
            _send(channel, {"failed": f"{type(error).__name__}: {error}"})


def _send(channel: IO[str], message: Mapping[str, object]) -> None:
    channel.write(json.dumps(message) + "\n")
    channel.flush()


def _pump(stream: IO[str], lines: queue.Queue[_Line]) -> None:
    try:
        for line in stream:
            lines.put(_Line(line))
    except ValueError:
        pass  # closed by close() while we were reading
    lines.put(_Line(None))


def _watch_stdin(jobs: queue.Queue[str]) -> None:
    for line in sys.stdin:
        jobs.put(line)
    os._exit(0)
