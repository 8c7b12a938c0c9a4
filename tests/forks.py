"""Commands that start at once: forks of a process which has imported what a command imports, 4 s of a processor.

Each is a process of its own, with its own signals, files and exit code. All hash strings by the same seed, and what was
imported saw the environment of the tests. Where that matters, a test starts Python ``anew``, as is done on any other
system than Linux.
"""

import atexit
import contextlib
import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
from importlib import import_module

import numba

#: What a run imports, torch._dynamo at its first optimiser; no module that asks at once what plugins there are.
IMPORTED = (
    "torch._dynamo",
    "huse_bench.cli.run",
    "huse_bench.report",
    "huse_bench.runs.unit",
    "huse_bench_losses.huse",
)


class Command:
    """A command that was started, to be used as a ``subprocess.Popen`` of it, with its output as text."""

    def __init__(self, pid, stdout, stderr, ended):
        self.pid = pid
        self.stdout, self.stderr = (open(file, encoding="utf-8") for file in (stdout, stderr))  # noqa: PTH123, SIM115 - no path, and kept
        self.returncode = None
        self._ended = ended
        self._texts = {}

    def poll(self):
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout=None):
        if self.returncode is None:
            if not select.select([self._ended], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
            self.returncode = int(os.read(self._ended, 16))
            os.close(self._ended)
        return self.returncode

    def communicate(self, timeout=None):
        """What it wrote and nobody read yet, once it has ended; the same for whoever asks again."""
        if not self._texts:
            files = {"out": self.stdout, "err": self.stderr}
            readers = [threading.Thread(target=self._read, args=each, daemon=True) for each in files.items()]
            for reader in readers:
                reader.start()
            self.wait(timeout)
            for reader in readers:
                reader.join(timeout)
        return self._texts["out"], self._texts["err"]

    def _read(self, name, file):
        with file:
            self._texts[name] = file.read()

    def send_signal(self, signum):
        # The number of a process that has ended may be another's.
        if self.poll() is None:
            os.kill(self.pid, signum)

    def kill(self):
        self.send_signal(signal.SIGKILL)

    def terminate(self):
        self.send_signal(signal.SIGTERM)


class Forks:
    """Starts commands, as long as its context lasts."""

    def __init__(self):
        self._process = self._socket = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._process is not None:
            self._socket.close()
            # Its own end would take seconds.
            self._process.kill()
            self._process.wait()

    def start(self, *arguments, anew=False):
        """``python -m huse_bench`` with arguments, in this process's folder and environment; ``anew`` is no fork."""
        if anew or sys.platform != "linux":
            command = [sys.executable, "-m", "huse_bench", *map(str, arguments)]
            return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if self._process is None:
            self._socket, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self._process = subprocess.Popen([sys.executable, __file__, str(other.fileno())], pass_fds=[other.fileno()])
            other.close()
        pipes = [os.pipe() for _ in range(3)]
        asked = {"arguments": [str(each) for each in arguments], "folder": os.getcwd(), "environment": dict(os.environ)}  # noqa: PTH109
        socket.send_fds(self._socket, [json.dumps(asked).encode()], [writing for _, writing in pipes])
        for _, writing in pipes:
            os.close(writing)
        return Command(int(self._socket.recv(16)), *(reading for reading, _ in pipes))

    def run(self, *arguments):
        """The same, once it has ended."""
        command = self.start(*arguments)
        out, err = command.communicate()
        return subprocess.CompletedProcess(arguments, command.returncode, out, err)


def become(asked, out, err):
    """Be what ``python -m huse_bench`` starts in a folder and an environment, and write to files."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.close(out)
    os.close(err)
    # Those of before may be files, which are another kind.
    sys.stdout = sys.__stdout__ = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - open until the end
    sys.stderr = sys.__stderr__ = open(2, "w", 1, "utf-8", "backslashreplace", closefd=False)  # noqa: SIM115
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    before = asked["environment"].get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:] = [asked["folder"], *filter(None, before), *sys.path[1:]]
    sys.argv = ["huse_bench", *asked["arguments"]]


def serve(asking):
    """Fork for whoever asks; returns True in each fork, and False once nobody can ask any more."""
    ending = {}
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    # Ctrl-C is for the tests.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        ready, _, _ = select.select([asking, woken], [], [])
        if woken in ready:
            os.read(woken, 64)
            for pid in [pid for pid in ending if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)]:
                code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                os.write(ending[pid], str(code).encode())
                os.close(ending.pop(pid))
        if asking in ready:
            text, files, _, _ = socket.recv_fds(asking, 2**20, 3)
            if not text:
                return False
            out, err, ended = files
            pid = os.fork()
            if not pid:
                asking.close()
                for file in (woken, wake, ended, *ending.values()):
                    os.close(file)
                become(json.loads(text), out, err)
                return True
            os.close(out)
            os.close(err)
            ending[pid] = ended
            asking.send(str(pid).encode())


def leave(code):
    """End as Python does, but that what was imported is not freed, which takes it a second."""
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    asked_of = socket.socket(fileno=int(sys.argv[1]))
    for name in IMPORTED:
        import_module(name)
    # What numba imports before it compiles for the first time.
    numba.njit(lambda: 0)()
    assert "huse_bench.dropin" not in sys.modules
    # What else runs is not in a fork, and what it locked stays locked there.
    assert threading.active_count() == 1
    # Nor is it looked through for garbage in each fork, which would copy it.
    gc.freeze()
    if serve(asked_of):
        try:
            runpy.run_module("huse_bench", run_name="__main__", alter_sys=True)
        except SystemExit as left:
            if isinstance(left.code, int):
                leave(left.code)
            raise
