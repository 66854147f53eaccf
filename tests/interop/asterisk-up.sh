#!/usr/bin/env bash
# Start an Asterisk on INTEROP_IP and wait until it is ready. Does nothing when it runs.
# Several run side by side on different loopback addresses: INTEROP_IP=127.0.0.7 ./asterisk-up.sh
# `asterisk-up.sh --reload` writes the configuration again and reloads it.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
DIR=$INTEROP_INSTANCE

main() {
  [ -x "$INTEROP_ROOT/usr/sbin/asterisk" ] || "$INTEROP_HERE/install.sh"
  single "$DIR"
  if running "$DIR"; then
    [ "${1:-}" = --reload ] || { say "already running, $(describe)"; return; }
    write_configuration
    for command in 'module reload res_pjsip.so' 'dialplan reload' 'module reload app_voicemail.so'; do
      cli "$command" >/dev/null
    done
    say "reloaded, $(describe)"
    return
  fi
  # Asterisk boots with its port taken, and only an error in its log tells.
  ! udp_bound "$INTEROP_IP" "$INTEROP_SIP_PORT" || die "$INTEROP_IP:$INTEROP_SIP_PORT is taken; set INTEROP_IP=127.0.0.N"
  mkdir -p "$DIR"/{etc,lib/agi-bin,lib/keys,spool/voicemail/default/100/INBOX,spool/tmp,spool/outgoing,spool/monitor,sock,log,tls,moh,results}
  rm -rf "$DIR"/{sock,results,log}/*
  [ -s "$DIR/tls/server.crt" ] || make_certificate
  [ -s "$DIR/moh/tone440.sln" ] || make_music
  write_configuration
  launch "$DIR" asterisk -f -C "$DIR/etc/asterisk.conf"
  await 30 booted_or_dead && booted || give_up "not ready in time"
  # Booted does not mean bound.
  local port
  for port in "$INTEROP_SIP_PORT" "$INTEROP_TLS_PORT" "$INTEROP_HTTP_PORT"; do
    await 5 tcp_open "$INTEROP_IP" "$port" || give_up "nothing listens on $INTEROP_IP:$port"
  done
  udp_bound "$INTEROP_IP" "$INTEROP_SIP_PORT" || give_up "no UDP on $INTEROP_IP:$INTEROP_SIP_PORT"
  say "ready, $(describe)"
}

describe() {
  echo "pid $(cut -d' ' -f1 "$DIR/pid"), $INTEROP_IP:$INTEROP_SIP_PORT udp and tcp, :$INTEROP_TLS_PORT tls, ws :$INTEROP_HTTP_PORT, state in $DIR"
}

cli() { in_root asterisk -C "$DIR/etc/asterisk.conf" -rx "$1"; }
booted() { [ -S "$DIR/sock/asterisk.ctl" ] && cli 'core waitfullybooted' 2>/dev/null | grep -q 'fully booted'; }
booted_or_dead() { booted || ! running "$DIR"; }

give_up() {
  tail -n 5 "$DIR/console" "$DIR/log/full" >&2 || true
  stop "$DIR" 5
  die "$1; see $DIR/log/full and $DIR/console"
}

# A CA of its own, and a certificate for the bind address and localhost.
make_certificate() {
  cat >"$DIR/tls/make.sh" <<SH
set -e; cd '$DIR/tls'
new="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
openssl req -x509 \$new -days 825 -keyout ca.key -out ca.crt -subj '/CN=interop test CA' -addext basicConstraints=critical,CA:TRUE -addext keyUsage=keyCertSign,cRLSign
openssl req \$new -keyout server.key -out server.csr -subj '/CN=$INTEROP_IP'
printf 'subjectAltName=IP:$INTEROP_IP,IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth,clientAuth\nbasicConstraints=CA:FALSE\n' >server.ext
openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 825 -extfile server.ext -out server.crt
SH
  in_root sh "$DIR/tls/make.sh" >"$DIR/tls/make.log" 2>&1 || die "no certificate; see $DIR/tls/make.log"
}

# Music on hold: ten seconds of 440 Hz, 8 kHz, 16 bit, amplitude 8000.
make_music() {
  perl -e 'binmode STDOUT; print pack("s<*", map { int(8000 * sin(2 * 3.14159265358979 * 440 * $_ / 8000)) } 0 .. 79999)' \
    >"$DIR/moh/tone440.sln"
}

write_configuration() {
  accounts >"$DIR/accounts"
  for n in {100..119}; do echo "exten => $n,hint,PJSIP/$n"; done >"$DIR/hints"
  local modules template
  modules=$(cd "$INTEROP_ROOT" && echo usr/lib/*/asterisk/modules)
  for template in "$INTEROP_HERE"/asterisk/*.conf; do
    sed -e "/@ACCOUNTS@/{r $DIR/accounts
d}" -e "/@HINTS@/{r $DIR/hints
d}" -e "s#@INST@#$DIR#g; s#@MODULES@#/$modules#g; s#@IP@#$INTEROP_IP#g
      s#@SIP_PORT@#$INTEROP_SIP_PORT#g; s#@TLS_PORT@#$INTEROP_TLS_PORT#g; s#@AMI_PORT@#$INTEROP_AMI_PORT#g
      s#@HTTP_PORT@#$INTEROP_HTTP_PORT#g; s#@HTTPS_PORT@#$((INTEROP_HTTP_PORT + 1))#g
      s#@RTP_START@#$INTEROP_RTP_START#g; s#@RTP_END@#$INTEROP_RTP_END#g" "$template" >"$DIR/etc/${template##*/}"
  done
}

