#!/usr/bin/env bash
# smoke.sh [SECONDS [TARGET...]]: run fuzz targets, 20 s each unless given, from the RFC vectors as
# seeds. What they find lies in fuzz/artifacts/TARGET; what they learnt stays in fuzz/corpus/TARGET.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
seconds=${1:-20}
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(sed -n "s/^name = \"\([a-z_]*\)\"$/\1/p" Cargo.toml)

main() {
  local target
  cargo +nightly fuzz build
  for target in "${targets[@]}"; do
    seed "$target"
    echo "--- $target, $seconds s"
    cargo +nightly fuzz run "$target" -- -max_total_time="$seconds" -dict=sip.dict -timeout=10 \
      -rss_limit_mb=2048 -max_len=16384 -print_final_stats=1 -verbosity=0 2>"artifacts.log" ||
      { tail -n 40 artifacts.log; return 1; }
    grep -E 'number_of_executed_units|average_exec_per_sec' artifacts.log | sed 's/^stat:://'
  done
  rm -f artifacts.log
}

# seed TARGET: the messages or descriptions that it reads.
seed() {
  local corpus=corpus/$1 vectors=../tests/vectors
  mkdir -p "$corpus"
  case $1 in
    message | header | framer | endpoint | writer | two_phones)
      find "$vectors"/rfc* -type f -size -16k | awk 'NR <= 400' | copy "$corpus" ;;
    sdp) find "$vectors/sdp" -type f | copy "$corpus" ;;
    uri) grep -rhoaE 'sips?:[^ >]+' "$vectors"/rfc* | sort -u | awk 'NR <= 300' | split_lines "$corpus" ;;
    digest) grep -rhaoE 'Digest .*' "$vectors"/rfc* | sort -u | split_lines "$corpus" ;;
  esac
}

copy() { while IFS= read -r file; do cp -n "$file" "$1/$(tr / _ <<<"${file#../}")"; done; }

split_lines() {
  local line number=0
  while IFS= read -r line; do
    printf %s "${line%$'\r'}" >"$1/seed-$((number += 1))"
  done
}

main
