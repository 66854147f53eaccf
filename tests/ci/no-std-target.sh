#!/usr/bin/env bash
# no-std-target.sh TARGET...: make `cargo build --target TARGET` possible. Prints `export`
# lines for the caller to eval; fails if a target is not to be had.
#
#   1. The toolchain has the target, or rustup can add it.
#   2. Else Debian's `rust-src` of exactly this rustc's version is unpacked into a private
#      folder and core and alloc are built from it once, into a private sysroot. After that
#      plain stable cargo works: no RUSTC_BOOTSTRAP in the project's own build, where build
#      scripts would take it for a nightly. The installed toolchain is never changed.
#
# NO_STD_FORCE_SOURCE=1 takes the second way in any case, to try it out.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/private-apt.sh"

CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/sansip-no-std
VERSION=$(rustc -V | awk '{sub(/-.*/, "", $2); print $2}')
RUSTLIB=$(rustc --print sysroot)/lib/rustlib
HOST=$(rustc -vV | sed -n 's/^host: //p')

main() {
  local target
  for target in "$@"; do
    if [ -z "${NO_STD_FORCE_SOURCE:-}" ]; then
      in_toolchain "$target" && continue
      add_by_rustup "$target" && continue
    fi
    log "rustup has no $target, building its core library from Debian's source"
    library_source >&2
    build_core "$target" >&2
    echo "export CARGO_TARGET_$(tr a-z.- A-Z__ <<<"$target")_RUSTFLAGS='--sysroot $CACHE/$VERSION/sysroot'"
  done
}

log() { echo "no-std-target: $*" >&2; }

in_toolchain() { compgen -G "$RUSTLIB/$1/lib/libcore-*.rlib" >/dev/null; }

add_by_rustup() {
  command -v rustup >/dev/null && timeout 60 rustup target add "$1" >/dev/null 2>&1 && in_toolchain "$1"
}

# Unpack the library source of this very version into $CACHE/VERSION/library.
library_source() {
  local work=$CACHE/$VERSION
  [ ! -d "$work/library" ] || return 0
  mkdir -p "$work/unpack"
  private_apt "$work/apt" debian_has_source trixie-backports sid forky trixie bookworm-backports
  (cd "$work/unpack" && timeout 300 apt-get -q download "rust-src=$(debian_source_version)")
  dpkg --fsys-tarfile "$work"/unpack/rust-src_*.deb |
    tar -x -C "$work/unpack" --wildcards './usr/src/rustc-*/library'
  mv "$work"/unpack/usr/src/rustc-*/library "$work/library"
  rm -rf "$work/unpack" "$work/apt"
}

debian_has_source() { [ -n "$(debian_source_version)" ]; }
debian_source_version() {
  apt-cache madison rust-src 2>/dev/null | awk -v wanted="$VERSION+" '!found && index($3, wanted) == 1 {print $3; found = 1}'
}

# Build core and alloc for a target with the options of the released ones, so that sizes compare.
build_core() {
  local target=$1 source=$CACHE/$VERSION/library sysroot=$CACHE/$VERSION/sysroot work
  local lib=$sysroot/lib/rustlib/$target/lib
  ! compgen -G "$lib/libcore-*.rlib" >/dev/null || return 0
  mkdir -p "$sysroot/lib/rustlib"
  ln -sfn "$RUSTLIB/$HOST" "$sysroot/lib/rustlib/$HOST" # rust-lld and the host's std
  work=$(mktemp -d)
  mkdir "$work/src"
  echo '#![no_std]' >"$work/src/lib.rs"
  cat >"$work/Cargo.toml" <<TOML
[package]
name = "sysroot"
version = "0.0.0"
edition = "2024"
[profile.release]
panic = "abort"
debug = 0
[workspace]
TOML
  (
    cd "$work"
    unset CARGO_ENCODED_RUSTFLAGS
    RUSTFLAGS="-Cembed-bitcode=yes --remap-path-prefix=$source=/rustc/$VERSION" \
      CARGO_TARGET_DIR=$work/target RUSTC_BOOTSTRAP=1 __CARGO_TESTS_ONLY_SRC_ROOT=$source \
      cargo build -q --release --target "$target" -Zbuild-std=core,alloc \
      -Zbuild-std-features=compiler-builtins-mem \
      --config 'source.crates-io.replace-with="library"' \
      --config "source.library.directory=\"$source/vendor\""
  )
  mkdir -p "$lib.new"
  cp "$work/target/$target"/release/deps/lib{core,alloc,compiler_builtins}-*.rlib "$lib.new"/
  mv "$lib.new" "$lib" # whole or not at all: a killed run leaves nothing half
  rm -rf "$work"
}

main "$@"
