#!/usr/bin/env bash
# baresip-up.sh NAME ACCOUNT: a headless baresip as another phone; state in INTEROP_RUN/baresip-NAME.
#   ACCOUNT    a number such as 101 (registers at INTEROP_IP with testN), or a whole account line
#   B_IP       address that it binds (INTEROP_IP)
#   B_SIP      SIP port (0: any)           B_CTRL  control port (4444)    B_RTP  first of 200 RTP ports (30000)
#   B_PARAMS   account parameters (;answermode=auto), such as ;mediaenc=srtp-mand
#   B_SOURCE   WAV that its microphone plays (600 Hz for a minute)       B_TRANSPORT  udp, tcp or tls
# What it heard: INTEROP_RUN/baresip-NAME/dump-*-dec.wav, 8 kHz.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
[ $# = 2 ] || { sed -n '2,8s/^# //p' "${BASH_SOURCE[0]}" >&2; exit 2; }
NAME=$1 ACCOUNT=$2 DIR=$INTEROP_RUN/baresip-$1
: "${B_IP:=$INTEROP_IP}" "${B_SIP:=0}" "${B_CTRL:=4444}" "${B_RTP:=30000}"
: "${B_PARAMS:=;answermode=auto}" "${B_TRANSPORT:=udp}" "${B_SOURCE:=$DIR/tone600.wav}"

main() {
  single "$DIR"
  ! running "$DIR" || { say "$NAME already running"; return; }
  ! tcp_open "$B_IP" "$B_CTRL" || die "$B_IP:$B_CTRL is taken; set B_CTRL"
  [ -s "$DIR/tone600.wav" ] || "$INTEROP_HERE/tone.pl" 600 60 >"$DIR/tone600.wav"
  # A new line at the end of the uuid file would end up in its Contact.
  [ -s "$DIR/uuid" ] || tr -d '\n' </proc/sys/kernel/random/uuid >"$DIR/uuid"
  : >"$DIR/contacts"
  account >"$DIR/accounts"
  configuration >"$DIR/config"
  echo "$B_IP $B_CTRL" >"$DIR/control"
  rm -f "$DIR"/dump-*.wav "$DIR/heard.wav"
  cd "$DIR" && launch "$DIR" baresip -f "$DIR" # it dumps what it heard into its working folder
  await 10 up_or_dead && running "$DIR" || { tail -n 5 "$DIR/console" >&2; die "$NAME did not start; see $DIR/console"; }
  say "$NAME ready, control $B_IP:$B_CTRL, state in $DIR"
}

up_or_dead() { tcp_open "$B_IP" "$B_CTRL" || ! running "$DIR"; }

account() {
  local port=$INTEROP_SIP_PORT
  [ "$B_TRANSPORT" != tls ] || port=$INTEROP_TLS_PORT
  case $ACCOUNT in
    '<'*) echo "$ACCOUNT" ;;
    *) echo "<sip:$ACCOUNT@$INTEROP_IP:$port;transport=$B_TRANSPORT>;auth_user=$ACCOUNT;auth_pass=test$ACCOUNT;regint=60$B_PARAMS" ;;
  esac
}

configuration() {
  [ "$B_TRANSPORT" != tls ] || printf 'sip_cafile %s\nsip_verify_server yes\n' "$INTEROP_INSTANCE/tls/ca.crt"
  cat <<CONF
poll_method epoll
sip_listen $B_IP:$B_SIP
call_local_timeout 120
call_max_calls 4
audio_path /usr/share/baresip
audio_source aufile,$B_SOURCE
audio_player aufile,$DIR/heard.wav
audio_alert aufile,$DIR/alert.wav
ausrc_srate 8000
auplay_srate 8000
audio_level no
ausrc_format s16
auplay_format s16
auenc_format s16
audec_format s16
audio_buffer 20-160
rtp_tos 184
rtp_ports $B_RTP-$((B_RTP + 198))
rtp_stats yes
jitter_buffer_type fixed
jitter_buffer_delay 1-5
net_interface $B_IP
snd_path $DIR
module_path /usr/lib/baresip/modules
module g711.so
module g722.so
module opus.so
module aufile.so
module sndfile.so
module srtp.so
module dtls_srtp.so
module mwi.so
module presence.so
module_tmp uuid.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen $B_IP:$B_CTRL
CONF
}

main
