#!/usr/bin/env python3
"""Write chat_templates.json: what transformers' apply_chat_template makes of conversations.

Case: {"name", "template", "messages", "special", "add_generation_prompt", "extra", and "expected" or "refused"}.
`template` names one of `templates`; `extra` is what the template is told besides. `refused` is what the template said
with `raise_exception`.

The templates are those of released models (their own words, cut to nothing): pass the folder of llama.cpp's
`models/templates` as the argument. Two short ones are written out here.
"""

import json
import pathlib
import sys

import jinja2
import transformers
from transformers.utils.chat_template_utils import render_jinja_template

from golden_file import HERE, versions

FILES = {
    "llama-3.1": ("meta-llama-Llama-3.1-8B-Instruct.jinja", {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"}),
    "llama-3.2": ("meta-llama-Llama-3.2-3B-Instruct.jinja", {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"}),
    "qwen2.5": ("Qwen-Qwen2.5-7B-Instruct.jinja", {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}),
    "qwen3": ("Qwen-Qwen3-0.6B.jinja", {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}),
    "mistral-nemo": ("mistralai-Mistral-Nemo-Instruct-2407.jinja", {"bos_token": "<s>", "eos_token": "</s>"}),
    "gemma-2": ("google-gemma-2-2b-it.jinja", {"bos_token": "<bos>", "eos_token": "<eos>"}),
    "phi-3.5": ("microsoft-Phi-3.5-mini-instruct.jinja", {"bos_token": "<s>", "eos_token": "<|endoftext|>"}),
    "deepseek-r1": ("deepseek-ai-DeepSeek-R1-Distill-Llama-8B.jinja", {"bos_token": "<|begin|>", "eos_token": "<|end|>"}),
    "smollm3": ("HuggingFaceTB-SmolLM3-3B.jinja", {"bos_token": "<|im_start|>", "eos_token": "<|im_end|>"}),
    "granite-3.3": ("ibm-granite-granite-3.3-2B-Instruct.jinja", {"eos_token": "<|end_of_text|>"}),
}

WRITTEN = {
    "smollm2": (
        "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\n"
        "You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}{% endif %}"
        "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
        {"bos_token": "<|im_start|>", "eos_token": "<|im_end|>", "pad_token": "<|im_end|>", "unk_token": "<|endoftext|>"},
    ),
    "mistral-7b-v0.1": (
        "{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
        "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
        "{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}"
        "{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token + ' ' }}"
        "{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}",
        {"bos_token": "<s>", "eos_token": "</s>"},
    ),
    # Every construction that a template may rely on, on one page.
    "python": (
        "{%- generation -%}\n  {{ messages[0].content.strip() }}\n{%- endgeneration %}\n"
        "{{ messages[-1]['content'].split('|')[-1].lstrip('\\n') }}\n"
        "    {% for key, value in data.items() %}\n    {{ key }}={{ value | tojson }};\n    {% endfor %}\n"
        "{{ data | tojson(indent=2) }}\n{{ data | tojson(sort_keys=true, separators=(',', ':')) }}\n"
        "{{ data | tojson(ensure_ascii=true) }}\n"
        "{% for message in messages[::-1] %}{% if loop.index > 2 %}{% break %}{% endif %}{{ message.role[:2] }},{% endfor %}\n"
        "{% for message in messages %}{% if message.role == 'system' %}{% continue %}{% endif %}{{ loop.index0 }}{% endfor %}\n"
        "{% set state = namespace(count=0) %}{% for message in messages %}{% set state.count = state.count + 1 %}{% endfor %}"
        "{{ state.count }} {{ nothing is defined }} {{ tools is none }} {{ messages is iterable }} {{ data is mapping }} "
        "{{ 'x' is string }}\n"
        "{{ ' a b '.rsplit(' ', 1) | length }} {{ 'a-b-c'.rpartition('-')[0] }} {{ 'x.y'.removesuffix('.y') }} "
        "{{ 'Title case'.title() }} {{ 'abc'.startswith('a') and 'abc'.endswith(('b', 'c')) }}\n"
        "{% macro shout(text) %}{{ text | upper }}!{% endmacro %}{{ shout('hey') }} {{ messages | map(attribute='role') | join('/') }} "
        "{{ (messages | selectattr('role', 'equalto', 'user') | list) | length }} {{ 7 // 2 }} {{ 7 % 4 }} {{ 1.0 }} {{ 2 ** 3 }} "
        "{{ 'y' if messages else 'n' }} {{ ['a', 'b'] + ['c'] }} {{ none }} {{ true }}\n",
        {"bos_token": "<s>"},
    ),
}

SYSTEM = {"role": "system", "content": "Answer briefly."}
USER = {"role": "user", "content": "  What is 2 + 2?\n"}
ASSISTANT = {"role": "assistant", "content": "4"}
SECOND = {"role": "user", "content": "Für \"Zürich\" <b>&</b> 東京 🙂?"}
THOUGHT = {"role": "assistant", "content": "<think>\nHm, two and two.\n</think>\n\n4"}
CONVERSATIONS = {
    "question": [USER],
    "system": [SYSTEM, USER],
    "turns": [USER, ASSISTANT, SECOND],
    "all": [SYSTEM, USER, ASSISTANT, SECOND, {"role": "assistant", "content": "東京\n\nis \\n large"}],
    "thought": [USER, THOUGHT, SECOND],
    "two-users": [USER, SECOND],
}
TOOL = {"type": "function", "function": {"name": "weather", "description": "The \"weather\" <now> & later", "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer", "maximum": 1e16, "default": 1.5}},
    "required": ["city"]}}}
CALL = {"role": "assistant", "tool_calls": [{"id": "abcdefghi", "type": "function", "function": {
    "name": "weather", "arguments": {"city": "Zürich", "days": 3}}}]}
ANSWER = {"role": "tool", "name": "weather", "tool_call_id": "abcdefghi", "content": "{\"sky\": \"blue\"}"}
DATA = {"b": [1, 2.5, None, True], "a": {"ü": "\"\\\n\t\x01", "empty": {}, "none": []}, "c": 1e-7}


def outcome(template, special, messages, add_generation_prompt, extra):
    kwargs = dict(extra)
    tools = kwargs.pop("tools", None)
    try:
        rendered, _ = render_jinja_template([messages], tools=tools, chat_template=template,
                                            add_generation_prompt=add_generation_prompt, **special, **kwargs)
        return {"expected": rendered[0]}
    except jinja2.exceptions.TemplateError as error:
        return {"refused": error.message} if type(error) is jinja2.exceptions.TemplateError else {"failed": str(error)}
    except TypeError as error:
        return {"failed": str(error)}


def main():
    folder = pathlib.Path(sys.argv[1])
    templates = {name: (folder.joinpath(file).read_text(), special) for name, (file, special) in FILES.items()} | WRITTEN
    cases = []

    def add(name, conversation, messages, extra, prompts=(False, True)):
        source, special = templates[name]
        for prompt in prompts:
            case = {"name": f"{name} {conversation} {prompt} {' '.join(extra)}".strip(), "template": name,
                    "messages": messages, "add_generation_prompt": prompt, "extra": extra}
            cases.append(case | outcome(source, special, messages, prompt, extra))

    date = {"date_string": "26 Jul 2024"}
    for name in templates:
        extra = {"data": DATA} if name == "python" else date
        for conversation, messages in CONVERSATIONS.items():
            add(name, conversation, messages, extra)
    for name in ("llama-3.1", "llama-3.2", "qwen2.5", "qwen3", "mistral-nemo", "smollm3", "granite-3.3"):
        add(name, "tools", [SYSTEM, USER], date | {"tools": [TOOL]})
        add(name, "tool answer", [USER, CALL, ANSWER], date | {"tools": [TOOL]}, [True])
    for name in ("qwen3", "smollm3"):
        add(name, "no thinking", [USER], date | {"enable_thinking": False}, [True])
    document = {"templates": {name: {"source": source, "special": special} for name, (source, special) in templates.items()},
                "cases": cases, "made_with": versions(transformers=transformers.__version__, jinja2=jinja2.__version__)}
    path = HERE / "chat_templates.json"
    path.write_text(json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n")
    print(path.name, len(cases), "cases,", path.stat().st_size, "bytes,", sum("refused" in case for case in cases), "refused,",
          sum("failed" in case for case in cases), "failed")


main()
