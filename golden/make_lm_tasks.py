"""Log-likelihoods of the choices in golden/lm_tasks by `transformers`: golden/lm_tasks.json and golden/lm_tasks/tokenizer.json.

    make_lm_tasks.py [SMOLLM2.gguf]

The task files (choices, answers, texts, shots) are written by hand. Each choice is scored as lm-evaluation-harness scores it:
context and continuation encoded together, spaces at the end of the context moved to the continuation, the context's beginning
cut off where both are longer than the model's positions, the sum of the continuation's log-probabilities. Nothing is put between a
query and a choice that brings white space, or after an empty query.

One case a model:

    likelihoods     one list a document, one [log-likelihood, is greedy, tokens] a choice
    shots           the same for the first documents of choices.jsonl with shots.jsonl in front
    texts           [log-likelihood, tokens] of each text in rolling windows
    answers         the tokens that follow each query of answers.jsonl greedily (`generated` many, or up to an end)

The tiny models of golden/transformers get a tokenizer of as many tokens as they know, whose tokens cross words on purpose: where
context and continuation meet in the middle of one, the continuation has what the whole has behind the context's length. Where that
is nothing, which the harness refuses, the whole's last token is scored.
SmolLM2-135M-Instruct is the file of golden/real_models.sh with its weights unpacked to float32. Without it, its case is kept as it is.
Logits of the tiny models are computed in float64, but for what transformers always computes in float32, SmolLM2's in float32; their
logarithms and sums in float64.
"""

import json
import pathlib
import sys

import torch
import transformers
from golden_file import HERE, versions, write_json
from tokenizers import Tokenizer, models, normalizers, trainers

FOLDER = HERE / "lm_tasks"
TINY = ["gpt2", "llama", "mistral", "qwen2", "qwen3", "gemma2", "gemma3"]
VOCAB, WITH_SHOTS, GENERATED = 67, 12, 12
SHOT_END = "\n\n"


def lines(name):
    return [json.loads(line) for line in (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def first(document, *names):
    return next(document[name] for name in names if name in document)


def query(document):
    return first(document, "query", "question", "context", "prompt", "input")


def joined(context, answer):
    return answer if not context or context[-1].isspace() or answer[0].isspace() else " " + answer


def shown(document):
    answer = document["choices"][document["gold"]] if "choices" in document else document["target"]
    return query(document) + joined(query(document), answer) + SHOT_END


def tiny_tokenizer():
    """BPE without any splitting into words, trained on the task files. The trainer decides ties by chance, so a file that is there stays."""
    path = FOLDER / "tokenizer.json"
    if path.is_file():
        tokenizer = Tokenizer.from_file(str(path))
        return lambda text: tokenizer.encode(text, add_special_tokens=False).ids
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Lowercase()
    texts = [query(document) + " " + choice for document in lines("choices") for choice in document["choices"]]
    trainer = trainers.BpeTrainer(vocab_size=VOCAB, special_tokens=["<unk>", "<s>", "</s>"], limit_alphabet=40, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    assert tokenizer.get_vocab_size() == VOCAB
    tokenizer.save(str(path))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    (FOLDER / "tokenizer_config.json").write_text(json.dumps(config, indent=1) + "\n")
    return lambda text: tokenizer.encode(text, add_special_tokens=False).ids


class Scorer:
    def __init__(self, model, encode, start, most):
        self.model, self.encode, self.start, self.most = model.eval(), encode, start, most

    @torch.no_grad()
    def log_probabilities(self, ids):
        return self.model(torch.tensor([ids]), use_cache=False).logits[0].double().log_softmax(-1)

    def scored(self, tokens, count):
        """Log-likelihood, whether greedy, and number of the last `count` tokens."""
        rows = self.log_probabilities(tokens[:-1])[-count:]
        chosen = torch.tensor(tokens[-count:])
        values = rows.gather(1, chosen[:, None])[:, 0]
        return [values.sum().item(), bool((rows.argmax(-1) == chosen).all()), count]

    def choice(self, context, answer):
        spaces = len(context) - len(context.rstrip())
        continuation = context[len(context) - spaces:] + joined(context, answer)
        context = context[:len(context) - spaces]
        before, whole = self.encode(context), self.encode(context + continuation)
        after = whole[len(before):]
        if not after:
            before, after = whole[:-1], whole[-1:]
        before = before or [self.start]
        return self.scored((before + after)[-(self.most + 1):], len(after))

    def choices(self, documents, examples=""):
        return [[self.choice(examples + query(document), choice) for choice in document["choices"]] for document in documents]

    def text(self, text):
        tokens = [self.start] + self.encode(text)
        total, done = 0.0, 1
        while done < len(tokens):
            end = min(len(tokens), done + self.most)
            total += self.scored(tokens[max(0, end - self.most - 1):end], end - done)[0]
            done = end
        return [total, len(tokens) - 1]

    def answer(self, text, ends):
        tokens, given = self.encode(text), []
        while len(given) < GENERATED and len(tokens) < self.most:
            token = self.log_probabilities(tokens)[-1].argmax().item()
            if token in ends:
                break
            tokens, given = tokens + [token], given + [token]
        return given

    def case(self, name, ends=()):
        documents, shots = lines("choices"), "".join(shown(document) for document in lines("shots"))
        case = {"model": name, "likelihoods": self.choices(documents), "shots": self.choices(documents[:WITH_SHOTS], shots),
                "texts": [self.text(document["text"]) for document in lines("texts")]}
        if ends:
            case["answers"] = [self.answer(query(document), ends) for document in lines("answers")]
        return case


def tiny(name, encode):
    model = transformers.AutoModelForCausalLM.from_pretrained(HERE / "transformers" / name, attn_implementation="eager").double()
    return Scorer(model, encode, 1, model.config.max_position_embeddings).case(name)


def smollm2(path):
    options = {"gguf_file": path.name}
    tokenizer = transformers.AutoTokenizer.from_pretrained(path.parent, **options)
    model = transformers.AutoModelForCausalLM.from_pretrained(path.parent, dtype=torch.float32, attn_implementation="eager", **options)
    scorer = Scorer(model, lambda text: tokenizer.encode(text, add_special_tokens=False), tokenizer.bos_token_id, model.config.max_position_embeddings)
    return scorer.case(path.name, {tokenizer.eos_token_id})


def main():
    encode = tiny_tokenizer()
    cases = [tiny(name, encode) for name in TINY]
    if len(sys.argv) > 1:
        cases.append(smollm2(pathlib.Path(sys.argv[1])))
    elif (HERE / "lm_tasks.json").is_file():
        cases += [case for case in json.loads((HERE / "lm_tasks.json").read_text())["cases"] if case["model"] not in TINY]
    write_json("lm_tasks.json", {"made_with": versions(transformers=transformers.__version__), "cases": cases})


if __name__ == "__main__":
    main()
