#!/usr/bin/env bash
# The whole workflow with the installed `thresher` command: write a spec, check it, convert it,
# simulate it asynchronously, export every spike. Usage: workflow.sh [FOLDER]; nothing is downloaded.
set -euo pipefail

folder=${1:-$(mktemp -d)}
mkdir -p "$folder"
cd "$folder"

# The weights: those of the CNN that comes with the package.
weights=$(python -c 'from thresher import digits; print(digits.cnn_spec().with_suffix(".safetensors"))')
cp "$weights" cnn.safetensors

cat > cnn.yaml <<'SPEC'
thresher: 1
name: cnn
tensors: cnn.safetensors
inputs:
  image: {shape: [1, 8, 8], preprocess: {divide: 16}}
nodes:
  conv1: {op: conv2d, from: image, out_channels: 16, kernel: 3, padding: 1, bias: false}
  bn1: {op: batch_norm, from: conv1}
  relu1: {op: clipped_relu, from: bn1, max: 1.0}
  pool1: {op: avg_pool2d, from: relu1, kernel: 2}
  conv2: {op: conv2d, from: pool1, out_channels: 32, kernel: 3, padding: 1, bias: false}
  bn2: {op: batch_norm, from: conv2}
  relu2: {op: clipped_relu, from: bn2, max: 1.0}
  pool2: {op: avg_pool2d, from: relu2, kernel: 2}
  flatten: {op: flatten, from: pool2}
  fc: {op: linear, from: flatten, out_features: 10}
outputs: [fc]
SPEC

thresher validate cnn.yaml
thresher evaluate cnn.yaml --data digits
thresher convert cnn.yaml --recipe deng2021 --data digits --steps 16 -o cnn.snn.yaml
thresher simulate cnn.snn.yaml --data digits --limit 20 --schedule async --steps 16 \
    --ticks-per-step 16 --metrics metrics.json --trace spikes.npz

python - <<'PYTHON'
import json

import numpy as np

metrics = json.load(open("metrics.json"))
with np.load("spikes.npz") as trace:
    print(f"{metrics['samples']} images, accuracy {metrics['accuracy']}, {len(trace['tick'])} spikes")
PYTHON
echo "everything is in $PWD"
