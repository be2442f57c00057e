# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# For scripts that are tests. To be sourced; sets `work`, a folder that goes when the script ends, and `failed`, what it
# is to exit with.
failed=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# check NAME COMMAND...: runs it, and tells how it went as scripts/summary.py reads it, with its output where it failed.
check() {
  local name=$1
  shift
  if "$@" >"$work/log" 2>&1; then
    echo "ok: $name"
  else
    echo "FAILED: $name"
    sed 's/^/  /' "$work/log"
    failed=1
  fi
}
