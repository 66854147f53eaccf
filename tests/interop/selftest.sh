#!/usr/bin/env bash
# The peers proven against each other, without sansip: when the interop suite fails, this tells
# whether the peers do. About a minute. INTEROP_IP (127.0.0.71) and the address after it are used.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1
export INTEROP_IP=${INTEROP_IP:-127.0.0.71}
. ./lib.sh
EVENTS=$INTEROP_INSTANCE/results/events.log
OUTPUT=$(mktemp)
PASSED=0 FAILED=0
export K_IP=${INTEROP_IP%.*}.$((${INTEROP_IP##*.} + 1))

check() { # TITLE COMMAND...
  local title=$1
  shift
  if "$@" >"$OUTPUT" 2>&1; then
    PASSED=$((PASSED + 1)); echo "ok   $title"
  else
    FAILED=$((FAILED + 1)); echo "FAIL $title"; tail -n 5 "$OUTPUT" | sed 's/^/     /'
  fi
}

cleanup() {
  local phone
  for phone in secure plain proxied; do ./baresip-down.sh "self-$phone"; done
  ./kamailio-down.sh
  ./asterisk-down.sh
  rm -f "$OUTPUT"
}

# --- helpers of the checks
refused() { not env SIPP_PASSWORD=wrong ./sipp.sh call register 100 x; }
event() { await 3 grep -q "$1" "$EVENTS"; }
audible() { ./wavinfo.pl "$1" | tee /dev/stderr | awk '{for (i = 1; i <= NF; i++) if (split($i, kv, "=") == 2 && kv[1] == "amplitude") exit !(kv[2] > 400)} END {if (!NR) exit 1}'; }
recorded() { ls -t "$INTEROP_INSTANCE"/results/604-"$1"-*.wav | head -n 1; }
phone() { ./baresip-ctl.pl "$INTEROP_IP" "$@"; }
registered() { await 4 has_contact "$1"; }
has_contact() { ./asterisk-cli.sh 'pjsip show contacts' | grep -q "$1/sip"; }
session_timer() { ./sipp.sh call call_wait_bye 109 608 >"$OUTPUT.run" && grep -q 'Session-Expires: 90' "$(awk '{print $NF}' "$OUTPUT.run")/messages.log"; rm -f "$OUTPUT.run"; }
lamp() { (sleep 1; ./asterisk-cli.sh 'devstate change Custom:blf INUSE') & ./sipp.sh call subscribe_dialog 100 199; }
voicemail() { (sleep 1; ./sipp.sh call call_audio 101 900) & ./sipp.sh call subscribe_mwi 100 100; }

trap cleanup EXIT
check "Asterisk starts" ./asterisk-up.sh
[ $PASSED = 1 ] || exit 1
check "  and is left alone the second time" ./asterisk-up.sh

check "REGISTER with MD5 by UDP" ./sipp.sh call register 100 x
check "REGISTER with SHA-256" ./sipp.sh call register 105 x
check "REGISTER with SHA-512-256" ./sipp.sh call register 116 x
check "REGISTER by TCP" env SIPP_TRANSPORT=t1 ./sipp.sh call register 101 x
check "REGISTER by TLS" env SIPP_TRANSPORT=l1 SIPP_TARGET="$INTEROP_IP:$INTEROP_TLS_PORT" ./sipp.sh call register 107 x
check "a wrong password is refused" refused
check "602 with digits" ./sipp.sh call call_dtmf 100 602
check "  which it reports" event 'dtmf exten=602 from=100 .*value=4711$'
check "622 with all sixteen digits" ./sipp.sh call call_dtmf_all 100 622
check "  which it reports" event 'dtmf exten=622 from=100 .*value=1234567890\*#ABCD$'
check "604 with speech" ./sipp.sh call call_audio 100 604
check "608 ends the call" ./sipp.sh call call_wait_bye 100 608
check "613 with PRACK" ./sipp.sh call call_prack 108 613
check "the session timer of 109" session_timer
check "the trunk needs no digest" env SIPP_IP=127.0.0.9 ./sipp.sh call call_no_digest 777 608
check "MESSAGE" ./sipp.sh call message 100 651
check "  which it reports" event 'message exten=651 .*hello from sipp'
check "SUBSCRIBE dialog, two NOTIFY" lamp
check "SUBSCRIBE message-summary, NOTIFY of a new voicemail" voicemail

export B_CTRL=4701 B_RTP=40000
check "baresip by TLS and SRTP" env B_TRANSPORT=tls B_PARAMS=';mediaenc=srtp-mand;answermode=auto' ./baresip-up.sh self-secure 117
check "  registers" registered 117
phone 4701 3.5 dial "sip:604@$INTEROP_IP" >/dev/null; phone 4701 0.3 hangup >/dev/null; sleep 0.3
check "  and is heard" audible "$(recorded 117)"
export B_CTRL=4702 B_RTP=41000
check "baresip by UDP" ./baresip-up.sh self-plain 101
check "  registers" registered 101
digits=$(phone 4702 5 dial "sip:605@$INTEROP_IP" | perl -ne 'print $1 if /CALL_DTMF_START.*"param":"(.)"/')
check "  and gets the digits of 605 ($digits)" test "$digits" = '1234#'
phone 4702 3 dial "sip:117@$INTEROP_IP" >/dev/null; phone 4702 0.3 hangup >/dev/null; sleep 0.5
check "  and is heard by the secure one" audible "$(ls -t "$INTEROP_RUN"/baresip-self-secure/dump-*-dec.wav | head -n 1)"

check "Kamailio starts" ./kamailio-up.sh
check "REGISTER at Kamailio" env SIPP_TARGET="$K_IP:5070" ./sipp.sh call register 100 x
export B_CTRL=4703 B_RTP=42000
check "baresip behind Kamailio" ./baresip-up.sh self-proxied \
  "<sip:103@$K_IP:5070>;auth_user=103;auth_pass=test103;regint=60;outbound=\"sip:$K_IP:5070\""
phone 4703 3.5 dial "sip:604@$K_IP:5070" >/dev/null; phone 4703 0.3 hangup >/dev/null; sleep 0.3
check "  is heard through it (407, then 401)" audible "$(recorded 103)"

echo "$PASSED passed, $FAILED failed"
[ $FAILED = 0 ]
