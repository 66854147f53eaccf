#!/usr/bin/env bash
# The firmware in QEMU: firmware.sh COMMAND
#
#   build                     every program for $BOARD
#   run PROGRAM [NAME=VALUE]  boot one with settings; its exit status, or 124 after $LIMIT_S
#   netcheck                  UDP echo both ways with a peer on the host
#   phone                     registers at an Asterisk, calls, plays, mutes, sends digits
#   six                       the program of the README
#   defmt                     the same, with its trace by defmt
#   answer                    is called by it
#   bench                     instruction counts
#   size PROGRAM [NAME=VALUE] flash by crate and module, against the budget; NAME=VALUE are
#                             figures of a run, as `figures` reads them from its output
#   features                  what each Cargo feature adds
#   figures                   standard input: the output of a run; prints NAME=VALUE
#   check                     all of these, netcheck and phone on both boards
#
#   BOARD     mps2-an386 (Cortex-M4F, default) or lm3s6965evb (Cortex-M3)
#   LIMIT_S   seconds that a run may take (60)
#   ICOUNT=1  one instruction is one nanosecond of the guest's clock: exact counts
#   HOST_IP, SIP_PORT, RTP_PORT   where the guest's ports 5060 and 4000 to 4003 appear on the host
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

BOARD=${BOARD:-mps2-an386}
LIMIT_S=${LIMIT_S:-60}
HOST_IP=${HOST_IP:-127.0.0.1}
SIP_PORT=${SIP_PORT:-25060}
RTP_PORT=${RTP_PORT:-24000}
FIRMWARE=examples/firmware
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/$FIRMWARE/target}

main() {
  local command=${1:-help}
  [ $# = 0 ] || shift
  case $command in
    build | run | netcheck | phone | six | defmt | answer | bench | size | features | figures | check) "$command" "$@" ;;
    *) sed -n '2,24s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
  esac
}

build() {
  local exports
  exports=$(tests/ci/no-std-target.sh "$(target)")
  eval "$exports"
  firmware_cargo build --release --target "$(target)" --no-default-features --features "$BOARD ${FEATURES-dhcp dns}"
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
    -nic "user$(forward "$SIP_PORT" 5060)$(for n in 0 1 2 3; do forward $((RTP_PORT + n)) $((4000 + n)); done)" \
    -kernel "$(elf "$program")" </dev/null
}

forward() { echo -n ",hostfwd=udp:$HOST_IP:$1-10.0.2.15:$2"; }

netcheck() {
  local peer port=$((SIP_PORT + 1)) failed=0
  host_tool echo-peer "127.0.0.1:$port" "$HOST_IP:$SIP_PORT" >"$WORK/peer" &
  peer=$!
  expect "the peer listens" await 60 grep -q listening "$WORK/peer" # it may have to be built
  run netcheck "peer=10.0.2.2:$port" || failed=1
  wait "$peer" || failed=1
  cat "$WORK/peer"
  return "$failed"
}

size() {
  local program=$1
  shift
  host_tool flash-report "$(elf "$program")" --budget "$FIRMWARE/budget.toml" "$program" "$@"
}

# What each feature adds to the phone.
features() {
  local feature plain= now
  for feature in "" dhcp dns sha512 defmt panic-place; do
    FEATURES=$feature build
    now=$(image_bytes)
    plain=${plain:-$now}
    awk -v feature="${feature:-(none)}" -v now="$now" -v plain="$plain" 'BEGIN {
      split(now, n); split(plain, p)
      printf "%-12s %7d B of flash, %+6d; %6d B of RAM, %+5d\n",
        feature, n[1], n[1] - p[1], n[2], n[2] - p[2]}'
  done
  build
}

# Flash and static RAM of the phone.
image_bytes() {
  host_tool flash-report "$(elf phone)" | awk '$1 == "flash" {flash = $2} $1 == "ram" {ram = $2} END {print flash, ram}'
}

# "stack 2248 of 52180 bytes" and "parse-401 7000 instructions"
figures() {
  awk '$1 == "stack" && $NF == "bytes" {print "stack_bytes=" $2}
    $NF == "instructions" {gsub(/-/, "_", $1); print $1 "_instructions=" $2}'
}

# The phone against a real Asterisk, which says what it heard.
phone() {
  asterisk_up
  run phone $(account 100) | tee "$WORK/phone"
  local recording levels tone
  expect "622 read every digit" reported ' dtmf exten=622 from=100 .*value=1234567890\*#ABCD$'
  # While the host is busy, the second board's emulated controller loses a frame now and then.
  [ "$BOARD" = lm3s6965evb ] ||
    expect "no RTP was lost" reported ' hangup exten=604 from=100 .*;lp=0;.*;rlp=0;'
  recording=$(sed -n 's/.* record exten=604 from=100 .*value=//p' "$EVENTS" | tail -1)
  read -r levels tone < <(tests/interop/wavinfo.pl "$recording" |
    sed -n 's/.*levels=\([0-9,]*\) tone=\([0-9]*\).*/\1 \2/p')
  echo "604 recorded: level of each second $levels, tone $tone Hz"
  expect "604 recorded the prompt" [ "$tone" = 700 ]
  expect "it is silent while muted, and sounds before and after" awk -v levels="$levels" '
    BEGIN {n = split(levels, level, ","); for (i = 3; i < n; i++) if (level[i] < 20) mute = i
      exit !(mute > 2 && level[2] > 2000 && level[n] > 2000)}'
  expect "the binding is removed" bash -c '! tests/interop/asterisk-cli.sh "pjsip show contacts" | grep -q "100/sip"'
}

