#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Checks that core is pure: what it includes, itself or by way of others, is neither of a higher layer nor makes system calls.
#
# usage: core.sh SOURCE_ROOT
#   COMPILER  a command line that lists what a source includes
set -euo pipefail
root=$1
higher='(src/(cuda|memory|rig|sensor)|lockstep/(cuda|cuda_kernels|eglstream|memory|rig|sensor|slot_dispenser))[/.]'
system='#include <(ctime|condition_variable|dlfcn|fcntl|filesystem|fstream|iostream|mutex|poll|pthread|thread|time|unistd|linux/.*|sys/.*)(\.h)?>'
failed=0
for source in "$root"/src/core/*.cpp; do
  # Words of the command line are meant to split.
  included=$($COMPILER "-I$root/include" "-I$root/src" "$source" | tr -d '\\' | tr ' ' '\n' | sed -n "s|^$root/||p")
  wrong=$(grep -E "$higher" <<<"$included" || true)
  calls=$(cd "$root" && grep -nHE "$system" $included || true)
  if [ -z "$wrong$calls" ]; then
    echo "ok: $(basename "$source")"
  else
    printf 'FAILED: %s includes\n%s\n' "$(basename "$source")" "$wrong$calls"
    failed=1
  fi
done
exit $failed
