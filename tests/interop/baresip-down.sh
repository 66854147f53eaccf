#!/usr/bin/env bash
# baresip-down.sh NAME
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
stop "$INTEROP_RUN/baresip-${1:?NAME}" 3 # it may wait much longer for its un-REGISTER
say "stopped $1"
