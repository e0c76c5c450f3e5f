"""PyTorch: training steps of the 784-128-10 network, eager and compiled, and predictions."""

import peer

args = peer.arguments()

import torch  # noqa: E402 - after OMP_NUM_THREADS is set
import torch.nn.functional as F  # noqa: E402

import fashion_mnist  # noqa: E402

torch.set_num_threads(args.threads)
torch.set_float32_matmul_precision(args.precision)
X, Y = (torch.from_numpy(array) for array in fashion_mnist.load(args.data))


def make_net():
    torch.manual_seed(1)
    return torch.nn.Sequential(torch.nn.Linear(784, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10))


def make_optimizer(net, job):
    # None leaves the choice to PyTorch, as a user would who says nothing.
    fused = True if job["fused"] else None
    if job["optimizer"] == "sgd":
        return torch.optim.SGD(net.parameters(), lr=0.01, fused=fused)
    return torch.optim.Adam(net.parameters(), lr=1e-3, fused=fused)


def batches(job):
    """Views of consecutive rows (nothing is copied or shuffled), or rows gathered by a fresh permutation."""
    size, steps = job["batch_size"], len(X) // job["batch_size"]
    if job["feed"] == "slice":
        for i in range(steps):
            yield X[i * size : (i + 1) * size], Y[i * size : (i + 1) * size]
    else:
        order = torch.randperm(len(X))
        for i in range(steps):
            rows = order[i * size : (i + 1) * size]
            yield X[rows], Y[rows]


def build_training(job):
    net = make_net()
    optimizer = make_optimizer(net, job)

    def loss_of(x, y):
        return F.cross_entropy(net(x), y)

    compute = torch.compile(loss_of) if job["mode"] == "compile" else loss_of

    def repeat():
        steps = 0
        for _ in range(peer.epochs_per_repeat(len(X))):
            for x, y in batches(job):
                optimizer.zero_grad(set_to_none=True)
                compute(x, y).backward()
                optimizer.step()
                steps += 1
        return steps

    return repeat


def build_prediction(job):
    net, x = make_net().eval(), X[: job["rows"]].clone()

    def call():
        with torch.inference_mode():
            net(x)

    return peer.repeated_calls(call)


def build(job):
    return build_training(job) if job["task"] == "train" else build_prediction(job)


peer.serve(build, {"torch": torch.__version__})
