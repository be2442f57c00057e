#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What the virtual machine runs: one line each, all of them, and the exit status says whether all of
# them passed. A check that has no business on a machine without these cameras belongs here.
set -u
failed=0

# check NAME COMMAND...: runs it, prints how it went and how long it took. 77 means skipped.
check() {
  local name=$1 start=$SECONDS status=0
  shift
  echo "== $name"
  "$@" || status=$?
  case $status in
    0) echo "ok: $name ($((SECONDS - start)) s)" ;;
    77) echo "skipped: $name" ;;
    *)
      echo "FAILED: $name (exit status $status, $((SECONDS - start)) s)"
      failed=1
      ;;
  esac
}

# /dev/video0..3 capture with the single-planar API, 4 and 5 with the multi-planar one, 6 is an output.
load_cameras() {
  modprobe -d "$KERNEL_ROOT" -S "$(uname -r)" vivid n_devs=7 \
    node_types=0x1,0x1,0x1,0x1,0x1,0x1,0x100 multiplanar=1,1,1,1,2,2,1
}

# GStreamer's own elements; the list of plugins was made on the host by run.sh.
mux_test() {
  [[ -x $BUILD_ROOT/tests/vm/vm_mux_test ]] || return 77
  cp "$BUILD_ROOT/tests/vm/registry.bin" /tmp/mux-registry.bin
  GST_PLUGIN_PATH=$BUILD_ROOT/gst/plugin GST_REGISTRY=/tmp/mux-registry.bin \
    "$BUILD_ROOT/tests/vm/vm_mux_test" --gtest_brief=1
}

check "simulated cameras" load_cameras
check "dma-bufs of shared memory" test -c /dev/udmabuf
check "V4L2 cameras" "$BUILD_ROOT/tests/vm/vm_v4l2_test" --gtest_brief=1
check "every memory keeps its promises" "$BUILD_ROOT/tests/conformance/conformance_tests" \
  --file=memory_test --gtest_brief=1
check "V4L2 keeps the sensors' promises" "$BUILD_ROOT/tests/conformance/conformance_tests" \
  --gtest_brief=1 --gtest_filter='*_dev_video0:*_dev_video4'
check "v4l2src writes into the slots of a batch" mux_test
check "four cameras, one batch, one recording" bash "$SOURCE_ROOT/tests/vm/pipeline.sh"
exit $failed
