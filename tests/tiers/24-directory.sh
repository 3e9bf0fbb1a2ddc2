#!/usr/bin/env bash
# A folder as the evidence store, for sites without S3: whatever the dock puts there is found, opened
# and proved with tools that know nothing of this program: find, sha256sum, openssl, jq, Debian's age.
# As root also on a file system of its own that fills up, turns read-only and goes away.
set -euo pipefail
# shellcheck source=tests/tools/tier.sh
source tests/tools/tier.sh

# folder_store DIR: the [store] section.
folder_store() {
  printf '[store]\nkind = "directory"\ndirectory = "%s"\n' "$1"
}

# folder_config NAME DIR [LINE...]: a whole configuration.
folder_config() {
  local name=$1 dir=$2
  shift 2
  [[ -f $work/identity.txt ]] ||
    "$bwvdock" keys generate identity --out "$work/identity.txt" >/dev/null || return
  {
    printf '[dock]\nid = "tier"\nstate_dir = "%s"\nkey_file = "%s"\n' "$work/$name.state" \
      "$work/$name.state/dock.key"
    printf '[seal]\nrecipients = ["%s"]\n[api]\nsocket = "%s"\n[spool]\nreserve_bytes = 67108864\n' \
      "$(sed -n 's/^# public key: //p' "$work/identity.txt")" "$work/$name.sock"
    printf '[cameras]\npoll_interval_ms = 200\nprofiles_dir = "%s"\nkeys_dir = "%s"\n' \
      "$work/none" "$work/none"
    printf '[[bays]]\nname = "1"\nfolder = "%s"\ncamera_id = "CARD-1"\n' "$work/$name.camera"
    folder_store "$dir"
    printf '%s\n' "$@"
  } >"$work/$name.toml"
  mkdir -p "$work/$name.state" "$work/$name.camera/DCIM/100MEDIA"
}

ask() {
  local name=$1
  shift
  "$bwvdock" --socket "$work/$name.sock" "$@"
}

tells() {
  ask "$1" status --json | jq -e --arg words "$2" '.problems | any(contains($words))'
}

stored() {
  ask "$1" status --json | jq -e '.stored.count >= 2 and .unfinished == 0 and .undescribed == 0
    and ([.queue[] | .count] | add) == 0 and .marks_due == 0'
}

store=$work/evidence
mkdir "$store"
folder_store "$store" >"$work/store.toml"
folder_config first "$store"
check "a folder that nobody made a store is not used" \
  exits 5 "$bwvdock" store probe --config "$work/first.toml"
mv "$work/check.log" "$work/refused"
check "(it says why)" says "not mounted" "$work/refused"
check "setup makes it one" exits 0 "$bwvdock" store setup --config "$work/first.toml"
check "the probe finds it usable" exits 0 "$bwvdock" store probe --config "$work/first.toml"
mv "$work/check.log" "$work/probed"
check "(and calls nothing there locked)" says "nothing here is locked" "$work/probed"

kept=$work/kept
check "two cameras travel there and are emptied" \
  exits 0 "$bwvdock" demo --store "$work/store.toml" --keep "$kept" --json
mv "$work/check.log" "$work/demo.json"
check "stdout says so" jq -e '.complete and .custody.whole and .released == .files' "$work/demo.json"
check "there are as many objects as the dock says it stored" test \
  "$(find "$store" -name '*.age' | wc -l)" = "$(jq .stored_objects "$work/demo.json")"
check "each has its receipt: signed by the dock, naming these bytes" \
  receipts_hold "$store" "$kept/state/dock.pub.pem"
check "a changed receipt is found out" a_changed_receipt_fails "$store" "$kept/state/dock.pub.pem"
check "every receipt was proved by reading back" sh -c \
  "find '$store' -name '*.receipt' -exec sed -n 1p {} + | jq -s -e 'all(.level == \"read_back\")'"
check "Debian's age opens every one" opened "$store" "$kept/identity.txt" "$work/opened"
check "the descriptions name each with its hash" every_file_is_described "$work/opened"
marks_beside() {
  local object
  while IFS= read -r -d '' object; do
    jq -e --arg sum "$(sha256sum <"$object" | cut -d' ' -f1)" \
      '.sha256 == $sum and (.class | IN("evidential", "quarantine", "unreviewed"))
        and (.note | contains("enforces neither"))' "$object.marks" >/dev/null ||
      { cat "$object.marks" && return 1; }
  done < <(find "$store" -name '*.age' -print0)
}
check "beside each lies its class, with the hash that sha256sum gives" marks_beside
check "nothing is left of the way" test -z "$(ls "$store/.bwvdock-uploads")"
check "the custody log is whole" custody_is_whole "$kept/state/journal" "$kept/state/receipts"

# --- a file system that fills up, turns read-only, and goes away --------------------------------

small=$work/small
mkdir "$small"
if ! mount -t tmpfs -o size=3m none "$small" 2>/dev/null; then
  echo "skipped: a file system of its own needs root"
else
  # shellcheck disable=SC2317,SC2329  # called by the trap
  unmount_and_leave() {
    umount -l "$small" 2>/dev/null || true
    leave
  }
  trap unmount_and_leave EXIT
  folder_config small "$small" '[transfer]' 'retry_seconds_base = 1' 'retry_seconds_max = 2' '[release]' 'enabled = false'
  check "setup on a small file system" exits 0 "$bwvdock" store setup --config "$work/small.toml"
  head -c 2500000 /dev/zero >"$small/other"
  head -c 1500000 /dev/urandom >"$work/small.camera/DCIM/100MEDIA/one.mp4"
  sums "$work/small.camera" >"$work/small.sums"
  "$bwvdock" daemon --die-with-parent --config "$work/small.toml" 2>"$work/small.log" &
  check "full: told in words, with what to do" wait_for 30 tells small "no space is left"
  check "nothing has its name half" test -z "$(find "$small" -name '*.age')"
  rm "$small/other"
  # It would be asked again by itself, after some minutes.
  check "with room it is asked for again" ask small retry
  check "and everything arrives" wait_for 60 stored small
  check "Debian's age opens it" opened "$small" "$work/identity.txt" "$work/opened-small"
  check "as it was on the camera" same_as_originals "$work/opened-small" CARD-1 "$work/small.sums"
  before=$(find "$small" -type f | wc -l)
  mount -o remount,ro "$small"
  head -c 20000 /dev/urandom >"$work/small.camera/DCIM/100MEDIA/two.mp4"
  check "the camera is looked at again" ask small release
  check "read-only: told in words" wait_for 60 tells small "read-only (EROFS)"
  mount -o remount,rw "$small"
  umount -l "$small"
  check "gone: told in words" wait_for 60 tells small "not mounted"
  check "the empty mount point stays empty" test -z "$(ls -A "$small")"
  check "(there was something to write)" test "$before" -gt 2
fi

report
