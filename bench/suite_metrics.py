"""Metrics, bootstrap and splits of labels and scores in memory: gradus, scikit-learn and vectorised NumPy.

Started by bench/run, which prepares the environment; see README.md for what is compared with what.
"""

import argparse

import report
from contest import CommandContender, Peer, PeerContender
from report import OURS, Workload

# Title, task, rows, and the peers' modes beside scikit-learn's own functions.
TASKS = [
    ("Macro precision, recall and F1", "precision-recall-f1", 1_000_000, ("numpy",)),
    ("The same, weighted", "weighted-precision-recall-f1", 1_000_000, ("numpy",)),
    ("ROC-AUC of two classes", "roc-auc", 1_000_000, ()),
    ("The same, weighted", "weighted-roc-auc", 1_000_000, ()),
    ("ROC-AUC of ten classes, one against the rest", "roc-auc-ovr", 100_000, ()),
    ("1,000 bootstraps of accuracy and macro F1", "bootstrap", 10_000, ("bincount", "multinomial")),
    ("A fifth held out", "split", 1_000_000, ()),
    ("A fifth held out, stratified", "stratified-split", 1_000_000, ()),
    ("Five stratified folds", "stratified-k-fold", 1_000_000, ()),
]
MODES = {"sklearn": "scikit-learn", "numpy": "NumPy, bincount", "bincount": "NumPy, bincount of drawn rows",
         "multinomial": "NumPy, multinomial of cells"}


def arguments():
    parser = argparse.ArgumentParser(prog="bench/run metrics", description=__doc__.splitlines()[0])
    parser.add_argument("--peers-only", action="store_true", help="leave gradus out")
    parser.add_argument("--repeats", type=int, default=5, help="timed repeats of each contender (default 5)")
    parser.add_argument("--gradus", help=argparse.SUPPRESS)
    return parser.parse_args()


def contenders(args, peer, task, rows, modes):
    """gradus with one thread and two, then the peers, which have one."""
    found = []
    if not args.peers_only:
        for threads in (2, 1):
            command = [args.gradus, "bench", "metrics", "--task", task, "--rows", str(rows), "--threads", str(threads),
                       "--repeats", "1", "--json"]
            found.append(CommandContender("gradus", OURS, threads, command))
    for mode in ("sklearn", *modes):
        job = {"task": task, "mode": mode, "rows": rows}
        found.append(PeerContender(MODES[mode], MODES[mode], 1, peer, job))
    return found


def workloads(args, peer):
    for title, task, rows, modes in TASKS:
        yield Workload(f"{title}, {rows:,} rows", contenders(args, peer, task, rows, modes), "ms a call",
                       lambda seconds: seconds * 1e3)


def main():
    args = arguments()
    # NumPy as shipped: a reader's machine has no such settings.
    peer = Peer("peer_sklearn.py", "--threads", "2", without=("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"))
    report.run("metrics", workloads(args, peer), [peer], args.repeats)


if __name__ == "__main__":
    main()
