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
until front=$(five_ports) && [[ $front != "$base" ]]; do :; done
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
master_process off;
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
  # shellcheck disable=SC2317,SC2329  # called by wait_for
  says_it() {
    "$bwvdock" --socket "$work/$name/api.sock" --json queue >"$work/$name.queue" &&
      grep -qF -- "$words" "$work/$name.queue"
  }
  wait_for 45 says_it || said=1
  kill "$pid"
  wait "$pid" 2>/dev/null || true
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

# downloaded_and_whole PROVIDER ENDPOINT KEPT: every object has its receipt, opens, and is described.
downloaded_and_whole() {
  rm -rf "$work/down"
  remote "$1" "$2" copy --exclude '*/bwvdock-probe*' :s3:evidence "$work/down" &&
    receipts_hold "$work/down" "$3/state/dock.pub.pem" &&
    opened "$work/down" "$3/identity.txt" "$work/opened" &&
    every_file_is_described "$work/opened" &&
    custody_is_whole "$3/state/journal" "$3/state/receipts"
}

# complains EXIT WORDS NAME STORE: `store probe` ends like this and says that.
complains() {
  exits "$1" probed "$3" "$4" 2>"$work/complaint" || { cat "$work/complaint" && return 1; }
  # With --json an error is an object on stdout.
  says "$2" "$work/$3.probe"
}

check "through nginx, with a certificate, the store enforces all that is asked" \
  exits 0 probed mutual "$work/mutual.toml"
check "and keeps all of it" probe_says mutual \
  '.good and .receipt_level == "sha256_per_part" and ([.checks[]] | all(. == true))'
check "without a certificate nginx turns the dock away, in words" \
  complains 5 "400" stranger "$work/stranger.toml"
check "a card travels through nginx" exits 0 "$bwvdock" demo --store "$work/mutual.toml" \
  --keep "$work/first" --camera "$work/card" --json
check "each object has its receipt and is what was sealed" downloaded_and_whole \
  SeaweedFS "http://127.0.0.1:$weed" "$work/first"
check "nginx's own limit on bodies is said in words, and nothing is erased" \
  stuck_demo limited "$work/hostile.toml" client_max_body_size
check "a Host header that nginx changed is a refusal in words" \
  complains 5 SignatureDoesNotMatch renamed "$work/renamed.toml"

# --- rclone serve s3 ---------------------------------------------------------------------------

answers() {
  curl -s -o "$work/answer" "$@"
}

mkdir -p "$work/rclone/evidence"
rclone serve s3 --auth-key "$access,$secret" --addr "127.0.0.1:$rclone_port" "$work/rclone" \
  >"$work/rclone.log" 2>&1 &
wait_for 20 answers "http://127.0.0.1:$rclone_port/" || cat "$work/rclone.log"
store_config "http://127.0.0.1:$rclone_port" >"$work/rclone.toml"
check "rclone serve s3 is seen to check little, and is usable all the same" \
  exits 0 probed rclone "$work/rclone.toml"
check "objects are read back, since it checks no SHA-256" probe_says rclone \
  '.receipt_level == "read_back" and .checks.signature and .checks.md5 and (.checks.sha256 | not)'
check "it gives the headers of a lock back, and is not believed" probe_says rclone \
  '.checks.lock == false and .checks.versions == false'
check "a dock that wants locks refuses it" exits 1 probed locked "$work/rclone.toml" \
  '[retention]' 'lock = true'
simulated "$work/cameras"
check "two cameras travel there" exits 0 "$bwvdock" demo --store "$work/rclone.toml" \
  --keep "$work/second" --json --camera "$work/cameras/BWC-0001" --camera "$work/card"
check "each object is there once, with its receipt, and opens" downloaded_and_whole \
  Rclone "http://127.0.0.1:$rclone_port" "$work/second"
receipts_say() {
  sed -sn 1p "$1"/state/receipts/*.receipt | jq -s -e "length > 0 and all(.level == \"$2\")"
}
check "its receipts say how they were proved" receipts_say "$work/second" read_back

report
