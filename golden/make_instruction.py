#!/usr/bin/env python3
"""Write instruction.json: the ids of conversations and which of them transformers says the assistant wrote.

The templates mark what the assistant says with `{% generation %}`, which transformers turns into a mask of tokens; the
code under test must find the same tokens without the marks. The tokenizers are those of tokenizers.json.
Case: {"name", "tokenizer", "template", "line" (a line of JSON), "ids", "learned" (0 or 1 for each id)}.
"""

import json
import os

os.environ["TRANSFORMERS_VERBOSITY"] = "error"
import tokenizers
import transformers

from golden_file import HERE, versions

TEMPLATES = {
    "chatml": "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}{% if message['role'] == 'assistant' %}"
              "{% generation %}{{ message['content'] + '<|im_end|>' }}{% endgeneration %}{{ '\n' }}{% else %}"
              "{{ message['content'] + '<|im_end|>' + '\n' }}{% endif %}{% endfor %}"
              "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
    "plain": "{% for message in messages %}{% if message['role'] == 'assistant' %}A:{% generation %}{{ ' ' + message['content'] + "
             "'<|endoftext|>' }}{% endgeneration %}{% else %}{{ 'Q: ' + message['content'] + '\n' }}{% endif %}{% endfor %}"
             "{% if add_generation_prompt %}A:{% endif %}",
}
QUESTION = {"role": "user", "content": "What is the light of the day?"}
ANSWER = {"role": "assistant", "content": "It is good: 1, 2, 3.\n\nAnd \"größe\" 🙂."}
CONVERSATIONS = {
    "short": [QUESTION, ANSWER],
    "system": [{"role": "system", "content": "Be brief."}, QUESTION, ANSWER],
    "turns": [QUESTION, ANSWER, {"role": "user", "content": "  And\tthe night?\n"}, {"role": "assistant", "content": "Dark."}],
    "ends with a question": [QUESTION, ANSWER, QUESTION],
    "starts with an answer": [{"role": "assistant", "content": "Hello."}, QUESTION, ANSWER],
}


def main():
    kinds = json.loads((HERE / "tokenizers.json").read_text())["tokenizers"]
    cases = []
    for kind in ("gpt2", "llama3", "qwen2"):
        tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizers.Tokenizer.from_str(kinds[kind]["json"]))
        for template, source in TEMPLATES.items():
            for name, messages in CONVERSATIONS.items():
                encoded = tokenizer.apply_chat_template(messages, chat_template=source, tokenize=True, return_dict=True,
                                                        return_assistant_tokens_mask=True)
                mask = encoded["assistant_masks"]
                cases.append({"name": f"{kind} {template} {name}", "tokenizer": kind, "template": template,
                              "line": json.dumps({"messages": messages}), "ids": encoded["input_ids"], "learned": mask})
    document = {"templates": TEMPLATES, "cases": cases, "made_with": versions(transformers=transformers.__version__)}
    path = HERE / "instruction.json"
    path.write_text(json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n")
    print(path.name, len(cases), "cases,", path.stat().st_size, "bytes")


main()
