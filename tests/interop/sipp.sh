#!/usr/bin/env bash
# One scenario of sipp/ by SIPp.
#   sipp.sh call SCENARIO ACCOUNT EXT [sipp option...]   SIPp calls Asterisk, or SIPP_TARGET=IP:PORT
#   sipp.sh serve SCENARIO IP:PORT [sipp option...]      SIPp waits there; prints `ready` once bound
# Exit status 0 if every step of the scenario went as written. SIPP_IP, SIPP_PORT: own address.
# SIPP_TRANSPORT: u1, t1, l1 (TLS). SIPP_PASSWORD: instead of test and the account.
# SIPP_SECONDS: limit (50). The last line names the folder with messages.log and errors.log.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
: "${SIPP_TRANSPORT:=u1}" "${SIPP_SECONDS:=50}"

main() {
  case ${1:-} in
    call) shift; call "$@" ;;
    serve) shift; serve "$@" ;;
    *) sed -n '2,7s/^# //p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
  esac
}

call() {
  local scenario=$1 account=$2 ext=$3 ip=${SIPP_IP:-127.0.0.1}
  local target=${SIPP_TARGET:-$INTEROP_IP:$INTEROP_SIP_PORT}
  shift 3
  # SIPp would give the server's URI to the digest, whatever the request asks for.
  [ "$scenario" = register ] || set -- -auth_uri "$ext@$target" "$@"
  prepare "$scenario"
  start "$ip" "${SIPP_PORT:-$(free_port "$ip" 15000 20000)}" "$target" -s "$account" -au "$account" \
    -ap "${SIPP_PASSWORD:-test$account}" -key ext "$ext" "$@"
  finish "$scenario $account to $ext"
}

serve() {
  local scenario=$1 ip=${2%:*} port=${2##*:}
  shift 2
  prepare "$scenario"
  # Bound by another program, SIPp would quietly take some other port.
  ! udp_bound "$ip" "$port" || die "$ip:$port is taken"
  start "$ip" "$port" "" "$@"
  await 10 bound_or_dead "$ip" "$port" && alive && echo ready
  finish "$scenario"
}

bound_or_dead() { udp_bound "$@" || tcp_open "$@" || not alive; }

# prepare SCENARIO: a folder of its own, with the scenario put together and its RTP streams.
prepare() {
  local source=$INTEROP_HERE/sipp/$1.xml stream
  [ -f "$source" ] || die "no scenario $source"
  mkdir -p "$INTEROP_RUN/sipp"
  find "$INTEROP_RUN/sipp" -mindepth 1 -maxdepth 1 -mmin +1440 -exec rm -rf {} +
  DIR=$(mktemp -d "$INTEROP_RUN/sipp/$1.XXXXXX")
  "$INTEROP_HERE/sipp/assemble.pl" "$source" >"$DIR/scenario.xml"
  for stream in $(grep -o 'dtmf_[0-9a-z]*\.pcap' "$DIR/scenario.xml"); do
    case $stream in
      dtmf_all.pcap) "$INTEROP_HERE/mkrtp.pl" '1234567890*#ABCD' "$DIR/$stream" ;;
      *) "$INTEROP_HERE/mkrtp.pl" "$(tr -dc 0-9 <<<"$stream")" "$DIR/$stream" ;;
    esac
  done
}

# start IP PORT TARGET OPTION...: SIPp as our child; it goes when this script goes.
start() {
  local ip=$1 port=$2 target=$3
  shift 3
  cd "$DIR"
  in_root_exec sipp ${target:+"$target"} -sf scenario.xml -i "$ip" -mi "$ip" -p "$port" -t "$SIPP_TRANSPORT" \
    -min_rtp_port $((port % 10000 + 40000)) -max_rtp_port $((port % 10000 + 40100)) -m 1 -nostdin \
    -timeout "$SIPP_SECONDS" -timeout_error -trace_err -error_file errors.log -trace_msg -message_file messages.log \
    "$@" </dev/null >screen 2>&1 &
  SIPP=$!
  trap 'kill -KILL $SIPP 2>/dev/null || true' EXIT
  trap 'exit 143' TERM INT
}

alive() { kill -0 "$SIPP" 2>/dev/null; }

finish() {
  local code=0
  wait "$SIPP" || code=$?
  trap - EXIT
  [ $code = 0 ] || tail -n 20 "$DIR/errors.log" >&2 2>/dev/null || tail -n 5 "$DIR/screen" >&2
  say "$1: status $code, $DIR"
  exit $code
}

main "$@"
