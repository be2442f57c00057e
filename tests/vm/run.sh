#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Runs a script in a virtual machine whose kernel has simulated V4L2 cameras, and exits as it did.
#
# The guest sees this machine's own files (changes stay in the guest), so that it runs the build as
# it is. Emulated in software: works without KVM, where the machine is itself a virtual one.
# Exit status 77: something that it takes is not there.
#
# usage: run.sh SCRIPT SOURCE_ROOT BUILD_ROOT
set -euo pipefail
script=$(realpath "$1") source_root=$(realpath "$2") build_root=$(realpath "$3")
here=$(dirname "$(realpath "$0")")
limit_seconds=${LOCKSTEP_VM_LIMIT:-570}

skip() {
  echo "skipped: $*"
  exit 77
}

# The modules that the guest's init needs to reach this machine's files, in the order of loading.
pack_modules() {
  local kernel_root=$1 into=$2 version module path
  version=$(ls "$kernel_root/lib/modules")
  for module in 9p 9pnet_virtio overlay; do
    modprobe -S "$version" -d "$kernel_root" --show-depends "$module" | sed -n 's/^insmod \([^ ]*\).*/\1/p'
  done | while read -r path; do
    module=$(basename "${path%.xz}")
    [ -e "$into/$module" ] && continue
    case $path in *.xz) xz -dc "$path" ;; *) cat "$path" ;; esac >"$into/$module"
    echo "$module"
  done >"$into/order"
}

pack_initramfs() {
  local kernel_root=$1 image=$2 tree=$work/tree
  mkdir -p "$tree"/{bin,dev,proc,sys,host,root,scratch,modules}
  cp "$(command -v busybox)" "$tree/bin/busybox"
  cp "$here/init" "$tree/init"
  chmod +x "$tree/init"
  pack_modules "$kernel_root" "$tree/modules"
  printf '%s=%q\n' KERNEL_ROOT "$kernel_root" GUEST_SCRIPT "$script" SOURCE_ROOT "$source_root" \
    BUILD_ROOT "$build_root" >"$tree/settings"
  (cd "$tree" && find . | busybox cpio -o -H newc 2>/dev/null) >"$image"
}

# GStreamer's list of plugins, made here where it takes a second.
list_plugins() {
  GST_PLUGIN_PATH=$build_root/gst/plugin GST_REGISTRY=$build_root/tests/vm/registry.bin \
    gst-inspect-1.0 lockstepsrc >/dev/null
}

boot() {
  local kernel=$1 image=$2
  timeout --foreground "$limit_seconds" qemu-system-x86_64 \
    -accel tcg,thread=multi -cpu max -smp 2 -m 2048 -nodefaults -no-reboot -display none -serial stdio \
    -kernel "$kernel" -initrd "$image" -append "console=ttyS0 quiet panic=-1 oops=panic" \
    -virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap </dev/null |
    sed -u 's/\r$//; /reboot: Power down/d'
}

export PATH=$PATH:/usr/sbin:/sbin  # modprobe, for users whose PATH lacks them
for tool in qemu-system-x86_64 busybox modprobe xz; do
  command -v "$tool" >/dev/null || skip "no $tool on this machine"
done
ldd "$(command -v busybox)" >/dev/null 2>&1 && skip "busybox is not the static one (busybox-static)"

kernel_root=$("$here/kernel.sh") || exit $?
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
pack_initramfs "$kernel_root" "$work/initramfs"
[ ! -d "$build_root/gst/plugin" ] || list_plugins
boot "$(ls "$kernel_root"/boot/vmlinuz-*)" "$work/initramfs" | tee "$work/log" || true

status=$(sed -n 's/^guest exit status: \([0-9]*\)$/\1/p' "$work/log" | tail -1)
[ -n "$status" ] || echo "the guest did not finish within $limit_seconds s, or died"
exit "${status:-1}"
