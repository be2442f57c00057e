#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The main job on four kernel cameras, in the virtual machine: the launch line of the README with smaller
# pictures, and `lockstep record`, whose summary says that no frame was copied. What they write must play.
set -euo pipefail
[[ -x $BUILD_ROOT/tools/lockstep ]] || { echo "this build has no command line"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export GST_PLUGIN_PATH=$BUILD_ROOT/gst/plugin GST_REGISTRY=$work/registry.bin
# Made on the host by run.sh: a scan of all plugins takes the guest ten seconds.
cp "$BUILD_ROOT/tests/vm/registry.bin" "$GST_REGISTRY"

sensors="v4l2:/dev/video0;v4l2:/dev/video1;v4l2:/dev/video2;v4l2:/dev/video3"
batches=10  # the guest is emulated, and encodes one picture a second on a busy machine

# The number of pictures that come out of a recording.
pictures() {
  gst-launch-1.0 -v filesrc location="$1" ! matroskademux ! h265parse ! avdec_h265 ! \
    fakesink name=end silent=false | grep -c 'last-message = chain'
}

expect() {
  local what=$1 wanted=$2 found=$3
  [[ $found == "$wanted" ]] && return
  echo "$what: wanted $wanted, found $found"
  exit 1
}

# The cameras have no common trigger: a frame of each lies within three quarters of a period.
gst-launch-1.0 -q lockstepsrc sensors="$sensors" memory=udmabuf num-buffers=$batches \
  sync-tolerance=25000000 ! "video/x-raw(ANY),width=320,height=180" ! queue ! \
  locksteptiler width=640 height=360 rows=2 columns=2 ! videoconvert ! \
  "video/x-raw,width=640,height=360,format=I420" ! x265enc speed-preset=ultrafast ! h265parse ! \
  matroskamux ! filesink location="$work/line.mkv"
expect "pictures of the launch line" $batches "$(pictures "$work/line.mkv")"

"$BUILD_ROOT/tools/lockstep" record -o "$work/record.mkv" --sensors "$sensors" --memory udmabuf \
  --batches $batches --sensor-width 320 --sensor-height 180 --tolerance 25 --encoder x265enc >"$work/summary" 2>&1 ||
  { cat "$work/summary"; exit 1; }
cat "$work/summary"
expect "pictures of lockstep record" $batches "$(pictures "$work/record.mkv")"
expect "copies" 0 "$(sed -n 's/^ *copies *\([0-9]*\)$/\1/p' "$work/summary")"
expect "cameras that import our dma-bufs" 4 "$(grep -c 'dmabuf (' "$work/summary")"
