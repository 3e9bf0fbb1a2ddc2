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
# The camera door's own tests want real responders; the guest has them.
lib_tests=$(cargo test --locked --lib --no-run --message-format=json |
  sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)
strip -o "$work/host/lib-tests" "$lib_tests"

# Two guests, one after the other: one in which time is time, and one whose clock jumps over all
# waiting, for what takes hours. A guest that says nothing has failed.
ran=0
for clock in real jumps; do
  names=$(python3 -B tests/usb/guest/main.py --list "$clock" "$@")
  [[ -n $names ]] || continue
  ran=1
  status=0
  python3 tests/usb/boot.py "$rig" "$work/host" 900 "$clock" "$@" | tee "$work/said" || status=$?
  read -r ok bad < <(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$work/said" | tail -n 1) ||
    { ok=0 && bad=1; }
  if ((status != 0 && bad == 0)); then bad=1; fi
  passed=$((passed + ok))
  failed=$((failed + bad))
  echo "the guest whose clock is '$clock' ended after $SECONDS s"
done
((ran == 1)) || { echo "no case has a name with any of: $*" && exit 1; }
report
