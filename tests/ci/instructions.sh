#!/usr/bin/env bash
# Counts the instructions of each scenario of core/benches/instructions.rs under callgrind and
# compares them with the budget: tests/ci/instructions.sh [--update]
#
# A figure may grow by 3 %. One that fell by more is worth noting down: --update writes the budget
# anew from what was counted. Counts follow from the compiler and a little from the processor
# (which of libc's ways to copy and compare is taken), so the budget names what it was made with.
# Exit 3: no valgrind.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

BUDGET=core/benches/instructions.tsv
GROWTH_PERCENT=3
REGION=instructions::counted_region

main() {
  command -v valgrind >/dev/null || install || exit 3
  # no local: the trap runs at the end of the script
  counts=$(mktemp -d)
  trap 'rm -rf "$counts"' EXIT
  count "$counts" >"$counts/counted.tsv"
  if [ "${1:-}" = --update ]; then
    { header; cat "$counts/counted.tsv"; } >"$BUDGET"
    cat "$BUDGET"
  else
    compare "$counts/counted.tsv"
  fi
}

install() {
  [ "$(id -u)" = 0 ] && apt-get install -y valgrind >/dev/null 2>&1
}

# One line a scenario: its name, and instructions for doing it once.
count() {
  local dir=$1 name times part=0
  cargo --config "target.'cfg(all())'.runner = ['valgrind', '--tool=callgrind', \
'--collect-atstart=no', '--toggle-collect=$REGION', '--dump-after=$REGION', \
'--callgrind-out-file=$dir/out', '--log-file=$dir/log']" \
    bench --quiet --locked -p sansip --features alloc --bench instructions >"$dir/names"
  while read -r name times; do
    part=$((part + 1))
    awk -v name="$name" -v times="$times" \
      '/^totals:/ {printf "%s\t%d\n", name, $2 / times}' "$dir/out.$part"
  done <"$dir/names"
}

header() {
  echo "# Instructions for doing each scenario once; made by tests/ci/instructions.sh --update"
  echo "# with $(rustc --version)"
}

compare() { # COUNTED: print a table, fail where a figure grew too much or a line is missing
  awk -F'\t' -v percent=$GROWTH_PERCENT '
    /^#/ {print; next}
    FNR == NR {budget[$1] = $2; next}
    {
      seen[$1] = 1
      growth = budget[$1] ? ($2 / budget[$1] - 1) * 100 : 100
      bad = growth > percent
      failed += bad
      printf "%-32s %9d  budget %9d  %+6.1f %%%s\n", $1, $2, budget[$1], growth,
        bad ? "  TOO MUCH" : growth < -percent ? "  lower the budget: --update" : ""
    }
    END {
      for (name in budget) if (!(name in seen)) {print name ": not counted"; failed++}
      exit failed > 0
    }' "$BUDGET" "$1"
}

main "$@"
