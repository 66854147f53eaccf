#!/usr/bin/env bash
# rust-versions.sh [cargo metadata option...]: a line "NAME VERSION RUST-VERSION" for each package
# that states the Rust it needs; those of the workspace with --no-deps.
set -euo pipefail
# A package is named `…/folder#name@1.2.3`, or `…/name#1.2.3` where its folder has its name.
cargo metadata --quiet --locked --format-version 1 "$@" |
  grep -oE '"id":"[^"]*"|"rust_version":"[^"]*"' |
  awk -F'"' '
    $2 == "id" {id = $4}
    $2 == "rust_version" {
      name = id; sub(/.*#/, "", name); sub(/@.*/, "", name)
      version = id; sub(/.*[#@]/, "", version)
      if (name == version) {name = id; sub(/#.*/, "", name); sub(/.*\//, "", name)}
      print name, version, $4
    }'
