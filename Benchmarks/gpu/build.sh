#!/usr/bin/env bash
# Makes .gpu/, a folder to carry to a machine with an NVIDIA GPU and no Swift: one static binary, the models
# and the scripts. There, run: python3 .gpu/run.py
set -euo pipefail
cd "$(dirname "$0")/../.."
scratch=${1:-.build-static}
swift build -c release --product needletail --static-swift-stdlib --scratch-path "$scratch"
mkdir -p .gpu
strip -o .gpu/needletail "$scratch/release/needletail"
cp Benchmarks/gpu/*.py .gpu/
for peer in ../shared/peers/gpu_torch.py; do [ -f "$peer" ] && cp "$peer" .gpu/; done
if [ -d ../shared/models ]; then
  for model in mnist cifar_resnet20 cifar_inception ultraface_rfb_320 silero_vad_16k; do
    [ -d "../shared/models/$model" ] && mkdir -p .gpu/models && cp -rL "../shared/models/$model" .gpu/models/
  done
fi
if [ -d ../shared/data/cifar10 ]; then
  mkdir -p .gpu/cifar10
  cp -L ../shared/data/cifar10/test_*.npy .gpu/cifar10/
fi
du -sh .gpu
