#!/usr/bin/env bash
# Real USB on a machine that has none: the real program in a guest with Debian's kernel, with
# cameras that QEMU, Debian's umtp-responder and tests/usb/simulated play. tests/usb/README.md
# says how it works.
#
#   tests/tiers/30-usb.sh [WORD...]     only the cases whose name contains one of the words
set -euo pipefail
# shellcheck source=tests/tools/tier.sh
source tests/tools/tier.sh

rig=target/usb-rig
tests/usb/prepare "$rig"
echo "prepared after $SECONDS s: $(<"$rig/kernel-version"), $(qemu-system-x86_64 --version | head -n 1)"
mkdir "$work/host"
cp "$bwvdock" "$work/host/bwvdock"
# Its last line is "N passed, N failed". A guest that says nothing has failed.
python3 tests/usb/boot.py "$rig" "$work/host" 900 "$@"
