#!/usr/bin/env bash
# Stop the Asterisk on INTEROP_IP. Its logs and recordings stay until it is started again.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
single "$INTEROP_INSTANCE"
running "$INTEROP_INSTANCE" || { say "not running"; exit 0; }
stop "$INTEROP_INSTANCE" 5 # Asterisk takes SIGTERM as `core stop now`
say "stopped $INTEROP_NAME"
