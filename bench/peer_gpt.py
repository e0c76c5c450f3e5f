"""PyTorch: training steps of the language models in gpt_torch.py, eager and compiled, in float32 and with bfloat16 products."""

import time

import peer

args = peer.arguments()

import torch  # noqa: E402 - after OMP_NUM_THREADS is set

import gpt_torch  # noqa: E402

torch.set_num_threads(args.threads)
torch.set_float32_matmul_precision(args.precision)
CORPUS_TOKENS = 100_000
# Long enough that the clock does not matter, short enough that contenders take turns often.
SHORTEST_REPEAT_S = 1.0


class Trainee:
    """One model, its optimiser and its data. The modes of a process share it: the largest takes 2 GB."""

    def __init__(self, name):
        torch.manual_seed(1)
        self.shape = gpt_torch.SHAPES[name]
        self.model = gpt_torch.LanguageModel(self.shape)
        self.optimizer = gpt_torch.adamw(self.model, learning_rate=1e-3)
        self.corpus = torch.randint(self.shape.vocab, (CORPUS_TOKENS,))
        self.offsets = torch.arange(self.shape.block)

    def batch(self):
        rows = torch.randint(CORPUS_TOKENS - self.shape.block - 1, (self.shape.batch, 1)) + self.offsets
        return self.corpus[rows], self.corpus[rows + 1]

    def step(self, compute, bf16):
        ids, targets = self.batch()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            loss = compute(ids, targets)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return loss.item()


trainees = {}


def build(job):
    """A repeat of whole steps that counts tokens."""
    if job["shape"] not in trainees:
        trainees.clear()
        trainees[job["shape"]] = Trainee(job["shape"])
    trainee = trainees[job["shape"]]
    compute = torch.compile(trainee.model) if job["mode"] == "compile" else trainee.model
    steps = 1

    def repeat():
        for _ in range(steps):
            trainee.step(compute, job["precision"] == "bf16")
        return steps * trainee.shape.tokens_per_step

    repeat()  # compiles
    start = time.perf_counter()
    repeat()
    steps = max(1, round(SHORTEST_REPEAT_S / (time.perf_counter() - start)))
    return repeat


peer.serve(build, {"torch": torch.__version__})
