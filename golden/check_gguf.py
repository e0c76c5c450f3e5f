"""The other direction for GGUF: llama.cpp opens what gradus wrote, and must answer as it does for the file it came from.

    check_gguf.py SmolLM2-135M-Instruct.Q4_1.gguf --gradus target/release/gradus

The file is imported and exported as it is held, which must give llama.cpp's very tokens of smollm2.json; and as each type
of TYPES, which llama.cpp must open and continue sensibly: most first tokens stay the same. Exit code 1 when not.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

from golden_file import HERE

sys.path.insert(0, str(HERE.parent / "bench"))
from llama_server import LlamaServer  # noqa: E402 - it lies with the benchmarks

# A file of each family of types: floats, plain blocks, and super-blocks (which fall back where a row is no multiple of 256).
TYPES = ["f32", "bf16", "q8_0", "q4_0", "q4_k_m"]
# Of the prompts' first tokens, how many must stay: the Q4_0 file that llama-quantize makes of this one keeps 13 of 20.
SAME_FIRST_TOKENS = 0.6


def run(*command):
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--gradus", type=pathlib.Path, required=True)
    args = parser.parse_args()
    cases = json.loads((HERE / "smollm2.json").read_text(encoding="utf-8"))["cases"]
    passed = True
    with tempfile.TemporaryDirectory() as scratch:
        package = pathlib.Path(scratch) / "package"
        run(args.gradus, "import", args.model, "--out", package)
        for kind in ["held", *TYPES]:
            path = pathlib.Path(scratch) / f"model-{kind}.gguf"
            run(args.gradus, "export", package, "--format", "gguf", "--type", kind, "--out", path)
            server = LlamaServer(path, threads=1)
            count = 64 if kind == "held" else 1
            same = sum(server.continuation(case["ids"], count)[0] == case["tokens"][:count] for case in cases)
            same_ids = all(server.tokenize(case["prompt"]) == case["ids"] for case in cases)
            ok = same_ids and same >= (len(cases) if kind == "held" else SAME_FIRST_TOKENS * len(cases))
            passed = passed and ok
            what = "continuations" if kind == "held" else "first tokens"
            print(f"{kind}: {'ok' if ok else 'FAILED'}: {same} of {len(cases)} {what} are the same"
                  + ("" if same_ids else "; prompts are tokenized differently"))
            del server
            path.unlink()
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
