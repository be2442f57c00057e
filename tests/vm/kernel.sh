#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Prints the folder of an unpacked Debian kernel that has vivid (simulated V4L2 cameras) and
# udmabuf, after fetching it from bookworm-backports if it is not in the cache yet.
#
# Nothing is installed and apt's own configuration is only read: the package lists, the sources list
# and the package all live in the cache folder. Exit status 77: this machine cannot have it.
#
# usage: kernel.sh
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"
cache=${XDG_CACHE_HOME:-$root/.cache}/lockstep-vm

skip() {
  echo "skipped: $*" >&2
  exit 77
}

# The newest kernel that is in the cache and whole (the mark is written last).
cached_kernel() {
  find "$cache" -mindepth 2 -maxdepth 2 -name .unpacked 2>/dev/null | sort -V | tail -1 | xargs -r dirname
}

# apt with lists and sources of our own.
private_apt() {
  local tool=$1
  shift
  "$tool" -qq "${apt_folders[@]}" -o Dir::Etc::sourcelist="$cache/apt/sources.list" \
    -o Dir::Etc::sourceparts=- "$@"
}

fetch_kernel() {
  command -v apt-get >/dev/null || skip "no apt-get: the kernel comes from a Debian mirror"
  [ "$(dpkg --print-architecture)" = amd64 ] || skip "the kernel is for amd64 only"
  mkdir -p "$cache/apt/lists/partial"
  apt_folders=(-o Dir::State::lists="$cache/apt/lists" -o Dir::Cache="$cache/apt" -o APT::Sandbox::User=)

  local keyring=/usr/share/keyrings/debian-archive-keyring.gpg address
  address=$(debian_mirror "${apt_folders[@]}")
  [ -n "$address" ] && [ -e "$keyring" ] || skip "apt has no Debian mirror to take a kernel from"
  echo "deb [signed-by=$keyring] $address bookworm-backports main" >"$cache/apt/sources.list"
  private_apt apt-get update >&2 || skip "the mirror does not give bookworm-backports"

  local package
  package=$(private_apt apt-cache search --names-only '^linux-image-[0-9.]+\+deb12-amd64$' |
    cut -d' ' -f1 | sort -V | tail -1)
  [ -n "$package" ] || skip "bookworm-backports has no kernel package"
  unpack "$package"
}

unpack() {
  local root="$cache/${1#linux-image-}" deb
  rm -rf "$root"
  mkdir -p "$root"
  echo "fetching $1" >&2
  (cd "$root" && private_apt apt-get download "$1" >&2) || skip "cannot download $1"
  deb=$(ls "$root"/*.deb)
  dpkg -x "$deb" "$root"
  rm "$deb"
  depmod -b "$root" "$(ls "$root/lib/modules")"
  touch "$root/.unpacked"
}

[ -n "$(cached_kernel)" ] || fetch_kernel
cached_kernel
