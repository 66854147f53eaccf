#!/usr/bin/env bash
# Does the simulator bite? Applies each patch here to a copy of the project and runs the simulator,
# which must fail: tests/mutants/run.sh [NAME-PART]
#
# A patch breaks the library in one way that the protocol's users would suffer from. One that
# survives shows a check that is missing. Takes about a minute a patch.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
work=$(mktemp -d)
trap 'git worktree remove --force "$work/copy" >/dev/null 2>&1; rm -rf "$work"' EXIT
git worktree add --quiet --detach "$work/copy" HEAD || exit 1
export CARGO_TARGET_DIR=${MUTANTS_TARGET_DIR:-$work/target}
killed=0 survived=0
for patch in tests/mutants/*"${1:-}"*.patch; do
  name=$(basename "$patch" .patch)
  git -C "$work/copy" checkout --quiet -- .
  git -C "$work/copy" apply "$PWD/$patch" || { echo "$name does not apply"; exit 2; }
  (cd "$work/copy" && cargo build --quiet --release -p sansip-sim --bin sim 2>"$work/errors") ||
    { echo "$name does not build"; cat "$work/errors"; exit 2; }
  sim="$CARGO_TARGET_DIR/release/sim"
  code=0
  for seeds in "--seeds 0..300" "--seeds 0..20 --media --calls 10"; do
    # shellcheck disable=SC2086
    [ $code != 0 ] || timeout 120 "$sim" --first $seeds >"$work/out" 2>&1 || code=$?
  done
  case $code in
    0)
      echo "SURVIVED $name"
      survived=$((survived + 1)) ;;
    1)
      echo "killed   $name: $(grep -m1 -o 'invariant [0-9].*' "$work/out" | cut -c1-90)"
      killed=$((killed + 1)) ;;
    124)
      echo "killed   $name: it goes on for ever"
      killed=$((killed + 1)) ;;
    *) echo "$name: the simulator ended with status $code"; cat "$work/out"; exit 2 ;;
  esac
done
echo "$killed killed, $survived survived"
[ "$survived" = 0 ]