accounts() { # user N, password testN; README.md has the table
  # Dial(PJSIP/N) calls one contact: where a test is called, that must be the phone of this run.
  local newest_only='max_contacts = 1'
  account 100 '' '' 'mailboxes = 100@default'
  account 101 '' '' 'mailboxes = 101@default'
  account 102 '' 'rewrite_contact = yes' "$newest_only"
  account 103 '' '' "qualify_frequency = 5\nqualify_timeout = 2\n$newest_only"
  account 104 '' '' 'minimum_expiration = 120'
  account 105 "$(algorithms SHA-256)"
  account 106 '' 'media_encryption = sdes'
  account 107 '' 'transport = transport-tls\nrewrite_contact = yes'
  account 108 '' '100rel = required'
  account 109 '' 'timers = always\ntimers_min_se = 90\ntimers_sess_expires = 90'
  account 110 '' 'direct_media = yes'
  account 111 '' 'webrtc = yes\ndtls_auto_generate_cert = yes\nrewrite_contact = yes'
  account 112 '' 'dtmf_mode = info' "$newest_only"
  account 113 '' 'disallow = all\nallow = opus'
  account 114 '' 'dtmf_mode = inband'
  account 115 "$(algorithms SHA-256,MD5)"
  account 116 "$(algorithms SHA-512-256)"
  account 117 '' 'media_encryption = sdes\ntransport = transport-tls\nrewrite_contact = yes'
  account 118 '' 'moh_passthrough = yes\nallow = !all,alaw' "$newest_only"
  account 119 '' 'direct_media = yes' "$newest_only"
}

algorithms() { echo "supported_algorithms_uas = $1\nsupported_algorithms_uac = $1"; }

account() { # NUMBER [auth lines [endpoint lines [aor lines]]]
  printf '[%s](ep)\nauth = %s\naors = %s\ncallerid = User %s <%s>\n%b\n' "$1" "$1" "$1" "$1" "$1" "${3:-}"
  printf '[%s](au)\nusername = %s\npassword = test%s\n%b\n[%s](ao)\n%b\n' "$1" "$1" "$1" "${2:-}" "$1" "${4:-}"
}

main "$@"
