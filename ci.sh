#!/usr/bin/env bash
# Everything that is checked, in one place: ./ci.sh STEP... | all | help
#
# A step is a function step_NAME and its name in STEPS. It fails by a command that
# fails, and steps aside by `skip REASON`. With CI=true a skipped step counts as
# failed, unless what lacks is a Rust toolchain that this machine cannot fetch.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1

STEPS=(fmt lint doc test no-std boards features msrv sim determinism instructions interop firmware
  fuzz audit)
# Seeds of the simulator that no earlier commit had.
FRESH_SEEDS=2000
BARE_METAL_TARGETS=(thumbv6m-none-eabi thumbv7em-none-eabihf thumbv8m.main-none-eabihf
  riscv32imac-unknown-none-elf)
# Packages outside the workspace, because they are built for another target.
OWN_WORKSPACES=(fuzz examples/firmware examples/pico2)

step_fmt() { # rustfmt, every workspace
  cargo fmt --all --check
  local workspace
  for workspace in $(own_workspaces); do
    cargo fmt --manifest-path "$workspace/Cargo.toml" --all --check
  done
}

step_lint() { # clippy on all targets, and the shell scripts parse
  cargo clippy --locked --workspace --all-targets --all-features --keep-going -- -D warnings
  # `--all-targets` leaves out what `cargo test` leaves out.
  cargo clippy --locked -p sansip-sim --test interop --all-features -- -D warnings
  local script
  for script in ci.sh $(git ls-files '*.sh'); do bash -n "$script"; done
}

step_doc() { # rustdoc without a warning
  RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --all-features --no-deps
}

step_test() { # unit, integration and documentation tests; needs only Rust
  if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --locked --workspace --all-features
    cargo test --locked --workspace --all-features --doc
  else
    cargo test --locked --workspace --all-features
  fi
}

step_no-std() { # phones without std and without an allocator link for microcontrollers, core and embassy
  local exports target
  exports=$(tests/ci/no-std-target.sh "${BARE_METAL_TARGETS[@]}") ||
    skip_toolchain "no Rust library for ${BARE_METAL_TARGETS[*]} to be had"
  eval "$exports"
  for target in "${BARE_METAL_TARGETS[@]}"; do
    cargo build --locked --release -p sansip-no-std --target "$target"
    costs_no_flash "$(target_dir)/$target/release/sansip-no-std" MEMORY MEDIA
    costs_no_flash "$(target_dir)/$target/release/sansip-no-std-embassy" PHONE
    size "$(target_dir)/$target/release"/sansip-no-std{,-embassy} | awk -v target="$target" '
      NR > 1 {sub(".*/", "", $NF); printf "%s %s: %d B of flash, %d B of RAM\n", target, $NF, $1 + $2, $2 + $3}'
    # With `alloc` the core may need an allocator, but never std.
    cargo check --locked -p sansip --all-features --target "$target"
  done
  needs_an_allocator "$target" --features planted-allocation
}

# A program with an allocation in it must not link, or linking the others proves nothing.
needs_an_allocator() {
  local target=$1 said
  shift
  if said=$(cargo build --locked --release -p sansip-no-std --bin sansip-no-std --target "$target" "$@" 2>&1); then
    echo "a planted allocation linked for $target"
    return 1
  fi
  grep -F "no global memory allocator found" <<<"$said"
}

step_features() { # every combination of every package's features is free of warnings
  local manifest package set
  for manifest in core/Cargo.toml runtime-*/Cargo.toml examples/Cargo.toml tests/Cargo.toml; do
    package=$(awk -F'"' '/^name = /{print $2; exit}' "$manifest")
    while IFS= read -r set; do
      echo "$package: [$set]"
      cargo clippy --quiet --locked -p "$package" --all-targets --no-default-features \
        --features "$set" -- -D warnings
    done < <(feature_sets "$manifest")
  done
  cargo test --quiet --locked -p sansip --no-default-features
}

step_msrv() { # each package builds with the rust-version that it states
  local stated version packages
  stated=$(tests/ci/rust-versions.sh --no-deps)
  for version in $(awk '{print $3}' <<<"$stated" | sort -u); do
    if ! rustup run "$version" rustc -V 2>/dev/null; then
      timeout 120 rustup toolchain install "$version" --profile minimal >/dev/null 2>&1 ||
        skip_toolchain "Rust $version is not installed and cannot be fetched"
    fi
    packages=$(awk -v version="$version" '$3 == version {print "-p", $1}' <<<"$stated")
    # shellcheck disable=SC2086 # one word an option
    rustup run "$version" cargo check --locked --all-features $packages --target-dir "$(target_dir)/msrv"
  done
}

