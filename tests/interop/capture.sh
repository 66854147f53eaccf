#!/usr/bin/env bash
# capture.sh start OUT.pcap [FILTER] | stop: the packets of the loopback interface (INTEROP_IF),
# by tcpdump. Without FILTER: everything from or to INTEROP_IP. One capture for each INTEROP_NAME.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
DIR=$INTEROP_RUN/capture-$INTEROP_NAME

case ${1:-} in
  start)
    single "$DIR"
    ! running "$DIR" || die "already capturing; stop it first"
    out=$(realpath "${2:?OUT.pcap}")
    cd "$(dirname "$out")" # which in_root then shows at the same place
    launch "$DIR" tcpdump -Z root -i "${INTEROP_IF:-lo}" -U -n --immediate-mode -s 0 -w "$out" "${3:-host $INTEROP_IP}"
    await 5 grep -q 'listening on' "$DIR/console" || { cat "$DIR/console" >&2; stop "$DIR" 1; die "tcpdump did not start"; }
    ;;
  stop)
    sleep 0.3 # what the kernel has not handed over yet
    stop "$DIR" 3
    tail -n 3 "$DIR/console"
    ;;
  *) sed -n '2,3s/^# //p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac
