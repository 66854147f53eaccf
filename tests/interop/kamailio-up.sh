#!/usr/bin/env bash
# Kamailio as registrar and record-routing proxy in front of Asterisk: K_IP:K_PORT (udp and tcp)
# and K_PORT + 1 (tls, with Asterisk's certificate).
#   K_IP (INTEROP_IP)  K_PORT (5070)  K_ALGORITHM (MD5; or SHA-256)
#   K_NONCE_SECONDS (60; 1 makes it answer stale=true)
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
: "${K_IP:=$INTEROP_IP}" "${K_PORT:=5070}" "${K_ALGORITHM:=}" "${K_NONCE_SECONDS:=60}"
DIR=$INTEROP_RUN/kamailio-$K_IP

main() {
  single "$DIR"
  ! running "$DIR" || { say "already running on $K_IP:$K_PORT"; return; }
  [ -s "$INTEROP_INSTANCE/tls/server.crt" ] || die "start asterisk-up.sh first: it makes the certificate"
  # Kamailio binds a taken UDP port a second time without a word.
  ! udp_bound "$K_IP" "$K_PORT" || die "$K_IP:$K_PORT is taken"
  local modules
  modules=$(cd "$INTEROP_ROOT" && echo usr/lib/*/kamailio/modules)
  sed -e "s#@IP@#$K_IP#g; s#@PORT@#$K_PORT#g; s#@TLSPORT@#$((K_PORT + 1))#g; s#@MODULES@#/$modules/#g
    s#@ALGORITHM@#$K_ALGORITHM#; s#@NONCE_SECONDS@#$K_NONCE_SECONDS#; s#@TLSDIR@#$INTEROP_INSTANCE/tls#g
    s#@AST_IP@#$INTEROP_IP#g; s#@AST_PORT@#$INTEROP_SIP_PORT#g" "$INTEROP_HERE/kamailio.cfg.in" >"$DIR/kamailio.cfg"
  launch "$DIR" kamailio -DD -E -m 32 -M 8 -f "$DIR/kamailio.cfg" -P "$DIR/kamailio.pid" -Y "$DIR"
  await 10 up_or_dead && running "$DIR" || { tail -n 5 "$DIR/console" >&2; die "did not start; see $DIR/console"; }
  say "ready, $K_IP:$K_PORT udp and tcp, :$((K_PORT + 1)) tls, state in $DIR"
}

up_or_dead() { tcp_open "$K_IP" "$K_PORT" || ! running "$DIR"; }

main
