#!/usr/bin/env bash
# Prints the path of a qemu-system-arm that works: the machine's own, else one unpacked from the
# distribution's packages into a private folder. The machine's packages are not touched.
#
#   QEMU_DIR   the private folder (default: ~/.cache/qemu-arm)
set -eu

if command -v qemu-system-arm; then exit 0; fi

dir="${QEMU_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/qemu-arm}"
qemu="$dir/qemu-system-arm"
works() { "$qemu" --version >/dev/null 2>&1; }
if works; then echo "$qemu"; exit 0; fi

command -v apt-get >/dev/null || { echo "get-qemu: no qemu-system-arm and no apt-get" >&2; exit 1; }
rm -rf "$dir"
mkdir -p "$dir/packages/partial" "$dir/root"
if ! ls /var/lib/apt/lists/*Packages* >/dev/null 2>&1; then
  apt-get -q update >"$dir/apt-update.log" 2>&1 || true # the download says what is missing
fi
apt-get -q install -y --no-install-recommends --download-only \
  -o Dir::Cache::archives="$dir/packages" -o Debug::NoLocking=1 -o APT::Sandbox::User=root \
  qemu-system-arm >"$dir/apt.log" 2>&1 || { tail -5 "$dir/apt.log" >&2; exit 1; }
for package in "$dir"/packages/*.deb; do dpkg -x "$package" "$dir/root"; done
rm -rf "$dir/packages"

triplet="$(dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null || gcc -print-multiarch 2>/dev/null ||
  echo "$(uname -m)-linux-gnu")"
libraries="$dir/root/usr/lib/$triplet"
cat >"$qemu" <<WRAPPER
#!/bin/sh
LD_LIBRARY_PATH=$libraries:$dir/root/lib/$triplet QEMU_MODULE_DIR=$libraries/qemu \\
  exec $dir/root/usr/bin/qemu-system-arm -L $dir/root/usr/share/qemu "\$@"
WRAPPER
chmod +x "$qemu"
works || { echo "get-qemu: the unpacked qemu-system-arm does not start" >&2; exit 1; }
echo "$qemu"
