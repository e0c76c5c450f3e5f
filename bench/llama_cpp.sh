#!/usr/bin/env bash
# Build llama.cpp for this very machine and print the folder of its programs: llama_cpp.sh FOLDER
# The source is the one that the Python package llama-cpp-python carries; the version is pinned so that figures can be compared.
set -euo pipefail
version=0.3.36
folder=$1
programs="$folder/build/bin"
if [[ ! -x "$programs/llama-perplexity" ]]; then
    command -v cmake >/dev/null && command -v c++ >/dev/null || { echo "building llama.cpp needs cmake and a C++ compiler" >&2; exit 1; }
    mkdir -p "$folder"
    python3 -m pip download --quiet --no-deps --no-binary :all: "llama-cpp-python==$version" --dest "$folder" >&2
    tar xzf "$folder"/llama_cpp_python-*.tar.gz --directory "$folder" --strip-components 1
    cmake -S "$folder/vendor/llama.cpp" -B "$folder/build" -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=ON -DLLAMA_CURL=OFF \
        -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_SERVER=ON >&2
    cmake --build "$folder/build" --parallel --target llama-bench llama-quantize llama-perplexity llama-server >&2
fi
echo "$programs"
