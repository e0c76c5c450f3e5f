"""Contenders take turns at the same job, so that a slow minute of the machine is slow for all of them."""

import contextlib
import dataclasses
import fcntl
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

HERE = pathlib.Path(__file__).resolve().parent
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
# Other processes may use this share of one core before a repeat counts as disturbed, and is waited out or retried.
TOLERATED_OTHERS = 0.10
# Waiting helps against a neighbour's burst, not against a machine that is always busy: then the run goes on, marked.
LONGEST_WAIT_S = 5
WAITING_BUDGET_S = 180
RETRIES = 2
# A median of fewer undisturbed repeats than this would say less than one of all.
ENOUGH_REPEATS = 3


class Failed(Exception):
    """A contender could not run; the message says why. The others go on."""


class Peer:
    """A peer library in a process of its own; see peer.py for what is said."""

    def __init__(self, script, *options, environment=None, without=()):
        command = [sys.executable, str(HERE / script), *options]
        # Libraries talk a lot while they load; it only matters when the process dies.
        self.log = tempfile.TemporaryFile("w+")
        inherited = {name: value for name, value in os.environ.items() if name not in without}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True,
                                        env=inherited | (environment or {}))

    def ask(self, **request):
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        answer = json.loads(line) if line else {"error": f"the process ended: {self.last_words()}"}
        if "error" in answer:
            raise Failed(answer["error"])
        return answer

    def last_words(self):
        self.log.seek(0)
        return (self.log.read().strip().splitlines() or ["it said nothing"])[-1]

    def close(self):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()


@dataclasses.dataclass
class PeerContender:
    """One mode of one peer."""

    name: str
    group: str
    threads: int
    peer: Peer
    job: dict

    def prepare(self):
        self.peer.ask(do="prepare", job=self.job)

    def run(self):
        """Seconds per unit (a training step, a call) of one repeat."""
        answer = self.peer.ask(do="time", job=self.job)
        return answer["seconds"] / answer["units"]


def gradus_seconds(answer):
    """Seconds per unit in what `gradus bench` prints."""
    answer = json.loads(answer)
    rates = [answer[key] for key in ("steps_per_s", "tokens_per_s") if key in answer]
    return 1.0 / rates[0] if rates else answer["us_per_call"] * 1e-6


@dataclasses.dataclass
class CommandContender:
    """A program of its own, one process a repeat; it warms up and times itself, as the peers do."""

    name: str
    group: str
    threads: int
    command: list
    # Turns what the program prints into seconds per unit.
    seconds_of: Callable[[str], float] = gradus_seconds

    def prepare(self):
        self.run()

    def run(self):
        done = subprocess.run(self.command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise Failed((done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1])
        return self.seconds_of(done.stdout)


@dataclasses.dataclass
class Result:
    """All repeats of one contender."""

    name: str
    group: str
    threads: int
    seconds: list = dataclasses.field(default_factory=list)
    others: list = dataclasses.field(default_factory=list)
    failure: str | None = None

    @property
    def quiet(self):
        """The repeats that nobody disturbed."""
        return [seconds for seconds, cores in zip(self.seconds, self.others) if cores < TOLERATED_OTHERS]

    @property
    def trusted(self):
        """Whether enough repeats were undisturbed for a figure to be quoted."""
        return len(self.quiet) >= min(ENOUGH_REPEATS, len(self.seconds))

    @property
    def median(self):
        """Of the undisturbed repeats where there are enough of them, else of all."""
        return statistics.median(self.quiet if self.trusted else self.seconds)


def busy_seconds():
    """Processor time that the whole machine has used, and that its host took away."""
    with open("/proc/stat") as stat:
        user, nice, system, _idle, _wait, irq, softirq, steal = map(int, stat.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / CLOCK_TICKS


def family_seconds(processes):
    """Processor time of this process, its finished children, and the peers that are still running."""
    times = os.times()
    total = times.user + times.system + times.children_user + times.children_system
    for pid in processes:
        with contextlib.suppress(FileNotFoundError), open(f"/proc/{pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
            total += (int(fields[11]) + int(fields[12])) / CLOCK_TICKS
    return total


class Others:
    """Measures how much of the machine everybody else used meanwhile, in cores."""

    def __init__(self, processes):
        self.processes = processes

    def __enter__(self):
        self.start, self.busy, self.family = time.perf_counter(), busy_seconds(), family_seconds(self.processes)
        return self

    def __exit__(self, *_):
        wall = time.perf_counter() - self.start
        used = (busy_seconds() - self.busy) - (family_seconds(self.processes) - self.family)
        self.cores = max(0.0, used / wall)


class Patience:
    """Waits until the machine is ours, within a budget for the whole run."""

    def __init__(self, processes):
        self.processes = processes
        self.left_s = WAITING_BUDGET_S

    def wait_for_quiet(self):
        """Return once others leave the machine alone, or when this wait or the whole budget has run out."""
        start = time.monotonic()
        longest_s = min(LONGEST_WAIT_S, self.left_s)
        while time.monotonic() - start < longest_s:
            with Others(self.processes) as others:
                time.sleep(0.3)
            if others.cores < TOLERATED_OTHERS:
                break
        self.left_s -= time.monotonic() - start


@contextlib.contextmanager
def turn():
    """Hold the machine's benchmark lock, if BENCH_LOCK names one, for a single repeat."""
    path = os.environ.get("BENCH_LOCK")
    if not path:
        yield
        return
    with open(path) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def one_repeat(contender, patience):
    """The least disturbed of a few tries: how much of the machine others used, and seconds per unit."""
    tries = []
    for _ in range(RETRIES + 1):
        with turn():
            patience.wait_for_quiet()
            with Others(patience.processes) as others:
                seconds = contender.run()
        tries.append((others.cores, seconds))
        if others.cores < TOLERATED_OTHERS or patience.left_s <= 0:
            break
    return min(tries)


def compete(contenders, repeats, patience):
    """Let every contender run `repeats` times, taking turns; return one Result each, in the same order."""
    results = [Result(contender.name, contender.group, contender.threads) for contender in contenders]
    for step in ["prepare"] + ["time"] * repeats:
        for contender, result in zip(contenders, results):
            if result.failure:
                continue
            try:
                if step == "prepare":
                    contender.prepare()
                else:
                    others, seconds = one_repeat(contender, patience)
                    result.seconds.append(seconds)
                    result.others.append(round(others, 3))
            except Failed as failure:
                result.failure = str(failure)
    return results


def machine():
    """What a reader needs to judge the figures."""
    model = platform.processor()
    with contextlib.suppress(OSError), open("/proc/cpuinfo") as info:
        model = next((line.split(":", 1)[1].strip() for line in info if line.startswith("model name")), model)
    return {"processor": model, "cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()}
