# Sourced. private_apt DIR SUITE...: let apt-get and apt-cache of this shell read a Debian
# suite from a folder of their own. The machine's mirror and keyring are used; its
# packages, sources and lists are neither read nor changed.

# private_apt DIR TEST SUITE...: take the first suite whose index can be read and for which
# the command TEST succeeds. Prints what went wrong.
private_apt() {
  local dir=$1 test=$2 suite mirror
  shift 2
  command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null ||
    { echo "no apt-get and dpkg here" >&2; return 1; }
  mirror=$(unset APT_CONFIG; debian_mirror)
  [ -n "$mirror" ] || { echo "no Debian mirror in this machine's apt configuration" >&2; return 1; }
  mkdir -p "$dir"/{lists/partial,cache/archives/partial}
  : >"$dir/status"
  cat >"$dir/apt.conf" <<CONF
Dir::Etc::SourceList "$dir/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Dir::State "$dir";
Dir::State::Lists "$dir/lists";
Dir::State::status "$dir/status";
Dir::Cache "$dir/cache";
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
Acquire::Retries "3";
// A mirror frozen for a while still serves; signatures are checked as always.
Acquire::Check-Valid-Until "false";
CONF
  export APT_CONFIG=$dir/apt.conf
  for suite in "$@"; do
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" \
      >"$dir/sources.list"
    if timeout 180 apt-get -qq update >"$dir/update.log" 2>&1 && "$test"; then
      return 0
    fi
  done
  echo "none of the suites $* has what is wanted; see $dir/update.log" >&2
  return 1
}

# The main archive of the machine's own apt configuration (its lists need not be there yet).
debian_mirror() {
  apt-get indextargets --format '$(REPO_URI)' 2>/dev/null | awk '/\/debian\/?$/ {print; exit}'
}
