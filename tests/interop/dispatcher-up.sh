#!/usr/bin/env bash
# Kamailio that spreads calls over instances: dispatcher-up.sh IP:PORT...
#   D_IP (INTEROP_IP)  D_PORT (5080, UDP)
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
: "${D_IP:=$INTEROP_IP}" "${D_PORT:=5080}"
DIR=$INTEROP_RUN/dispatcher-$D_IP

main() {
  local modules instance
  [ $# -gt 0 ] || { sed -n '2,3s/^# //p' "${BASH_SOURCE[0]}" >&2; exit 2; }
  single "$DIR"
  ! running "$DIR" || die "already running on $D_IP:$D_PORT; its instances may be others"
  # Kamailio binds a taken UDP port a second time without a word.
  ! udp_bound "$D_IP" "$D_PORT" || die "$D_IP:$D_PORT is taken"
  for instance in "$@"; do echo "1 sip:$instance"; done >"$DIR/instances.list"
  modules=$(cd "$INTEROP_ROOT" && echo usr/lib/*/kamailio/modules)
  sed -e "s#@IP@#$D_IP#g; s#@PORT@#$D_PORT#g; s#@MODULES@#/$modules/#g; s#@LIST@#$DIR/instances.list#g" \
    "$INTEROP_HERE/dispatcher.cfg.in" >"$DIR/kamailio.cfg"
  launch "$DIR" kamailio -DD -E -m 32 -M 8 -f "$DIR/kamailio.cfg" -P "$DIR/kamailio.pid" -Y "$DIR"
  await 20 up_or_dead && running "$DIR" || { tail -n 5 "$DIR/console" >&2; die "did not start; see $DIR/console"; }
  say "ready, $D_IP:$D_PORT udp for $# instances, state in $DIR"
}

up_or_dead() { udp_bound "$D_IP" "$D_PORT" || ! running "$DIR"; }

main "$@"
