"""The other direction: `transformers` opens what gradus wrote, and must answer as before.

    check_exported.py FOLDER ANSWERS.safetensors   one exported folder; ANSWERS has input_ids and logits (or, of an
                                                   encoder, last_hidden_state with attention_mask and token_type_ids)
    check_exported.py --gradus target/release/gradus   every folder of golden/transformers/, imported and exported again

Exit code 1 when an answer differs by more than TOLERANCE or a weight was ignored or made up.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

import torch
import transformers
from golden_file import HERE
from safetensors.torch import load_file

# What the logits of a tiny model may differ by in float32; see `noise` in the files' metadata for what is unavoidable.
TOLERANCE = 1e-4


def open_folder(folder, encoder):
    """The model, and what was wrong with the folder's list of weights."""
    auto_class = transformers.AutoModel if encoder else transformers.AutoModelForCausalLM
    model, info = auto_class.from_pretrained(folder, output_loading_info=True, attn_implementation="eager", dtype=torch.float32)
    faults = [f"{kind}: {sorted(map(str, names))}" for kind, names in info.items() if names and kind != "error_msgs"]
    return model.eval(), faults + list(info.get("error_msgs", []))


def differences(model, want):
    """The greatest absolute difference of each answer that the file has."""
    with torch.no_grad():
        if "last_hidden_state" in want:
            mask = want["attention_mask"]
            hidden = model(want["input_ids"], attention_mask=mask, token_type_ids=want["token_type_ids"]).last_hidden_state
            return {"last_hidden_state": worst(hidden * mask[:, :, None], want["last_hidden_state"])}
        pairs = [("input_ids", "logits"), ("short.input_ids", "short.logits")]
        return {out: worst(model(want[ids]).logits, want[out]) for ids, out in pairs if ids in want}


def worst(got, want):
    return (got - want).abs().max().item()


def check(name, folder, answers):
    """Print one line and return whether the folder passed."""
    want = load_file(answers)
    try:
        model, faults = open_folder(folder, "last_hidden_state" in want)
        found = differences(model, want)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        print(f"{name}: FAILED: {error}")
        return False
    passed = not faults and max(found.values()) <= TOLERANCE
    figures = ", ".join(f"{key} differs by {value:.1e}" for key, value in found.items())
    print(f"{name}: {'ok' if passed else 'FAILED'}: {figures}" + "".join(f"; {fault}" for fault in faults))
    return passed


def round_trip(gradus, source, scratch):
    """Import a golden folder into gradus, export it again, and return the new folder."""
    model, exported = scratch / "model", scratch / "exported"
    for arguments in (["import", source, "--out", model], ["export", model, "--format", "hf", "--out", exported]):
        subprocess.run([gradus, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    return exported


def check_golden(gradus):
    """Every golden model there and back."""
    failed = []
    for source in sorted(path.parent for path in (HERE / "transformers").glob("*/config.json")):
        with tempfile.TemporaryDirectory() as scratch:
            try:
                exported = round_trip(gradus, source, pathlib.Path(scratch))
                passed = check(source.name, exported, source / "expected.safetensors")
            except subprocess.CalledProcessError as error:
                print(f"{source.name}: FAILED: {' '.join(map(str, error.cmd[:2]))}: {error.stderr.strip()}")
                passed = False
            failed += [] if passed else [source.name]
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=pathlib.Path)
    parser.add_argument("answers", nargs="?", type=pathlib.Path)
    parser.add_argument("--gradus", type=pathlib.Path, help="check every golden model there and back with this program")
    args = parser.parse_args()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    if args.gradus:
        sys.exit(1 if check_golden(args.gradus) else 0)
    if not args.answers:
        parser.error("give FOLDER and ANSWERS, or --gradus")
    sys.exit(0 if check(args.folder.name, args.folder, args.answers) else 1)


if __name__ == "__main__":
    main()
