#!/usr/bin/env bash
# smoke.sh [SECONDS [TARGET...]]: run fuzz targets, 20 s each unless given, FUZZ_JOBS (2) at once,
# from the RFC vectors as seeds. What they find lies in fuzz/artifacts/TARGET; what they learnt
# stays in fuzz/corpus/TARGET.
#
# Without a sanitizer: the library forbids unsafe code, a finding is a panic, an overflow, a hang
# or a broken invariant, and each run is several times faster.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
seconds=${1:-20}
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(sed -n "s/^name = \"\([a-z_]*\)\"$/\1/p" Cargo.toml)
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

main() {
  local target running=0 failed=0
  cargo +nightly fuzz build --sanitizer none
  for target in "${targets[@]}"; do
    if [ $running -ge "${FUZZ_JOBS:-2}" ]; then
      wait -n || failed=1
      running=$((running - 1))
    fi
    fuzz "$target" &
    running=$((running + 1))
  done
  for ((; running > 0; running--)); do wait -n || failed=1; done
  return $failed
}

# fuzz TARGET: one line of what it did, at its end; on a finding the end of its log instead.
fuzz() {
  local log=$logs/$1
  seed "$1"
  if cargo +nightly fuzz run --sanitizer none "$1" -- -max_total_time="$seconds" -dict=sip.dict \
    -timeout=10 -rss_limit_mb=2048 -max_len="$(max_len "$1")" -print_final_stats=1 -verbosity=0 \
    2>"$log"; then
    awk -v target="$1" -v seconds="$seconds" '
      $1 == "stat::number_of_executed_units:" {units = $2}
      $1 == "stat::average_exec_per_sec:" {rate = $2}
      END {printf "%-16s %4d s %9d executions %7d a second\n", target, seconds, units, rate}' "$log"
  else
    { echo "--- $1 found something:"; tail -n 40 "$log"; } >"$log.end"
    cat "$log.end"
    return 1
  fi
}

# Programs of inputs and time cost by their length, and say as much in a few of them.
max_len() { case $1 in endpoint | two_phones | media_session | world) echo 2048 ;; *) echo 16384 ;; esac; }

# seed TARGET: the messages or descriptions that it reads.
seed() {
  local corpus=corpus/$1 vectors=../tests/vectors
  mkdir -p "$corpus"
  case $1 in
    message | header | framer | writer)
      find "$vectors"/rfc* -type f -size -16k | awk 'NR <= 400' | copy "$corpus" ;;
    endpoint) find "$vectors"/rfc* -type f -size -2k | awk 'NR <= 200' | as_inputs "$corpus" ;;
    sdp) find "$vectors/sdp" -type f | copy "$corpus" ;;
    uri) grep -rhoaE 'sips?:[^ >]+' "$vectors"/rfc* | sort -u | awk 'NR <= 300' | split_lines "$corpus" ;;
    digest) grep -rhaoE 'Digest .*' "$vectors"/rfc* | sort -u | split_lines "$corpus" ;;
  esac
}

copy() { while IFS= read -r file; do cp -n "$file" "$1/$(tr / _ <<<"${file#../}")"; done; }

# Each message as one step of a program: the choice 0, two bytes of length, the message.
as_inputs() {
  local file size
  while IFS= read -r file; do
    size=$(stat -c %s "$file")
    # shellcheck disable=SC2059 # the format is the bytes
    { printf "\\x00\\x$(printf %02x $((size >> 8)))\\x$(printf %02x $((size & 255)))"; cat "$file"; } \
      >"$1/$(tr / _ <<<"${file#../}")"
  done
}

split_lines() {
  local line number=0
  while IFS= read -r line; do
    printf %s "${line%$'\r'}" >"$1/seed-$((number += 1))"
  done
}

main
