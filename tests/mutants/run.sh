#!/usr/bin/env bash
# Do the checks bite? Applies each patch here to a copy of the project and runs the simulator and,
# where that finds nothing, the tests of the core; one of them must fail:
# tests/mutants/run.sh [NAME-PART...]
#
# A patch breaks the library in one way that the protocol's users would suffer from. One that
# survives shows a check that is missing. A patch that does not apply, or what does not build, ends
# the run: the patch must be written anew. About half a minute a patch on an idle core.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
work=$(mktemp -d)
trap 'git worktree remove --force "$work/copy" >/dev/null 2>&1; rm -rf "$work"' EXIT
git worktree add --quiet --detach "$work/copy" HEAD || exit 1
export CARGO_TARGET_DIR=${MUTANTS_TARGET_DIR:-$work/target}
# Quick to build; the simulator takes few seconds anyway.
export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=1
export CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_DEBUG=0
export CARGO_INCREMENTAL=1
run=0 by_sim=0 by_tests=0 survived=0

# simulate: 1 where the simulator finds something, 124 where it does not end, else 0.
simulate() {
  local seeds code=0
  for seeds in "--seeds 0..300" "--seeds 0..20 --media --calls 10"; do
    # shellcheck disable=SC2086
    timeout 300 "$CARGO_TARGET_DIR/release/sim" --first $seeds >"$work/out" 2>&1 || code=$?
    [ $code = 0 ] || return $code
  done
}

# unit_tests: 1 where a test of the core fails; prints the first that did.
unit_tests() {
  (cd "$work/copy" && cargo test --quiet --release -p sansip --features alloc --no-fail-fast) \
    >"$work/out" 2>&1 && return 0
  grep -q '^test result: FAILED\|panicked' "$work/out" || return 2
  return 1
}

first_failure() { # FALLBACK
  local text
  text=$(grep -m1 -o 'invariant [0-9].*' "$work/out" | sed 's/at node.* ms: //' | cut -c1-80)
  [ -n "$text" ] || text=$(grep -m1 -o "^thread '[^']*'" "$work/out" | cut -c8-)
  echo "${text:-$1}"
}

[ $# != 0 ] || set -- ""
for patch in $(for part in "$@"; do echo tests/mutants/*"$part"*.patch; done); do
  name=$(basename "$patch" .patch)
  run=$((run + 1))
  git -C "$work/copy" checkout --quiet -- .
  git -C "$work/copy" apply -C1 "$PWD/$patch" || { echo "$name does not apply"; exit 2; }
  (cd "$work/copy" && cargo build --quiet --release -p sansip-sim --bin sim 2>"$work/errors") ||
    { echo "$name does not build"; cat "$work/errors"; exit 2; }
  code=0
  simulate || code=$?
  case $code in
    0) ;;
    1) echo "killed by sim    $name: $(first_failure failed)"; by_sim=$((by_sim + 1)); continue ;;
    124) echo "killed by sim    $name: it goes on for ever"; by_sim=$((by_sim + 1)); continue ;;
    *) echo "$name: the simulator ended with status $code"; cat "$work/out"; exit 2 ;;
  esac
  code=0
  unit_tests || code=$?
  case $code in
    0) echo "SURVIVED         $name"; survived=$((survived + 1)) ;;
    1) echo "killed by tests  $name: $(first_failure failed)"; by_tests=$((by_tests + 1)) ;;
    *) echo "$name: the tests do not build"; tail -20 "$work/out"; exit 2 ;;
  esac
done
echo "$run run, $((by_sim + by_tests)) killed ($by_sim by the simulator, $by_tests by tests), $survived survived"
[ "$survived" = 0 ]
