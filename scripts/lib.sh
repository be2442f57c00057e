# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# What the scripts share. To be sourced; sets `root`, the folder of the project.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# What Debian calls what each job takes.
packages_to_build=(meson ninja-build pkg-config g++ libgstreamer1.0-dev
  libgstreamer-plugins-base1.0-dev libegl-dev libyuv-dev libcli11-dev libfmt-dev nlohmann-json3-dev)
packages_to_run=(gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good
  gstreamer1.0-plugins-bad gstreamer1.0-libav)
packages_to_test=(libgtest-dev libgmock-dev libbenchmark-dev python3 python3-gi python3-gst-1.0
  python3-matplotlib gir1.2-gstreamer-1.0 gir1.2-gst-plugins-base-1.0)
packages_to_sanitize=(clang libclang-rt-dev llvm)
packages_to_emulate=(qemu-system-x86 busybox-static kmod xz-utils cpio)

say() { printf '\n== %s\n' "$*"; }

fail() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

is_installed() {
  [[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

as_root() {
  if [[ $(id -u) == 0 ]]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    fail "cannot run as root: $*; run it yourself, then this script again"
  fi
}

# need PACKAGE...: installs those that are missing.
need() {
  command -v dpkg-query >/dev/null || {
    echo "This is no Debian; what is missing must be installed by hand: $*"
    return 0
  }
  local package missing=()
  for package in "$@"; do
    is_installed "$package" || missing+=("$package")
  done
  [[ ${#missing[@]} -gt 0 ]] || return 0
  say "Installing ${missing[*]}"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq update
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends \
    "${missing[@]}" </dev/null
}

# debian_mirror APT_OPTION...: prints the Debian mirror that this machine's own apt uses, whichever way its sources are
# written; nothing where it has none.
debian_mirror() {
  (. /etc/os-release && apt-get "$@" update --print-uris 2>/dev/null |
    sed -n "s|^'\(.*\)/dists/${VERSION_CODENAME:-none}/InRelease'.*|\1|p" | head -1) || true
}

# configure FOLDER OPTION...: prepares a build folder, anew where it was prepared otherwise.
configure() {
  local folder=$1
  shift
  if [[ -f $folder/build.ninja ]]; then
    meson setup --reconfigure "$folder" "$root" "$@"
  else
    meson setup "$folder" "$root" "$@"
  fi
}

# use_build FOLDER: lets GStreamer find the plugin of that build, and keeps the user's registry out.
use_build() {
  export GST_PLUGIN_PATH=$1/gst/plugin GST_REGISTRY=$1/registry.bin
}

# fetch_footage: puts the real footage that a test takes into .cache/footage, once: four films out of
# Debian's opencv-doc, which is not installed. apt's own lists stay as they are. Without it that test skips.
fetch_footage() {
  local footage=$root/.cache/footage apt=$root/.cache/footage/apt options
  [[ ! -e $footage/.unpacked ]] || return 0
  command -v apt-get >/dev/null || return 0
  say "Fetching footage (95 MB, once)"
  mkdir -p "$apt/lists/partial"
  options=(-o Dir::State::lists="$apt/lists" -o Dir::Cache="$apt" -o APT::Sandbox::User=)
  (cd "$apt" && apt-get -qq "${options[@]}" update && apt-get -qq "${options[@]}" download opencv-doc &&
    dpkg-deb --fsys-tarfile opencv-doc_*.deb |
    tar -x -C "$footage" --wildcards --transform 's|.*/||' '*/examples/data/*.avi') &&
    touch "$footage/.unpacked" || echo "There is none: no mirror gives opencv-doc."
  rm -rf "$apt"
}
