#!/usr/bin/env bash
# Fetch Asterisk 22, SIPp, baresip, Kamailio, tshark and sngrep as Debian packages and unpack
# them into INTEROP_ROOT. No maintainer script runs, and neither the packages nor the apt
# sources of the machine change. Does nothing when it is already done.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$INTEROP_HERE/../ci/private-apt.sh"

: "${INTEROP_SUITES:=forky sid}" # the first one that has Asterisk; testing drops packages at times
: "${INTEROP_WANT:=asterisk asterisk-core-sounds-en-gsm sip-tester baresip-core
  kamailio kamailio-tls-modules sngrep tshark tcpdump
  base-files libc-bin dash coreutils sed grep ncurses-base openssl}"
# Of the dependencies, what only maintainer scripts, services or interactive use need.
LEAVE_OUT='adduser|passwd|login\.defs|debconf|libdebconf.*|systemd|libsystemd-shared|gnupg.*|gpg.*|gpgsm|gpgconf|dirmngr|pinentry.*|perl|perl-.*|libperl.*|python3.*|libpython3.*|libpam.*|libsemanage.*|libsepol.*|tzdata|media-types|readline-common|libc-gconv-modules-extra|pci\.ids|base-passwd|libtext-.*|bsdextrautils|dpkg|init-system-helpers'
APT=$INTEROP_DIR/apt
DONE="$INTEROP_SUITES $(echo $INTEROP_WANT)"

main() {
  [ "$INTEROP_ROOT" != / ] || { say "the machine's own programs are used"; return; }
  single "$INTEROP_DIR"
  [ "$(cat "$INTEROP_ROOT/.installed" 2>/dev/null)" != "$DONE" ] || { say "already in $INTEROP_ROOT"; return; }
  download
  unpack "$INTEROP_ROOT.new"
  fill_in "$INTEROP_ROOT.new"
  echo "$DONE" >"$INTEROP_ROOT.new/.installed"
  rm -rf "$INTEROP_ROOT" "$APT"
  mv "$INTEROP_ROOT.new" "$INTEROP_ROOT"
  say "done in $SECONDS s, $(du -sh "$INTEROP_ROOT" | cut -f1) in $INTEROP_ROOT"
}

download() {
  local packages
  private_apt "$APT" has_asterisk $INTEROP_SUITES
  packages=$(apt-get install -s $INTEROP_WANT | awk '/^Inst/ {print $2}' | grep -Evx "$LEAVE_OUT" | sort -u)
  mkdir -p "$APT/debs"
  (cd "$APT/debs" && timeout 600 apt-get -qq download $packages)
  say "$(wc -l <<<"$packages") packages, Asterisk $(asterisk_version), $(du -sh "$APT/debs" | cut -f1)"
}

has_asterisk() { [ -n "$(asterisk_version)" ]; }
asterisk_version() { apt-cache show asterisk 2>/dev/null | awk '/^Version:/ && !seen {print $2; seen = 1}'; }

unpack() {
  local root=$1 dir package
  rm -rf "$root"
  mkdir -p "$root"/usr/{bin,sbin,lib,lib64} "$root"/{etc,dev,proc,sys,tmp,run,root,var/run}
  for dir in bin sbin lib lib64; do ln -s "usr/$dir" "$root/$dir"; done
  for package in "$APT"/debs/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar -x -C "$root" --keep-directory-symlink --no-same-owner \
      --exclude='./usr/share/doc/*' --exclude='./usr/share/man/*' --exclude='./usr/share/locale/*' \
      --exclude='./usr/share/i18n/*' --exclude='./usr/lib/debug/*'
  done
}

# What maintainer scripts would have done.
fill_in() {
  local root=$1
  printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n' >"$root/etc/passwd"
  printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
  printf '127.0.0.1 localhost\n::1 localhost\n' >"$root/etc/hosts"
  printf 'hosts: files\n' >"$root/etc/nsswitch.conf"
  : >"$root/etc/resolv.conf"
  # Without this link `beep` is missing and Read() returns at once with nothing.
  [ -e "$root/usr/share/asterisk/sounds/en" ] || ln -s en_US_f_Allison "$root/usr/share/asterisk/sounds/en"
  local as_root=()
  [ "$(id -u)" = 0 ] || as_root=(unshare --user --map-root-user)
  "${as_root[@]}" chroot "$root" /sbin/ldconfig
}

main
