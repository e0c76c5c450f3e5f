"""The process that a peer library lives in: it is told what to prepare and what to time, over stdin and stdout.

One process per library and thread count, because libraries fix their threads at start-up. All of them stay alive, so
that repeats of different contenders can take turns; between its turns a library's threads sleep.

    > {"do": "prepare", "job": {...}}      < {"ready": true}
    > {"do": "time", "job": {...}}         < {"seconds": 0.31, "units": 937}
    > {"do": "versions"}                   < {"torch": "2.15.0"}

A job that raises is answered with {"error": "..."}: one failing mode must not end the run.
"""

import argparse
import json
import os
import sys
import time

# Shorter repeats are dominated by the clock and by whoever else wakes up.
SHORTEST_REPEAT_S = 0.3
ROWS_PER_REPEAT = 60_000


def arguments():
    """What every peer process is started with."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--data", help="folder of the data set, where the peer needs one")
    parser.add_argument("--precision", default="highest", help="PyTorch's float32 matmul precision")
    args = parser.parse_args()
    # Read when the library is imported, which is why imports come after this call.
    os.environ["OMP_NUM_THREADS"] = str(args.threads)
    return args


def epochs_per_repeat(rows):
    """A small sample is run through several times, so that a repeat is as long as on the full data set."""
    return max(1, ROWS_PER_REPEAT // rows)


def repeated_calls(call):
    """Turn one short call into a repeat of `SHORTEST_REPEAT_S` that returns how many calls it made."""
    calls, seconds = 1, 0.0
    while seconds < SHORTEST_REPEAT_S / 2:
        calls = max(calls * 2, int(calls * SHORTEST_REPEAT_S / max(seconds, 1e-6)) if seconds > 0.01 else 0)
        start = time.perf_counter()
        for _ in range(calls):
            call()
        seconds = time.perf_counter() - start
    calls = max(1, int(calls * SHORTEST_REPEAT_S / seconds))

    def repeat():
        for _ in range(calls):
            call()
        return calls

    return repeat


def serve(build, versions):
    """Answer requests until stdin closes. `build(job)` returns a function that runs one repeat and counts its units."""
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever a library prints must not look like an answer
    ready = {}
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = handle(request, ready, build, versions)
        except Exception as error:  # noqa: BLE001 - any failure of a peer is a result of the benchmark
            answer = {"error": f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"}
        replies.write(json.dumps(answer) + "\n")


def handle(request, ready, build, versions):
    if request["do"] == "versions":
        return versions
    job, key = request.get("job"), json.dumps(request.get("job"), sort_keys=True)
    if request["do"] == "prepare":
        ready[key] = build(job)
        ready[key]()  # compiles, fills caches, faults memory in
        ready[key]()
        return {"ready": True}
    start = time.perf_counter()
    units = ready[key]()
    return {"seconds": time.perf_counter() - start, "units": units}
