#!/usr/bin/env bash
# Debian's Ceph RGW 16 as the old store that many sites still run: strict on signatures; it ignores
# the SHA-256 of parts, If-None-Match on Complete, and the tags and locks of multipart uploads.
# One monitor, one OSD, one gateway; nothing of the machine's own Ceph is touched.
set -euo pipefail
# shellcheck source=tests/tools/tier.sh
source tests/tools/tier.sh
# shellcheck source=tests/tools/stores.sh
source tests/tools/stores.sh
# shellcheck source=tests/tools/marks.sh
source tests/tools/marks.sh

keys
base=$(five_ports)
gateway=http://127.0.0.1:$base
ceph=$work/ceph

store() {
  bash tests/tools/trial_store.sh ceph "$1" "$ceph" "$base"
}

# In a process group of its own: what ends one of it, ends all.
gateway_starts() {
  mkdir "$ceph" && cp "$work/access" "$work/secret" "$ceph/"
  setsid bash tests/tools/trial_store.sh ceph run "$ceph" "$base" >"$ceph/out" 2>&1 &
  gateway_group=$!
  wait_for 180 curl -s -o /dev/null "$gateway/" && store user
}

# shellcheck disable=SC2317,SC2329  # called by the trap
leave_gateway() {
  disown "$gateway_group" 2>/dev/null || true
  kill -KILL -- "-$gateway_group" 2>/dev/null || true
  leave
}
trap leave_gateway EXIT

s3() {
  AWS_ACCESS_KEY_ID=$access AWS_SECRET_ACCESS_KEY=$secret aws --endpoint-url "$gateway" "$@"
}

receipts_say() {
  sed -sn 1p "$1"/state/receipts/*.receipt | jq -s -e "length > 0 and all(.level == \"$2\")"
}

# One version of each key: nothing was sent twice.
each_once() {
  s3 s3api list-object-versions --bucket evidence >"$work/versions"
  jq -e '[.Versions[].Key | select(contains("bwvdock-probe") | not)]
    | length > 0 and length == (unique | length)' "$work/versions"
}

check "an RGW of Debian's starts" gateway_starts
# Without it everything behind fails too, slowly, and what is true of no answer would pass.
((failed == 0)) || { tail -n 5 "$ceph"/*.log "$ceph/out" && report; exit 1; }
check "aws makes a bucket with object lock" \
  s3 s3api create-bucket --bucket evidence --object-lock-enabled-for-bucket
store_config "$gateway" >"$work/rgw.toml"
check "the probe finds it usable" exits 0 probed rgw "$work/rgw.toml"
check "it refuses wrong signatures and a wrong MD5, and takes a wrong SHA-256" probe_says rgw \
  '.checks.signature and .checks.md5 and (.checks.sha256 | not)'
check "it overwrites on Complete, and keeps versions" probe_says rgw \
  '(.checks.complete_if_none_match | not) and .checks.versions'
check "it loses lock and tag of a multipart upload, and is not believed" probe_says rgw \
  '(.checks.lock | not) and (.checks.class_tag | not)'
check "it keeps them of a stored object, and a legal hold" probe_says rgw \
  '.checks.lock_after and .checks.class_tag_after and .checks.legal_hold'
check "so objects are read back" probe_says rgw '.receipt_level == "read_back"'
check "a dock that wants locks may use it" exits 0 probed locked "$work/rgw.toml" \
  '[retention]' 'lock = true'
check "(it locks the stored object then)" says "locks the stored object" "$work/locked.probe"
check "a dock that is content with MD5 is told what that is worth" exits 0 probed md5 \
  "$work/rgw.toml" '[release]' 'receipt_level_min = "md5_per_part"'
check "and gets it" probe_says md5 '.receipt_level == "md5_per_part"'

check "two cameras travel there and are emptied" \
  exits 0 "$bwvdock" demo --store "$work/rgw.toml" --keep "$work/kept" --json
check "every receipt was proved by reading back" receipts_say "$work/kept" read_back
check "aws downloads every object" s3 s3 cp --recursive --only-show-errors \
  --exclude '*bwvdock-probe*' s3://evidence/ "$work/aws"
check "each has its receipt" receipts_hold "$work/aws" "$work/kept/state/dock.pub.pem"
check "Debian's age opens every one" opened "$work/aws" "$work/kept/identity.txt" "$work/opened"
check "the descriptions name each with its hash" every_file_is_described "$work/opened"
check "each object is there in one version" each_once
check "the custody log is whole" \
  custody_is_whole "$work/kept/state/journal" "$work/kept/state/receipts"

# --- classes, locks and holds, given to the stored objects -------------------------------------

marks_dock marks "$gateway" marks
check "setup makes a bucket, and reads it back" exits 0 set_up marks
check "its lifecycle touches unreviewed footage and stale uploads only" \
  lifecycle_is marks "$ours_by_tag"
evidence_later marks marks

report
