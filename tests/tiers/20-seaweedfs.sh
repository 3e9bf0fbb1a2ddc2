#!/usr/bin/env bash
# SeaweedFS as the evidence store, over TLS and over mutual TLS: whatever the dock puts there is
# found, downloaded, opened and proved with tools that know nothing of this program: aws, rclone,
# Debian's age, openssl, jq, sha256sum.
set -euo pipefail
# shellcheck source=tests/tools/tier.sh
source tests/tools/tier.sh
# shellcheck source=tests/tools/stores.sh
source tests/tools/stores.sh
# shellcheck source=tests/tools/marks.sh
source tests/tools/marks.sh

# --- the stores --------------------------------------------------------------------------------

client=(--cert "$work/tls/client.pem" --key "$work/tls/client.key")
certificates >"$work/certificates.log" 2>&1
keys
secure=(-s3.cert.file="$work/tls/server.pem" -s3.key.file="$work/tls/server.key")
plain=$(five_ports)
weed_server plain "$plain" "${secure[@]}"
wait_for 40 refuses_strangers "https://127.0.0.1:$plain/" || cat "$work/plain/log"
mutual=$(five_ports)
weed_server mutual "$mutual" "${secure[@]}" -s3.cacert.file="$work/tls/ca.pem" -s3.tlsVerifyClientCert
wait_for 40 refuses_strangers "${client[@]}" "https://127.0.0.1:$mutual/" || cat "$work/mutual/log"
check "SeaweedFS answers over TLS" refuses_strangers "https://127.0.0.1:$plain/"
check "the second one only answers who has a certificate" \
  not curl -sS --cacert "$work/tls/ca.pem" "https://127.0.0.1:$mutual/"

# --- the readers -------------------------------------------------------------------------------

s3() {
  AWS_ACCESS_KEY_ID=$access AWS_SECRET_ACCESS_KEY=$secret \
    aws --endpoint-url "https://127.0.0.1:$plain" --ca-bundle "$work/tls/ca.pem" "$@"
}

# remote PORT ARGUMENT...
remote() {
  local port=$1
  shift
  RCLONE_S3_PROVIDER=SeaweedFS RCLONE_S3_ENDPOINT="https://127.0.0.1:$port" \
    RCLONE_S3_ACCESS_KEY_ID=$access RCLONE_S3_SECRET_ACCESS_KEY=$secret \
    rclone --ca-cert "$work/tls/ca.pem" --client-cert "$work/tls/client.pem" \
    --client-key "$work/tls/client.key" "$@"
}

# Lists with `aws s3 ls`, downloads with `aws s3 cp`.
download_with_aws() {
  s3 s3 ls --recursive s3://evidence/ >"$work/ls"
  awk '{ print $4 }' "$work/ls" | grep -v '/bwvdock-probe$' >"$work/keys"
  s3 s3 cp --recursive --only-show-errors --exclude '*bwvdock-probe' s3://evidence/ "$1"
}

check "aws makes the bucket of the first" s3 s3 mb s3://evidence
check "rclone makes the bucket of the second" remote "$mutual" mkdir :s3:evidence
store_config "https://127.0.0.1:$plain" "ca_file = \"$work/tls/ca.pem\"" >"$work/plain.toml"
store_config "https://127.0.0.1:$mutual" "ca_file = \"$work/tls/ca.pem\"" >"$work/mutual.toml"
cat >>"$work/mutual.toml" <<TOML
client_cert_file = "$work/tls/client.pem"
client_key_file = "$work/tls/client.key"
TOML

# --- two simulated cameras, released, over TLS -------------------------------------------------

kept=$work/first
check "the demo's cameras travel to SeaweedFS, and every file reaches the end" \
  exits 0 "$bwvdock" demo --store "$work/plain.toml" --keep "$kept" --json
mv "$work/check.log" "$work/first.json"
check "stdout was one JSON object that says so" jq -e \
  'type == "object" and .complete and .custody.whole and .segments == 9 and .released == .files' \
  "$work/first.json"
check "aws lists and downloads every object" download_with_aws "$work/aws"
check "there are as many as the dock says it stored" test \
  "$(grep -c '\.age$' "$work/keys")" = "$(jq .stored_objects "$work/first.json")"
check "nothing but sealed objects and their receipts is there" \
  not grep -vE '\.age(\.receipt)?$' "$work/keys"
check "each has a receipt: signed by the dock, naming these bytes" \
  receipts_hold "$work/aws" "$kept/state/dock.pub.pem"
check "a changed receipt is found out" \
  a_changed_receipt_fails "$work/aws" "$kept/state/dock.pub.pem"
check "a second reader sees the same (rclone)" \
  remote "$plain" copy --exclude '*/bwvdock-probe' :s3:evidence "$work/rclone"
check "byte for byte" diff -r "$work/aws" "$work/rclone"
check "Debian's age opens every one" opened "$work/aws" "$kept/identity.txt" "$work/opened"
check "the sealed descriptions name each with its hash" every_file_is_described "$work/opened"

