"""The 784-128-10 ReLU network on Fashion-MNIST: training steps and batch predictions, gradus and its peers.

Started by bench/run, which prepares the environment; see README.md for what is compared with what.
"""

import argparse
import contextlib
import datetime
import json
import os
import pathlib
import sys

import contest
import fashion_mnist
from contest import GradusContender, Peer, PeerContender

RESULTS = pathlib.Path(__file__).resolve().parent / "results"
OURS = "gradus"
TRAINING = [("sgd", 64), ("adam", 64), ("sgd", 256), ("adam", 256)]
PREDICTION_ROWS = [1, 64, 256]


def arguments():
    parser = argparse.ArgumentParser(prog="bench/run", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="batch 64 and 64 rows only, each peer's best modes, 3 repeats")
    parser.add_argument("--peers-only", action="store_true", help="leave gradus out")
    parser.add_argument("--repeats", type=int, help="timed repeats of each contender (default 5)")
    parser.add_argument("--data", help="folder with the four IDX files (default: the full set, else the sample)")
    parser.add_argument("--gradus", help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.repeats = args.repeats or (3 if args.quick else 5)
    if args.data is None:
        args.data, full = fashion_mnist.find()
        if not full:
            print("the full Fashion-MNIST is not installed (Debian: dataset-fashion-mnist); using the sample in data/")
    return args


def start_peers(args):
    """One process per library, thread count and precision."""
    def torch(threads, precision):
        return Peer("peer_torch.py", "--threads", str(threads), "--data", str(args.data), "--precision", precision)

    peers = {("torch", 2): torch(2, "highest"), ("torch-medium", 2): torch(2, "medium")}
    for threads in (1, 2):
        options = ("--threads", str(threads), "--data", str(args.data))
        peers["tensorflow", threads] = Peer("peer_tensorflow.py", *options)
        peers["onnxruntime", threads] = Peer("peer_onnxruntime.py", *options)
    return peers


def gradus(args, name, threads, *options):
    """A gradus contender; one repeat a process, because turns are taken here."""
    command = [args.gradus, "bench", *options, "--threads", str(threads), "--data", str(args.data), "--repeats", "1", "--json"]
    return GradusContender(name, OURS, threads, command)


def training_contenders(args, peers, optimizer, batch_size):
    """Everybody who trains; a quick run keeps the modes that tend to win."""
    base = {"task": "train", "optimizer": optimizer, "batch_size": batch_size}
    contenders = []
    if not args.peers_only:
        options = ("train", "--optimizer", optimizer, "--batch-size", str(batch_size))
        contenders += [gradus(args, "gradus, shuffled", threads, *options) for threads in (2, 1)]
    for key, title in (("torch", "PyTorch"), ("torch-medium", "PyTorch, medium precision")):
        fused_choices = (optimizer == "adam",) if args.quick or key == "torch-medium" else (False, True)
        for feed, words in (("slice", "in order"), ("gather", "shuffled")):
            for fused in fused_choices:
                name = f"{title} eager, {words}" + (", fused" if fused else "")
                job = base | {"mode": "eager", "feed": feed, "fused": fused}
                contenders.append(PeerContender(name, f"{title} eager", 2, peers[key, 2], job))
        job = base | {"mode": "compile", "feed": "slice", "fused": optimizer == "adam"}
        contenders.append(PeerContender(f"{title} compile, in order", f"{title} compile", 2, peers[key, 2], job))
    return contenders + tensorflow_contenders(args, peers, base)


def tensorflow_contenders(args, peers, base):
    """TensorFlow's ways to train, with one thread and with two: which is faster depends on the batch."""
    rows = [("graph loop, in order", {"mode": "graph_loop", "feed": "slice"}),
            ("graph loop, shuffled", {"mode": "graph_loop", "feed": "gather"})]
    if not args.quick:
        rows += [("tf.function, in order", {"mode": "function", "jit": False}),
                 ("tf.function XLA, in order", {"mode": "function", "jit": True}),
                 ("Keras fit, shuffled", {"mode": "fit"})]
    return [PeerContender(f"TensorFlow {name}", "TensorFlow", threads, peers["tensorflow", threads], base | job)
            for name, job in rows for threads in (1, 2)]


def prediction_contenders(args, peers, rows):
    """Everybody who predicts: the same rows again and again, as a warm server would see them."""
    job = {"task": "predict", "rows": rows}
    contenders = []
    if not args.peers_only:
        for precision in ("f32", "int8"):
            options = ("predict", "--rows", str(rows), "--precision", precision)
            contenders += [gradus(args, f"gradus {precision}", threads, *options) for threads in (2, 1)]
    contenders += [PeerContender("onnxruntime", "onnxruntime", threads, peers["onnxruntime", threads], job) for threads in (1, 2)]
    contenders.append(PeerContender("PyTorch eager", "PyTorch eager", 2, peers["torch", 2], job))
    contenders.append(PeerContender("PyTorch eager, medium precision", "PyTorch medium", 2, peers["torch-medium", 2], job))
    return contenders


def print_table(title, results, unit, show):
    """A Markdown table; the ratio says how many times faster gradus (its first row) is."""
    ours = next((r.median for r in results if r.group == OURS and r.seconds), None)
    print(f"\n### {title}\n\n| | threads | {unit} | min – max | gradus is |\n|---|--:|--:|--:|--:|")
    for result in results:
        if result.failure:
            print(f"| {result.name} | {result.threads} | failed | {result.failure} | |")
            continue
        low, high = sorted((show(min(result.seconds)), show(max(result.seconds))))
        ratio = f"{result.median / ours:.2f}×" if ours and result.group != OURS else ""
        mark = "" if result.trusted else " (disturbed)"
        print(f"| {result.name} | {result.threads} | {number(show(result.median))}{mark} | {number(low)} – {number(high)} | {ratio} |")
    if not all(result.trusted for result in results if not result.failure):
        print("\nOther processes used the machine during this table; do not quote the figures marked as disturbed.")


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def document(title, results, unit, show):
    """The same figures for the results file."""
    ours = next((r.median for r in results if r.group == OURS and r.seconds), None)
    rows = []
    for result in results:
        row = {"name": result.name, "group": result.group, "threads": result.threads}
        if result.failure:
            rows.append(row | {"failure": result.failure})
            continue
        values = [show(seconds) for seconds in result.seconds]
        row |= {"median": round(show(result.median), 2), "min": round(min(values), 2), "max": round(max(values), 2),
                "repeats": len(values), "trusted": result.trusted, "others_cores": result.others}
        if ours and result.group != OURS:
            row["gradus_is_faster_by"] = round(result.median / ours, 3)
        rows.append(row)
    return {"title": title, "unit": unit, "rows": rows}


def workloads(args, peers):
    """Title, contenders, unit, and how to show seconds per unit, of every table."""
    for optimizer, batch_size in TRAINING:
        if not args.quick or batch_size == 64:
            contenders = training_contenders(args, peers, optimizer, batch_size)
            yield f"Training, {optimizer.upper()}, batch {batch_size}", contenders, "steps/s", lambda seconds: 1 / seconds
    for rows in PREDICTION_ROWS:
        if not args.quick or rows == 64:
            contenders = prediction_contenders(args, peers, rows)
            yield f"Predicting, {rows} rows", contenders, "µs a call", lambda seconds: seconds * 1e6


def print_summary(tables):
    """One line for each of gradus' figures with two threads: what it is against the fastest mode of each peer."""
    print("\n### Summary: gradus with two threads against each peer's best mode\n")
    for table in tables:
        rows = [row for row in table["rows"] if "median" in row]
        peers = fastest_of_each_group([row for row in rows if row["group"] != OURS], table["unit"])
        for ours in [row for row in rows if row["group"] == OURS and row["threads"] == 2] or [None]:
            versus = [f"{row['group']} {number(row['median'])}" + times_faster(ours, row, table["unit"]) for row in peers]
            head = f"{table['title']}, {table['unit']}" + (f": **{ours['name']} {number(ours['median'])}**" if ours else "")
            print(f"- {head}: " + "; ".join(versus))


def fastest_of_each_group(rows, unit):
    """The best row of each peer, in the order in which the peers first appear."""
    better = max if unit == "steps/s" else min
    groups = dict.fromkeys(row["group"] for row in rows)
    return [better((row for row in rows if row["group"] == group), key=lambda row: row["median"]) for group in groups]


def times_faster(ours, theirs, unit):
    """How many times faster `ours` is, in brackets; nothing without `ours`."""
    if ours is None:
        return ""
    factor = ours["median"] / theirs["median"]
    return f" ({factor if unit == 'steps/s' else 1 / factor:.2f}×)"


def library_versions(peers):
    versions = {}
    for peer in peers.values():
        with contextlib.suppress(contest.Failed):  # its tables will say so
            versions |= peer.ask(do="versions")
    return versions


def main():
    args = arguments()
    sys.stdout.reconfigure(line_buffering=True)  # a long run is watched through a file, too
    peers = start_peers(args)
    try:
        versions = library_versions(peers)
        patience = contest.Patience([peer.process.pid for peer in peers.values()])
        tables = []
        for title, contenders, unit, show in workloads(args, peers):
            results = contest.compete(contenders, args.repeats, patience)
            print_table(title, results, unit, show)
            tables.append(document(title, results, unit, show))
    finally:
        for peer in peers.values():
            peer.close()
    print_summary(tables)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / ("mlp-quick.json" if args.quick else "mlp.json")
    head = {"suite": "mlp", "measured": datetime.date.today().isoformat(), "machine": contest.machine(), "versions": versions,
            "data": os.path.basename(str(args.data)), "tables": tables}
    path.write_text(json.dumps(head, indent=1, ensure_ascii=False) + "\n")
    print(f"\nwritten to {os.path.relpath(path)}")


if __name__ == "__main__":
    main()
