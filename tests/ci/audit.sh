#!/usr/bin/env bash
# audit.sh: may we use these dependencies? Three rules over the whole graph (every feature,
# every target), with what is allowed in the lists beside this script:
#   licences        each crate can be had under licences that licences.txt names
#   duplicates      one version of each crate in what we ship, or an entry in duplicates.txt
#   rust-version    none asks for a newer Rust than the package that uses it states
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
FAILED=0

# refuse TITLE FOUND: FOUND is what breaks a rule, one a line; nothing is good news.
refuse() {
  [ -z "$2" ] || { printf '%s:\n%s\n' "$1" "$2"; FAILED=1; }
}

allowed() { sed 's/ *#.*//; /^$/d' "tests/ci/$1"; }

graph() { # -p PACKAGE or --workspace, [cargo tree option...]: one line a crate
  cargo tree --quiet --locked --all-features --target all --prefix none "$@" |
    sed 's/ (\*)$//; /^$/d' | sort -u
}

# An expression passes whole, or if one alternative (OR, or the old "/") has only listed names.
found=$(
  graph --workspace -e normal,build,dev -f '{l}|{p}' | awk -F'|' '
    function passes(expression,   i, j, alternatives, parts, n, m, all) {
      if (expression in ok) return 1
      n = split(expression, alternatives, / OR |\//)
      for (i = 1; i <= n; i++) {
        all = 1
        m = split(alternatives[i], parts, " AND ")
        for (j = 1; j <= m; j++) if (!(parts[j] in ok)) all = 0
        if (all && m) return 1
      }
      return 0
    }
    FILENAME == ARGV[1] {ok[$0] = 1; next}
    !passes($1) {print "  " $2 ": " ($1 == "" ? "none stated" : $1)}' <(allowed licences.txt) -
)
refuse "licences that licences.txt does not name" "$found"

found=$(
  graph --workspace -e normal,no-proc-macro --duplicates --depth 0 -f '{p}' |
    awk 'FILENAME == ARGV[1] {ok[$1] = 1; next} !($1 in ok) {print "  " $1, $2}' <(allowed duplicates.txt) -
)
refuse "crates in several versions that duplicates.txt does not list" "$found"

# A package may state a newer Rust than the others; what it stands on may not need one still newer.
crates=$(tests/ci/rust-versions.sh --all-features)
packages=$(tests/ci/rust-versions.sh --no-deps)
found=$(
  while read -r package _ stated; do
    graph -p "$package" -e normal,build -f '{p}' | sed 's/ v/ /' | awk -v package="$package" -v stated="$stated" '
      function number(version, part) {split(version, part, "."); return part[1] * 1000 + part[2]}
      FILENAME == ARGV[1] {needs[$1 " " $2] = $3; next}
      number(needs[$1 " " $2]) > number(stated) {
        print "  " package " states " stated ", " $1 " " $2 " needs " needs[$1 " " $2]
      }' <(cat <<<"$crates") -
  done <<<"$packages"
)
refuse "crates that need a newer Rust than the package that uses them" "$found"

[ $FAILED != 0 ] || echo "audit: $(graph --workspace -e normal,build,dev -f '{p}' | wc -l) crates, all three rules hold"
exit $FAILED
