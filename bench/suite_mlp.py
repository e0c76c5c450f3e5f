"""The 784-128-10 ReLU network on Fashion-MNIST: training steps and batch predictions, gradus and its peers.

Started by bench/run, which prepares the environment; see README.md for what is compared with what.
"""

import argparse
import os

import fashion_mnist
import report
from contest import CommandContender, Peer, PeerContender
from report import OURS, Workload

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
    return CommandContender(name, OURS, threads, command)


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


def workloads(args, peers):
    """Every table of the suite."""
    for optimizer, batch_size in TRAINING:
        if not args.quick or batch_size == 64:
            contenders = training_contenders(args, peers, optimizer, batch_size)
            yield Workload(f"Training, {optimizer.upper()}, batch {batch_size}", contenders, "steps/s", report.per_second)
    for rows in PREDICTION_ROWS:
        if not args.quick or rows == 64:
            contenders = prediction_contenders(args, peers, rows)
            yield Workload(f"Predicting, {rows} rows", contenders, "µs a call", lambda seconds: seconds * 1e6)


def main():
    args = arguments()
    peers = start_peers(args)
    suite = "mlp-quick" if args.quick else "mlp"
    report.run(suite, workloads(args, peers), list(peers.values()), args.repeats, data=os.path.basename(str(args.data)))


if __name__ == "__main__":
    main()
