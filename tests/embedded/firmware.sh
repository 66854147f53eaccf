#!/usr/bin/env bash
# The firmware in QEMU: firmware.sh COMMAND
#
#   build                     every program for $BOARD
#   run PROGRAM [NAME=VALUE]  boot one with settings; its exit status, or 124 after $LIMIT_S
#   netcheck                  UDP echo both ways with a peer on the host
#   size PROGRAM [NAME=VALUE] flash by crate and module, against the budget; NAME=VALUE are
#                             figures of a run, as `figures` reads them from its output
#   figures                   standard input: the output of a run; prints NAME=VALUE
#   check                     driver tests, netcheck on both boards, sizes
#
#   BOARD     mps2-an386 (Cortex-M4F, default) or lm3s6965evb (Cortex-M3)
#   LIMIT_S   seconds that a run may take (60)
#   ICOUNT=1  one instruction is one nanosecond of the guest's clock: exact counts
#   SIP_PORT, RTP_PORT   ports of the host that lead to the guest's 5060 and 4000
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

BOARD=${BOARD:-mps2-an386}
LIMIT_S=${LIMIT_S:-60}
SIP_PORT=${SIP_PORT:-25060}
RTP_PORT=${RTP_PORT:-24000}
FIRMWARE=examples/firmware
TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/$FIRMWARE/target}

main() {
  local command=${1:-help}
  [ $# = 0 ] || shift
  case $command in
    build | run | netcheck | size | figures | check) "$command" "$@" ;;
    *) sed -n '2,17s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
  esac
}

build() {
  local exports
  exports=$(tests/ci/no-std-target.sh "$(target)")
  eval "$exports"
  firmware_cargo build --release --target "$(target)" --no-default-features --features "$BOARD"
}

run() {
  local program=$1 setting arguments= qemu
  shift
  qemu=$(tests/embedded/get-qemu.sh)
  for setting in "$program" "entropy=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')" "$@"; do
    arguments+=",arg=${setting//,/,,}"
  done
  timeout -k 2 "$LIMIT_S" "$qemu" -M "$BOARD" -nographic -monitor none -serial none \
    ${ICOUNT:+-icount shift=0} -semihosting-config "enable=on,target=native$arguments" \
    -nic "user,hostfwd=udp:127.0.0.1:$SIP_PORT-10.0.2.15:5060,hostfwd=udp:127.0.0.1:$RTP_PORT-10.0.2.15:4000" \
    -kernel "$(elf "$program")" </dev/null
}

netcheck() {
  local peer port=$((SIP_PORT + 1)) failed=0
  host_tool echo-peer "127.0.0.1:$port" "127.0.0.1:$SIP_PORT" &
  peer=$!
  sleep 0.3 # the peer's socket; a datagram that comes too early is only counted as lost
  run netcheck "peer=10.0.2.2:$port" || failed=1
  wait "$peer" || failed=1
  return "$failed"
}

size() {
  local program=$1
  shift
  host_tool flash-report "$(elf "$program")" --budget "$FIRMWARE/budget.toml" "$program" "$@"
}

# "stack 2248 of 52180 bytes" and "parse-401 7000 instructions"
figures() {
  awk '$1 == "stack" && $NF == "bytes" {print "stack_bytes=" $2}
    $NF == "instructions" {gsub(/-/, "_", $1); print $1 "_instructions=" $2}'
}

check() {
  local output
  firmware_cargo test --lib
  for BOARD in lm3s6965evb mps2-an386; do
    build
    output=$(netcheck) || { echo "$output"; return 1; }
    echo "$output"
  done
  # shellcheck disable=SC2046 # one word a figure
  size netcheck $(figures <<<"$output")
}

target() {
  case $BOARD in
    mps2-an386) echo thumbv7em-none-eabihf ;;
    lm3s6965evb) echo thumbv7m-none-eabi ;;
    *) echo "no board $BOARD" >&2; return 2 ;;
  esac
}

elf() { echo "$TARGET_DIR/$(target)/release/$1"; }

# The folder's own .cargo/config.toml counts only from within it.
firmware_cargo() { (cd "$FIRMWARE" && cargo "$1" --quiet --locked --target-dir "$TARGET_DIR" "${@:2}"); }

host_tool() {
  firmware_cargo build --package sansip-firmware-host
  "$TARGET_DIR/debug/$1" "${@:2}"
}

main "$@"
