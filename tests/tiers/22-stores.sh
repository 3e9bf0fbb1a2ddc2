#!/usr/bin/env bash
# Stores in less friendly places: SeaweedFS behind nginx, as forces run it: with client
# certificates asked for by nginx, with its default limit on bodies, with a Host header it changed;
# and `rclone serve s3`, which checks little and destroys an upload whose Complete it refuses.
set -euo pipefail
# shellcheck source=tests/tools/tier.sh
source tests/tools/tier.sh
# shellcheck source=tests/tools/stores.sh
source tests/tools/stores.sh

certificates >"$work/certificates.log" 2>&1
keys
base=$(five_ports)
weed=$base
front=$(five_ports)
mutual=$front
hostile=$((front + 1))
renamed=$((front + 2))
rclone_port=$((front + 3))

# --- SeaweedFS behind nginx --------------------------------------------------------------------

nginx_before() {
  local upstream="proxy_pass http://127.0.0.1:$weed; proxy_http_version 1.1;"
  local tls="ssl_certificate $work/tls/server.pem; ssl_certificate_key $work/tls/server.key;"
  cat >"$work/nginx.conf" <<CONF
daemon off;
user root;
pid $work/nginx.pid;
error_log $work/nginx.log;
events {}
http {
  access_log $work/nginx.access;
  client_body_temp_path $work/nginx-body;
  proxy_temp_path $work/nginx-proxy;
  fastcgi_temp_path $work/nginx-fastcgi;
  uwsgi_temp_path $work/nginx-uwsgi;
  scgi_temp_path $work/nginx-scgi;
  server {
    listen 127.0.0.1:$mutual ssl http2;
    $tls
    ssl_client_certificate $work/tls/ca.pem;
    ssl_verify_client on;
    client_max_body_size 0;
    proxy_request_buffering off;
    location / { $upstream proxy_set_header Host \$http_host; }
  }
  server {
    listen 127.0.0.1:$hostile ssl;
    $tls
    location / { $upstream proxy_set_header Host \$http_host; }
  }
  server {
    listen 127.0.0.1:$renamed ssl;
    $tls
    client_max_body_size 0;
    location / { $upstream }
  }
}
CONF
  nginx -p "$work" -c "$work/nginx.conf" >"$work/nginx.out" 2>&1 &
}

s3() {
  AWS_ACCESS_KEY_ID=$access AWS_SECRET_ACCESS_KEY=$secret \
    aws --endpoint-url "http://127.0.0.1:$weed" "$@"
}

# remote PROVIDER ENDPOINT ARGUMENT...
remote() {
  local provider=$1 endpoint=$2
  shift 2
  RCLONE_S3_PROVIDER=$provider RCLONE_S3_ENDPOINT=$endpoint \
    RCLONE_S3_ACCESS_KEY_ID=$access RCLONE_S3_SECRET_ACCESS_KEY=$secret rclone "$@"
}

# A folder with a file of 3 MB: nginx takes 1 MiB if nobody says otherwise.
large_card() {
  mkdir -p "$1/DCIM/shift"
  cp tests/fixtures/media/clip-{1,2}.mp4 "$1/DCIM/shift/"
  head -c 3000000 /dev/urandom >"$1/DCIM/shift/large.mp4"
}

# stuck_demo NAME STORE WORDS: a demo that cannot send says so in the dock's status, and erases
# nothing; then it is ended.
stuck_demo() {
  local name=$1 store=$2 words=$3 pid said=0
  "$bwvdock" demo --store "$store" --keep "$work/$name" --camera "$work/card" --json \
    >"$work/$name.out" 2>&1 &
  pid=$!
  says_it() {
    "$bwvdock" --socket "$work/$name/api.sock" --json queue >"$work/$name.queue" &&
      grep -qF -- "$words" "$work/$name.queue"
  }
  wait_for 45 says_it || said=1
  kill "$pid" && wait "$pid" 2>/dev/null || true
  ((said == 0)) || { cat "$work/$name.queue" "$work/$name.out" && return 1; }
  sums "$work/card" | diff "$work/card.sums" -
}

weed_server weed "$weed"
nginx_before
wait_for 40 refuses_strangers "http://127.0.0.1:$weed/" || cat "$work/weed/log"
check "aws makes the bucket, with object lock" \
  s3 s3api create-bucket --bucket evidence --object-lock-enabled-for-bucket
large_card "$work/card"
sums "$work/card" >"$work/card.sums"

ca="ca_file = \"$work/tls/ca.pem\""
store_config "https://127.0.0.1:$mutual" "$ca" "client_cert_file = \"$work/tls/client.pem\"" \
  "client_key_file = \"$work/tls/client.key\"" >"$work/mutual.toml"
store_config "https://127.0.0.1:$mutual" "$ca" >"$work/stranger.toml"
store_config "https://127.0.0.1:$hostile" "$ca" >"$work/hostile.toml"
store_config "https://127.0.0.1:$renamed" "$ca" >"$work/renamed.toml"

check "through nginx, with a certificate, the store enforces all that is asked" \
  exits 0 probed mutual "$work/mutual.toml"
check "and keeps all of it" probe_says mutual \
  '.good and .receipt_level == "sha256_per_part" and ([.checks[]] | all(. == true))'
check "without a certificate nginx turns the dock away" exits 5 probed stranger "$work/stranger.toml"
check "and the words say what to check" says "certificate" "$work/check.log.stranger"
check "two folders travel through nginx" exits 0 "$bwvdock" demo --store "$work/mutual.toml" \
  --keep "$work/first" --camera "$work/card" --json
check "each object has its receipt and is what was sealed" downloaded_and_whole \
  SeaweedFS "http://127.0.0.1:$weed" "$work/first"
check "nginx's limit on bodies is said in words" stuck_demo limited "$work/hostile.toml" \
  client_max_body_size
check "a Host header that nginx changed is said in words" exits 5 probed renamed \
  "$work/renamed.toml"
report
