#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Compiles each header of a folder alone, twice over, and checks that it defines no foreign macro.
#
# usage: alone.sh INCLUDE_FOLDER SUBFOLDER
#   COMPILERS  command lines that only check syntax, separated by ;
#   PACKAGES   pkg-config packages whose flags they need
#   FOREIGN    macros that betray other people's headers
set -euo pipefail
include=$1 subfolder=$2
failed=0
flags="-I$include"
[ -z "${PACKAGES:-}" ] || flags+=" $(pkg-config --cflags "$PACKAGES")"

unit_of() {
  printf '#include <%s>\n' "$1" "$1"
  for macro in $FOREIGN; do
    printf '#ifdef %s\n#error "%s comes along"\n#endif\n' "$macro" "$macro"
  done
  echo 'int unit_is_not_empty;'
}

IFS=';' read -ra compilers <<<"$COMPILERS"
for path in "$include/$subfolder"/*.h; do
  header=$subfolder/$(basename "$path")
  for compiler in "${compilers[@]}"; do
    language=c++
    [[ $compiler == *c++20* ]] || language=c
    # Words of the command line and the flags are meant to split.
    if unit_of "$header" | $compiler $flags -x $language -; then
      echo "ok: $header alone in ${language^^}"
    else
      echo "FAILED: $header alone in ${language^^}"
      failed=1
    fi
  done
done
exit $failed
