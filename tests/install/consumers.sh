#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Installs the build into a folder of its own and builds programs against what is there, as another
# project would: through pkg-config.
#
# usage: consumers.sh BUILD_ROOT PREFIX    (CC, CXX: compilers; FILES: this folder)
set -uo pipefail
build=$(realpath "$1") prefix=$2
. "$(dirname "$(realpath "${BASH_SOURCE[0]}")")/../support/check.sh"

installs() { DESTDIR=$work/root meson install -C "$build" --no-rebuild --quiet; }

flags() { PKG_CONFIG_PATH=$pkgconfig pkg-config --cflags --libs "$1"; }

cpp_program() {
  # The compiler's words and the flags are meant to split.
  $CXX -std=c++20 -Wall -Wextra -Werror "$FILES/consumer.cpp" -o "$work/cpp" $(flags lockstep) &&
    [[ $("$work/cpp") == "2 frames of one instant" ]]
}

c_program() {
  $CC -std=c11 -Wall -Wextra -Werror "$FILES/consumer.c" -o "$work/c" $(flags gstlockstep-1.0) &&
    [[ $("$work/c") == "2 slots" ]]
}

elements() {
  env GST_PLUGIN_PATH="$libraries/gstreamer-1.0" GST_REGISTRY="$work/registry.bin" \
    gst-inspect-1.0 lockstep
}

command_line() { "$work/root$prefix/bin/lockstep" --version; }

check "meson installs everything" installs
pkgconfig=$(dirname "$(find "$work/root" -name lockstep.pc)")
libraries=$(dirname "$pkgconfig")
# Installed where they belong they would say so themselves.
sed -i "s|^prefix=.*|prefix=$work/root$prefix|" "$pkgconfig"/*.pc
export LD_LIBRARY_PATH=$libraries
check "a C++ program builds against lockstep and runs" cpp_program
if [[ -e $pkgconfig/gstlockstep-1.0.pc ]]; then
  check "a C program builds against gstlockstep-1.0 and runs" c_program
  check "GStreamer finds the installed elements" elements
fi
if [[ -e $work/root$prefix/bin/lockstep ]]; then
  check "the installed command line runs" command_line
fi
exit $failed