media() {
  cut -f1,4 "$work/opened/table" | grep '\.mp4$' | cut -f1 | while IFS= read -r id; do
    sha256sum <"$work/opened/files/$id"
  done | sort -u >"$work/media"
  for clip in tests/fixtures/media/clip-?.mp4; do sha256sum <"$clip"; done |
    sort -u | diff "$work/media" -
}
check "the footage is what went into the cameras" media
record_of_the_incident() {
  jq -s -e '.[0] | select(.recording.class == "evidential" and .recording.officer == "PC4711")
    | .recording.bookmarks[0].label == "officer pressed the marker"
      and (.recording.flags == ["use-of-force"]) and .camera.id == "BWC-0001"' "$1"
}
one_describes_the_incident() {
  local file
  for file in "$work"/opened/records/*; do
    record_of_the_incident "$file" && return
  done
  return 1
}
check "officer, flag and bookmark of the incident are in its description" \
  one_describes_the_incident
check "signed footage is described as verified" jq -s -e \
  '[.[] | select(.kind == "media") | .sealed.verdict] | length > 0 and all(. == "verified")' \
  "$work"/opened/records/*
what_the_store_sees "$work/aws" >"$work/seen" 2>&1
check "the store sees no officer, camera, file, model or bookmark" says_nothing "$work/seen" \
  "${secrets[@]}"
check "(it does see the class)" says evidential "$work/seen"
check "the custody log is whole, and lies where the receipts say" \
  custody_is_whole "$kept/state/journal" "$kept/state/receipts"
check "an edited line is found" custody_tells "$kept/state/journal" "$kept/state/receipts" \
  '20s/"actor":"dock"/"actor":"duck"/'
check "a removed line is found" custody_tells "$kept/state/journal" "$kept/state/receipts" 30d
check "a cut-off end is found" \
  custody_tells "$kept/state/journal" "$kept/state/receipts" '12,999d'

# --- folders with awkward names, over mutual TLS -----------------------------------------------

simulated "$work/cameras"
dcim "$work/cameras/card"
listed "$work/cameras/stick"
mkdir "$work/aside"
folders=()
for camera in BWC-0001 BWC-0002 card stick; do
  sums "$work/cameras/$camera" >"$work/aside/$camera"
  folders+=(--camera "$work/cameras/$camera")
done
kept=$work/second
check "four folders travel there with a client certificate" \
  exits 0 "$bwvdock" demo --store "$work/mutual.toml" --keep "$kept" --json "${folders[@]}"
mv "$work/check.log" "$work/second.json"
check "all of it is stored, nothing is erased" jq -e \
  '.complete and .cameras == 4 and .released == 0 and .stored_objects > 30' "$work/second.json"
untouched() {
  for camera in BWC-0001 BWC-0002 card stick; do
    sums "$work/cameras/$camera" | diff "$work/aside/$camera" -
  done
}
check "the folders are as they were" untouched
check "rclone downloads it" \
  remote "$mutual" copy --exclude '*/bwvdock-probe' :s3:evidence "$work/rclone2"
check "each object has its receipt" receipts_hold "$work/rclone2" "$kept/state/dock.pub.pem"
check "Debian's age opens every one" opened "$work/rclone2" "$kept/identity.txt" "$work/opened2"
check "the descriptions name each with its hash" every_file_is_described "$work/opened2"
for camera in BWC-0001 BWC-0002 card stick; do
  check "what was sealed of $camera is what was kept aside" \
    same_as_originals "$work/opened2" "$camera" "$work/aside/$camera"
done
check "the custody log is whole" \
  custody_is_whole "$kept/state/journal" "$kept/state/receipts"

# --- classes, retention, holds and lifecycle, as aws reads them ---------------------------------

marks_dock marks "https://127.0.0.1:$plain" marks "ca_file = \"$work/tls/ca.pem\""
check "a dry run of setup shows what is missing, and makes nothing" exits 1 set_up marks --dry-run
check "(no bucket)" not s3 s3api head-bucket --bucket marks
check "setup makes a bucket with versions, object lock and lifecycle" exits 0 set_up marks
check "aws sees versions" sh -c "[ \"\$(cat)\" = Enabled ]" \
  < <(s3 s3api get-bucket-versioning --bucket marks --query Status --output text)
check "aws sees object lock" sh -c "[ \"\$(cat)\" = Enabled ]" \
  < <(s3 s3api get-object-lock-configuration --bucket marks \
    --query ObjectLockConfiguration.ObjectLockEnabled --output text)
check "its lifecycle touches unreviewed footage and stale uploads only" \
  lifecycle_is marks "$ours_by_tag"
check "asked again, there is nothing to do" exits 0 set_up marks --dry-run
foreign_rules() {
  jq '.Rules[] |= (if .ID == "bwvdock-unreviewed" then .Expiration.Days = 90 else . end)
    | .Rules += [{ID: "theirs", Status: "Enabled", Filter: {Prefix: "logs/"}, Expiration: {Days: 5}}]
    | {Rules}' "$work/lifecycle" >"$work/foreign.json"
  s3 s3api put-bucket-lifecycle-configuration --bucket marks \
    --lifecycle-configuration "file://$work/foreign.json"
}
check "somebody adds a rule and makes ours longer" foreign_rules
check "setup keeps both, and says so, and says that theirs is dangerous" exits 1 set_up marks
check "(longer)" says "after 90 days, which is longer: kept" "$work/marks.setup"
check "(theirs)" says "DANGER: the lifecycle rule theirs" "$work/marks.setup"
check "only --shorten shortens, and theirs stays" exits 1 set_up marks --shorten
check "aws sees 31 days and the rule of theirs" lifecycle_is marks '(.Rules | length == 3)
  and any(.Rules[]; .ID == "bwvdock-unreviewed" and .Expiration.Days == 31)
  and any(.Rules[]; .ID == "theirs" and .Expiration.Days == 5)'
evidence_later marks marks

report
