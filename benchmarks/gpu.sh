#!/bin/sh
# What the product does on one H100 or H200, in under ten minutes; JSON with the card's name on the terminal.
#
#     sh benchmarks/gpu.sh [--out FILE] [--parts scoring training parity kmeans detector]
#     sh benchmarks/gpu.sh --cpu            everything in tiny, without a GPU: that the script works
#     sh benchmarks/gpu.sh --pack FOLDER    for an image that has PyTorch and little else
#
#   scoring   through the product's own score step, from ingest's files: ViT-B/32 and ViT-L/14, random weights, bf16,
#             compiled; pairs/s, share of the GEMM peak measured in the same run, share of the time waiting for data
#   training  steps through the product's trainer (CLIP, SigLIP): pairs/s, share of peak; a job stopped and gone on with
#   parity    the trained model's scores, float32 on the CPU against bf16 on the GPU: Spearman (wanted: .999);
#             it reads what `training` left: ask for both, or name the same --work
#   kmeans    the clustering of semantic dedup: a million rows
#   detector  the detector of text in pixels, by onnxruntime
#
# A bare image (PyTorch 2.11, no registry): where the product is installed under the same minor version of Python,
# `sh benchmarks/gpu.sh --pack packs` writes the packages that such an image lacks, without what no part of this needs,
# as packs/opencv.tar.xz and packs/rest.tar.xz, each under 64 MB: where a trip carries no more, two trips. Carry them with
# the checkout and set PACKS=packs. torch, numpy and what torch needs are the image's own. PYTHON names the interpreter.
set -eu
cd "$(dirname "$0")/.."
PYTHON="${PYTHON:-python}"
if [ "${1:-}" = "--pack" ]; then
    exec "$PYTHON" -m benchmarks.gpu.pack "$2"
fi
if [ -n "${PACKS:-}" ]; then
    packages="$(mktemp -d)"
    trap 'rm -rf "$packages"' EXIT
    for pack in "$PACKS"/*.tar.xz; do
        "$PYTHON" -c 'import sys, tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2], filter="data")' \
            "$pack" "$packages"
    done
    PYTHONPATH="$packages${PYTHONPATH:+:$PYTHONPATH}"
fi
PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}" "$PYTHON" -m benchmarks.gpu "$@"