# Asterisk calls the phone: digits in, digits out, a tone.
answer() {
  asterisk_up
  : >"$WORK/answer"
  run answer $(account 101) calls=3 tone=440 send=42# >"$WORK/answer" &
  local program=$!
  expect "the phone is ready" await 10 grep -q ready "$WORK/answer"
  call_phone 605 1 # sends 1234# and hangs up
  call_phone 612 2 # reads digits up to #
  tests/interop/asterisk-cli.sh 'channel originate PJSIP/101 extension 601@default' # 440 Hz
  expect "it answers" await 10 answered 3
  sleep 3
  tests/interop/asterisk-cli.sh 'channel request hangup all' >/dev/null
  expect "the program ends well" wait "$program"
  cat "$WORK/answer"
  expect "it heard the digits" grep -q '^call over: digits 1234# ' "$WORK/answer"
  expect "it heard the tone" awk '/^call over/ && $(NF - 1) > 2000 {heard = 1} END {exit !heard}' "$WORK/answer"
  expect "612 read its digits" reported ' dtmf exten=612 from=101 .*value=42$'
}

# The program of the README: 600 returns its digits.
six() {
  asterisk_up
  run six $(account 100) number=600 trace=1 >"$WORK/six" || { cat "$WORK/six"; return 1; }
  grep -a '^digits\|^stack' "$WORK/six"
  expect "the digits came back" grep -aqx 'digits that came back: 1234#' "$WORK/six"
  expect "the trace shows the call" grep -aq '^INVITE sip:600@' "$WORK/six"
}

# The same with its trace by defmt, which leaves the texts of the messages whole.
defmt() {
  asterisk_up
  FEATURES="dhcp dns defmt" build
  run six $(account 100) number=600 trace=1 >"$WORK/defmt" || { cat "$WORK/defmt"; return 1; }
  build
  expect "defmt shows what is sent" grep -aq 'INVITE sip:600@' "$WORK/defmt"
  expect "and what is received" grep -aq 'SIP/2.0 200 OK' "$WORK/defmt"
}

bench() { ICOUNT=1 run bench; }

check() {
  firmware_cargo test --lib
  BOARD=lm3s6965evb
  build
  netcheck
  phone
  BOARD=mps2-an386
  build
  netcheck | tee "$WORK/netcheck"
  phone
  six
  defmt
  answer
  bench | tee "$WORK/bench"
  # shellcheck disable=SC2046 # one word a figure
  {
    size netcheck $(figures <"$WORK/netcheck") >"$WORK/size" || { cat "$WORK/size"; return 1; }
    size alone >"$WORK/size" || { cat "$WORK/size"; return 1; }
    size phone $(cat "$WORK/phone" "$WORK/bench" | figures)
  }
}

# ---- helpers

asterisk_up() {
  export INTEROP_IP=${INTEROP_IP:-127.0.0.45}
  HOST_IP=$INTEROP_IP
  EVENTS=${INTEROP_RUN:-${INTEROP_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/sansip-interop}/run}/asterisk-$INTEROP_IP/results/events.log
  tests/interop/asterisk-up.sh
  SEEN=0 # a new Asterisk has said nothing yet
  [ ! -f "$EVENTS" ] || SEEN=$(wc -l <"$EVENTS")
}

# Whether Asterisk has said so since it was last asked for.
reported() { tail -n "+$((SEEN + 1))" "$EVENTS" | grep "$1" >/dev/null; }

account() {
  echo "identity=sip:$1@$INTEROP_IP:5060 password=test$1 address=$INTEROP_IP sip-port=$SIP_PORT rtp-port=$RTP_PORT"
}

call_phone() { # EXTENSION N: Asterisk connects the phone with EXTENSION; awaits the Nth call's end
  tests/interop/asterisk-cli.sh "channel originate PJSIP/101 extension $1@default"
  expect "call $2 ends" await 20 call_over "$2"
}

call_over() { [ "$(grep -c '^call over' "$WORK/answer")" -ge "$1" ]; }
answered() { [ "$(grep -c '^answered' "$WORK/answer")" -ge "$1" ]; }

await() { # SECONDS COMMAND...: true within that time
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    [ $SECONDS -lt $end ] || return 1
    sleep 0.1
  done
}

expect() { # WHAT COMMAND...
  local what=$1
  shift
  "$@" || { echo "FAILED: $what" >&2; exit 1; }
  echo "ok: $what"
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
