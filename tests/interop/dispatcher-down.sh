#!/usr/bin/env bash
# Stop the dispatcher on D_IP.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
D_IP=${D_IP:-$INTEROP_IP}
stop "$INTEROP_RUN/dispatcher-$D_IP" 5
say "stopped"
