# Sourced by every script here: settings, and how a peer is run, awaited and stopped.
# Each setting can be given from the environment.
INTEROP_HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
: "${INTEROP_DIR:=${XDG_CACHE_HOME:-$HOME/.cache}/sansip-interop}"
: "${INTEROP_ROOT:=$INTEROP_DIR/root}" # the peers' programs; / means those of this machine
: "${INTEROP_RUN:=$INTEROP_DIR/run}"   # configuration, logs, certificates, recordings
: "${INTEROP_IP:=127.0.0.1}"           # loopback address that Asterisk binds
: "${INTEROP_NAME:=asterisk-$INTEROP_IP}"
: "${INTEROP_SIP_PORT:=5060}"          # UDP and TCP
: "${INTEROP_TLS_PORT:=5061}"
: "${INTEROP_HTTP_PORT:=8088}"         # WebSocket and ARI; the next port by TLS
: "${INTEROP_AMI_PORT:=5038}"
: "${INTEROP_RTP_START:=10000}"
: "${INTEROP_RTP_END:=10999}"
INTEROP_INSTANCE=$INTEROP_RUN/$INTEROP_NAME

say() { echo "${0##*/}: $*"; }
die() { say "$*" >&2; exit 1; }

# in_root COMMAND...: run it with INTEROP_ROOT as its file system, in a mount namespace of its
# own: what is bound in vanishes with the last process. The network stays the caller's.
in_root() { (in_root_exec "$@"); }

# The same by exec all the way, so that `$!` of `in_root_exec COMMAND &` is COMMAND's own pid.
in_root_exec() {
  mkdir -p "$INTEROP_RUN"
  [ "$INTEROP_ROOT" != / ] || exec "$@"
  mkdir -p "$INTEROP_ROOT"/{proc,dev,tmp} "$INTEROP_ROOT$INTEROP_RUN"
  local namespace=(unshare --mount --propagation private)
  [ "$(id -u)" = 0 ] || namespace=(unshare --user --map-root-user --mount --propagation private)
  exec "${namespace[@]}" bash -c '
    root=$1 run=$2 here=$3 work=$PWD
    shift 3
    mount --rbind /dev "$root/dev"
    mount -t proc proc "$root/proc" 2>/dev/null || mount --rbind /proc "$root/proc"
    mount --bind /tmp "$root/tmp"
    for dir in "$run" "$here" "$work"; do
      mkdir -p "$root$dir" && mount --bind "$dir" "$root$dir"
    done
    exec chroot "$root" /usr/bin/env -C "$work" -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME="$run" \
      TERM=dumb LC_ALL=C.UTF-8 LANG=C.UTF-8 TZ=UTC "$@"' in_root "$INTEROP_ROOT" "$INTEROP_RUN" "$INTEROP_HERE" "$@"
}

# launch DIR COMMAND...: start a peer in the background. DIR/pid holds its pid and start time,
# DIR/console its output. Descriptor 9 (a lock) is not passed on.
launch() {
  local dir=$1 pid
  shift
  (in_root_exec "$@" </dev/null >"$dir/console" 2>&1 9>&- & echo $! >"$dir/pid")
  pid=$(<"$dir/pid")
  echo "$pid $(start_time "$pid")" >"$dir/pid"
}

# running DIR: is the process that `launch DIR` started still there? A number that went to
# another process since has another start time.
running() {
  local pid started
  read -r pid started 2>/dev/null <"$1/pid" || return 1
  [ -n "$started" ] && [ "$(start_time "$pid")" = "$started" ]
}

start_time() { # of a PID, in clock ticks since boot; a zombie counts as gone
  sed -n 's/.*) \([^ZX]\) /\1 /p' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20
}

# stop DIR SECONDS: end what `launch DIR` started, politely for SECONDS.
stop() {
  local dir=$1 pid
  if running "$dir"; then
    pid=$(cut -d' ' -f1 "$dir/pid")
    kill -TERM "$pid" 2>/dev/null || true
    await "$2" not running "$dir" || { kill -KILL "$pid" 2>/dev/null; await 2 not running "$dir"; } || true
  fi
  rm -f "$dir/pid"
}

not() { ! "$@"; }

# await SECONDS COMMAND...: until COMMAND succeeds, asked ten times a second.
await() {
  local tries=$(($1 * 10))
  shift
  until "$@"; do
    [ $((tries -= 1)) -gt 0 ] || return 1
    sleep 0.1
  done
}

tcp_open() { (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null; } # IP PORT

udp_bound() { # IP PORT: some socket of this network namespace has it
  local a b c d
  IFS=. read -r a b c d <<<"$1"
  grep -qi "^ *[0-9]*: $(printf '%02X%02X%02X%02X:%04X' "$d" "$c" "$b" "$a" "$2") " /proc/net/udp
}

# free_port IP FIRST LAST: a UDP port that nothing has bound.
free_port() {
  local port tries
  for tries in {1..50}; do
    port=$(($2 + RANDOM % ($3 - $2)))
    udp_bound "$1" "$port" || { echo "$port"; return; }
  done
  die "no free port on $1 in $2-$3"
}

# single DIR: make it, and let only one script at a time change the peer that lives there.
single() {
  mkdir -p "$1"
  exec 9>"$1/.lock"
  flock -w 60 9 || die "another script has held $1 for a minute"
}
