#!/usr/bin/env bash
# A store that may be killed and comes back on its own disk, for tests/kill and the Ceph tier.
#
#   trial_store.sh weed|ceph run DIR PORT    runs it in the foreground: S3 on PORT, data in DIR;
#                                            kill its process group to kill all of it
#   trial_store.sh ceph user DIR PORT        once, when it answers first: credentials
#   trial_store.sh weed|ceph make DIR PORT   the same, and a bucket that keeps versions
#
# DIR/access and DIR/secret hold the credentials. PORT to PORT+4 and, for SeaweedFS, the same
# 10,000 above must be free.
set -euo pipefail
kind=$1 action=$2 dir=$(realpath "$3") port=$4
access=$(<"$dir/access") secret=$(<"$dir/secret")
export LC_ALL=C.UTF-8 AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null
export AWS_EC2_METADATA_DISABLED=true AWS_DEFAULT_REGION=us-east-1 AWS_PAGER=''

s3api() {
  AWS_ACCESS_KEY_ID=$access AWS_SECRET_ACCESS_KEY=$secret \
    aws --endpoint-url "http://127.0.0.1:$port" s3api "$@" --bucket evidence
}

weed_run() {
  mkdir -p "$dir/data"
  jq -n --arg access "$access" --arg secret "$secret" '{identities: [{name: "dock",
    credentials: [{accessKey: $access, secretKey: $secret}],
    actions: ["Admin", "Read", "Write", "List", "Tagging"]}]}' >"$dir/s3.json"
  exec weed server -dir="$dir/data" -ip=127.0.0.1 -ip.bind=127.0.0.1 \
    -master.port=$((port + 1)) -volume.port=$((port + 2)) -filer -filer.port=$((port + 3)) \
    -master.electionTimeout=1s -master.heartbeatInterval=200ms \
    -master.volumeSizeLimitMB=64 -volume.max=200 -s3 -s3.port="$port" \
    -s3.config="$dir/s3.json" -s3.port.iceberg=0 -s3.port.lance=0
}

# One monitor, one OSD with BlueStore in a file, one gateway: every one of them keeps its promises
# on DIR's disk, so that each may be killed.
ceph_conf() {
  cat >"$dir/ceph.conf" <<CONF
[global]
fsid = $1
mon_host = [v1:127.0.0.1:$((port + 1))]
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
mon_data = $dir/mon
osd_data = $dir/osd
run_dir = $dir/run
admin_socket = $dir/run/\$name.asok
pid_file = $dir/run/\$name.pid
log_file = $dir/\$name.log
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_msgr2 = false
osd_objectstore = bluestore
bluestore_block_size = 4294967296
bluestore_block_create = true
osd_memory_target = 939524096
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
# A monitor ends itself below 5 % of free disk, however many gigabytes that is.
mon_data_avail_crit = 0
mon_data_avail_warn = 0
[client.rgw]
rgw_frontends = beast endpoint=127.0.0.1:$port
rgw_data = $dir/run
# A gateway that was killed within a Complete leaves the object locked for so long, of itself for 600.
rgw_mp_lock_max_time = 5
CONF
}

answers() {
  (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# until_it SECONDS COMMAND...
until_it() {
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < end)) || { echo "not in time: $*" >&2 && return 1; }
    sleep 0.1
  done
}

one_osd_up() {
  timeout 10 ceph osd stat | grep -q '1 up'
}

ceph_run() {
  local as=(--setuser root --setgroup root) fsid osd
  export CEPH_CONF=$dir/ceph.conf
  mkdir -p "$dir/mon" "$dir/osd" "$dir/run"
  if [[ ! -f $dir/ceph.conf ]]; then
    fsid=$(</proc/sys/kernel/random/uuid)
    ceph_conf "$fsid"
    monmaptool --create --fsid "$fsid" --addv a "[v1:127.0.0.1:$((port + 1))]" "$dir/monmap"
    ceph-mon --mkfs -i a --monmap "$dir/monmap" "${as[@]}"
  fi
  ceph-mon -i a -f "${as[@]}" &
  until_it 30 answers $((port + 1))
  if [[ ! -f $dir/osd/whoami ]]; then
    osd=$(</proc/sys/kernel/random/uuid)
    until_it 60 timeout 5 ceph -s
    # At first it is not yet the leader of itself, and refuses.
    until_it 30 ceph osd new "$osd"
    ceph-osd -i 0 --mkfs --osd-uuid "$osd" "${as[@]}"
    until_it 30 ceph osd crush add osd.0 1 root=default host=here
  fi
  # Asked before it knows the monitor's map, a daemon names no cluster, is refused ("wrong fsid") and
  # ends: on a busy machine that happens.
  until ceph-osd -i 0 -f "${as[@]}"; do sleep 0.2; done &
  until_it 90 one_osd_up
  radosgw -n client.rgw -f "${as[@]}" &
  # All of them, or none: what is missing one of them does not get well again.
  wait -n
  echo "a part of the store ended by itself" >&2
  kill -KILL 0
}

ceph_user() {
  CEPH_CONF=$dir/ceph.conf radosgw-admin user create --uid=dock --display-name=dock \
    --access-key="$access" --secret-key="$secret" >/dev/null
}

case $kind-$action in
  weed-run) weed_run ;;
  ceph-run) ceph_run ;;
  ceph-user) ceph_user ;;
  *-make)
    if [[ $kind == ceph ]]; then ceph_user; fi
    until_it 60 s3api create-bucket
    # So that an object that came twice is seen.
    until_it 60 s3api put-bucket-versioning --versioning-configuration Status=Enabled
    ;;
  *) echo "what is $kind $action?" >&2 && exit 2 ;;
esac