step_sim() { # the simulator: fixed seeds, fresh ones of this commit, media, and twice the same
  cargo build --quiet --locked --release -p sansip-sim --bin sim
  local sim fresh line
  sim="$(target_dir)/release/sim"
  fresh=$((16#$(git rev-parse HEAD | cut -c1-7) + 1000000))
  "$sim" --seeds 0..1000
  while read -r line; do
    # shellcheck disable=SC2086 # one word an option
    "$sim" $line >/dev/null || { echo "failed once, and again: sim $line"; return 1; }
  done < <(sed 's/ *#.*//; /^$/d' tests/ci/seeds.txt)
  "$sim" --seeds "$fresh..$((fresh + FRESH_SEEDS))"
  "$sim" --seeds 0..40 --media --calls 10
  "$sim" --seeds 0..100 --calls 10 --twice
}

step_determinism() { # a seed gives the same bytes in release, in debug and on 32 bits
  local target=i686-unknown-linux-musl release debug narrow
  cargo build --quiet --locked --release -p sansip-sim --bin sim
  # with the features that the tests have built everything with
  cargo build --quiet --locked --workspace --all-features --bin sim
  release=$(hashes release/sim)
  debug=$(hashes debug/sim)
  [ "$release" = "$debug" ] || { echo "debug differs:"; diff <(echo "$release") <(echo "$debug"); return 1; }
  rust_std_for $target || skip_toolchain "no Rust library for $target to be had"
  # rust-lld comes with the toolchain, and a short build is worth more than a fast program here.
  CARGO_TARGET_I686_UNKNOWN_LINUX_MUSL_LINKER=rust-lld CARGO_PROFILE_RELEASE_LTO=off \
    CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_DEBUG=0 \
    cargo build --quiet --locked --release -p sansip-sim --bin sim --target $target
  narrow=$(hashes $target/release/sim)
  [ "$release" = "$narrow" ] || { echo "32 bits differ:"; diff <(echo "$release") <(echo "$narrow"); return 1; }
  echo "100 seeds of signalling and 20 with media, the same on 64 bits in release and debug and on 32 bits: $(sha256sum <<<"$release")"
}

step_instructions() { # exact costs under callgrind stay within core/benches/instructions.tsv
  local code=0
  tests/ci/instructions.sh || code=$?
  [ $code != 3 ] || skip "valgrind cannot be installed here"
  return $code
}

step_bench() { # times of the hot paths, one table; not part of all, as times need a quiet machine
  cargo bench --locked -p sansip --features alloc \
    --bench parse --bench sdp --bench media --bench endpoint \
    -- --warm-up-time 0.5 --measurement-time 2 2> >(grep -v ^Benchmarking >&2) | awk '
    /time:/ {
      name = $0; sub(/ *time:.*/, "", name); if (name == "") name = last
      split($0, part, "[][]"); split(part[2], time, " ")
      printf "%-44s %9s %-2s  (%s to %s %s)\n", name, time[3], time[4], time[1], time[5], time[6]
    }
    {last = $0}'
}

step_interop() { # real peers: Asterisk, SIPp, baresip
  tests/interop/install.sh || skip "the peers cannot be installed here"
  cargo test --locked -p sansip-sim --all-features --test interop -- --test-threads 2
}

step_firmware() { # the phone on a Cortex-M in QEMU against Asterisk; sizes and counts within budget
  tests/embedded/get-qemu.sh >/dev/null || skip "QEMU cannot be had here"
  tests/interop/install.sh || skip "Asterisk cannot be installed here"
  tests/ci/no-std-target.sh thumbv7em-none-eabihf thumbv7m-none-eabi >/dev/null ||
    skip_toolchain "no Rust library for the boards to be had"
  tests/embedded/firmware.sh check
}

step_boards() { # the door phone for a real board compiles and links: RP2350, W5500, I2S, microphone
  local exports target
  exports=$(tests/ci/no-std-target.sh thumbv8m.main-none-eabihf) ||
    skip_toolchain "no Rust library for thumbv8m.main-none-eabihf to be had"
  eval "$exports"
  target=$(target_dir)
  cd examples/pico2 # whose .cargo/config.toml counts only from within it
  cargo build --locked --release --target-dir "$target"
}

step_size() { # flash by crate and by module of the whole phone, against its budget
  tests/ci/no-std-target.sh thumbv7em-none-eabihf >/dev/null ||
    skip_toolchain "no Rust library for the board to be had"
  tests/embedded/firmware.sh build
  tests/embedded/firmware.sh size phone --image-only
  tests/embedded/firmware.sh size alone
  tests/embedded/firmware.sh features
}

step_fuzz() { # each target for 20 s, after its invariants on the RFC vectors
  cargo test --quiet --manifest-path fuzz/Cargo.toml --lib
  rustup run nightly rustc -V >/dev/null 2>&1 || skip_toolchain "cargo-fuzz needs a nightly Rust"
  cargo fuzz --version >/dev/null 2>&1 || cargo install --quiet --locked cargo-fuzz ||
    skip "cargo-fuzz cannot be installed here"
  fuzz/smoke.sh "${FUZZ_SECONDS:-20}"
}

step_audit() { # licences, duplicate versions and rust-versions of the dependencies
  tests/ci/audit.sh
}

# ---- helpers of the steps

skip() { echo "$*" >"$REASON"; exit 77; }
skip_toolchain() { echo "$*" >"$REASON"; exit 78; }

own_workspaces() {
  local workspace
  for workspace in "${OWN_WORKSPACES[@]}"; do
    [ ! -f "$workspace/Cargo.toml" ] || echo "$workspace"
  done
}

# costs_no_flash PROGRAM STATIC...: idle statics are all zero. One byte that is not would put the
# whole of it into .data, which is copied from flash at each boot.
costs_no_flash() {
  local program=$1 name symbols
  shift
  symbols=$(nm -C "$program") # not a pipe into grep -q, which would end nm by a signal
  for name in "$@"; do
    grep -q " [bB] .*::$name\$" <<<"$symbols" || { echo "$program: $name is not in .bss"; return 1; }
  done
}

# hashes PROGRAM: a line a seed, of all bytes and events of its run: 100 of signalling, 20 with media.
hashes() {
  "$(target_dir)/$1" --seeds 0..100 --calls 4 --hashes | grep ^hash
  "$(target_dir)/$1" --seeds 0..20 --calls 4 --media --hashes | grep ^hash
}

# rust_std_for TARGET: the toolchain has its standard library, or gets it.
rust_std_for() {
  compgen -G "$(rustc --print sysroot)/lib/rustlib/$1/lib/libstd-*.rlib" >/dev/null ||
    timeout 120 rustup target add "$1" >/dev/null 2>&1
}

target_dir() { echo "${CARGO_TARGET_DIR:-$PWD/target}"; }

# feature_sets MANIFEST: each subset of its features but `default`, one a line, comma-separated.
feature_sets() {
  awk '/^\[/{inside = ($0 == "[features]")} inside && /^[a-z0-9_-]+ *=/ && $1 != "default" {f[n++] = $1}
    END {for (set = 0; set < 2^n; set++) {line = ""
      for (i = 0; i < n; i++) if (int(set / 2^i) % 2) line = line (line == "" ? "" : ",") f[i]
      print line}}' "$1"
}

# ---- the runner

RESULTS=() FAILED=0 PASSED=0 SKIPPED=0

run() { # NAME: run one step in a shell of its own and note how it ended
  local name=$1 start=$SECONDS code result
  printf '\n== %s\n' "$name"
  : >"$REASON"
  (set -e; "step_$name") </dev/null
  code=$?
  case $code in
    0) result=ok PASSED=$((PASSED + 1)) ;;
    77 | 78)
      result="SKIP $name: $(<"$REASON")"
      echo "$result"
      if [ "${CI:-}" = true ] && [ $code = 77 ]; then
        result="FAIL, as CI may not skip it: $(<"$REASON")" FAILED=$((FAILED + 1))
      else
        SKIPPED=$((SKIPPED + 1))
      fi ;;
    *) result="FAIL" FAILED=$((FAILED + 1)) ;;
  esac
  RESULTS+=("$(printf '%-10s %5d s  %s' "$name" $((SECONDS - start)) "$result")")
  echo "== $name: ${result%% *}, $((SECONDS - start)) s"
}

summary() {
  printf '\n%-10s %7s  %s\n' step time result
  printf '%s\n' "${RESULTS[@]}"
  echo "$PASSED passed, $FAILED failed, $SKIPPED skipped"
}

help() {
  sed -n '2,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
  sed -n 's/^step_\([a-z-]*\)() { # \(.*\)/  \1: \2/p' "${BASH_SOURCE[0]}"
}

main() {
  case "${1:-}" in
    '') help >&2; exit 2 ;;
    help | -h | --help) help; exit 0 ;;
    all) set -- "${STEPS[@]}" ;;
  esac
  local name
  for name in "$@"; do
    declare -F "step_$name" >/dev/null || { echo "ci.sh: no step '$name'; see ./ci.sh help" >&2; exit 2; }
  done
  REASON=$(mktemp)
  trap 'rm -f "$REASON"' EXIT
  for name in "$@"; do run "$name"; done
  summary
  [ $FAILED = 0 ]
}

main "$@"
