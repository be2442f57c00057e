#!/bin/bash
# SPDX-License-Identifier: MIT
#
# `lockstep record` of frames that lie on a GPU: of memory=cuda, and of cameras on EGLStreams.
#
# usage: record.sh LOCKSTEP
set -euo pipefail
lockstep=$1
[[ -e /dev/nvidia0 || -e /dev/dxg ]] || {
  echo "skipped: there is no NVIDIA GPU here"
  exit 77
}
folder=$(mktemp -d)
cameras=()
trap '((${#cameras[@]} == 0)) || kill "${cameras[@]}"; rm -rf "$folder"' EXIT

"$lockstep" record --memory cuda -n 2 --sensors "sim?realtime=false" --batches 30 -o "$folder/memory.mkv"
"$lockstep" verify "$folder/memory.mkv" --expect-batches 30

for i in 0 1; do
  "$lockstep" camera --eglstream "$folder/$i.sock" --index "$i" --width 320 --height 180 --framerate 30 &
  cameras+=($!)
done
for i in 0 1; do
  for _ in {1..100}; do [[ -S $folder/$i.sock ]] || sleep 0.1; done
done
"$lockstep" record --sensors "eglstream:$folder/0.sock;eglstream:$folder/1.sock" --batches 30 \
  -o "$folder/egl.mkv" | tee "$folder/summary"
grep -q ': 30 pictures' "$folder/summary"
