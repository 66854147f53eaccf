#!/usr/bin/env bash
# Run one command of Asterisk's console: ./asterisk-cli.sh 'pjsip show contacts'
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
in_root timeout 10 asterisk -C "$INTEROP_INSTANCE/etc/asterisk.conf" -rx "$*"
