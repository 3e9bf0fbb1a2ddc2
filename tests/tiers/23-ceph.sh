#!/usr/bin/env bash
# Debian's Ceph RGW 16 as the old store that many sites still run: strict on signatures; it ignores
# the SHA-256 of parts, If-None-Match on Complete, and the tags and locks of multipart uploads.
# One monitor, one OSD in memory, one gateway; nothing of the machine's own Ceph is touched.
set -euo pipefail
# shellcheck source=tests/tools/tier.sh
source tests/tools/tier.sh
# shellcheck source=tests/tools/stores.sh
source tests/tools/stores.sh
# shellcheck source=tests/tools/marks.sh
source tests/tools/marks.sh

keys
base=$(five_ports)
gateway=http://127.0.0.1:$((base + 1))
ceph=$work/ceph

ceph_conf() {
  mkdir -p "$ceph/mon" "$ceph/osd" "$ceph/run"
  cat >"$ceph/ceph.conf" <<CONF
[global]
fsid = $1
mon_host = [v1:127.0.0.1:$base]
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
mon_data = $ceph/mon
osd_data = $ceph/osd
run_dir = $ceph/run
admin_socket = $ceph/run/\$name.asok
pid_file = $ceph/run/\$name.pid
log_file = $ceph/\$name.log
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_msgr2 = false
osd_objectstore = memstore
memstore_device_bytes = 2147483648
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 8
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
# A monitor ends itself below 5 % of free disk, however many gigabytes that is.
mon_data_avail_crit = 0
mon_data_avail_warn = 0
[client.rgw]
rgw_frontends = beast endpoint=127.0.0.1:$((base + 1))
rgw_data = $ceph/run
CONF
  export CEPH_CONF=$ceph/ceph.conf
}

one_osd_up() {
  timeout 10 ceph osd stat | grep -q '1 up'
}

gateway_starts() {
  local fsid osd as=(--setuser root --setgroup root)
  fsid=$(</proc/sys/kernel/random/uuid) osd=$(</proc/sys/kernel/random/uuid)
  ceph_conf "$fsid"
  monmaptool --create --fsid "$fsid" --addv a "[v1:127.0.0.1:$base]" "$ceph/monmap" || return
  ceph-mon --mkfs -i a --monmap "$ceph/monmap" "${as[@]}" || return
  ceph-mon -i a -f "${as[@]}" >"$ceph/mon.out" 2>&1 &
  wait_for 30 timeout 5 ceph -s || return
  ceph osd new "$osd" || return
  ceph-osd -i 0 --mkfs --osd-uuid "$osd" "${as[@]}" || return
  ceph osd crush add osd.0 1 root=default host=here || return
  ceph-osd -i 0 -f "${as[@]}" >"$ceph/osd.out" 2>&1 &
  wait_for 30 one_osd_up || return
  radosgw -n client.rgw -f "${as[@]}" >"$ceph/rgw.out" 2>&1 &
  wait_for 60 curl -s -o /dev/null "$gateway/" || return
  radosgw-admin user create --uid=dock --display-name=dock --access-key="$access" \
    --secret-key="$secret"
}

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
((failed == 0)) || { tail -n 5 "$ceph"/*.log "$ceph"/*.out && report; exit 1; }
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
