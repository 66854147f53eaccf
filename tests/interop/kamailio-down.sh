#!/usr/bin/env bash
# Stop the Kamailio on K_IP.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
K_IP=${K_IP:-$INTEROP_IP}
stop "$INTEROP_RUN/kamailio-$K_IP" 5
say "stopped"
