#!/usr/bin/env bash
# The embedded store, read by strangers: what the demo leaves in it is listed and downloaded by aws
# and by rclone from `bwvdock vault`, opened by Debian's age, and proved by openssl and sha256sum.
set -euo pipefail
# shellcheck source=tests/tools/tier.sh
source tests/tools/tier.sh

kept=$work/kept
check "the demo fills the embedded store" exits 0 "$bwvdock" demo --keep "$kept" --json
mv "$work/check.log" "$work/summary.json"
check "stdout was one JSON object that says so" \
  jq -e 'type == "object" and .complete and .custody.whole' "$work/summary.json"

"$bwvdock" vault --root "$kept/store" --listen 127.0.0.1:0 \
  --access-key-file "$kept/store.access" --secret-key-file "$kept/store.secret" \
  --cert-file "$kept/tls/server.pem" --key-file "$kept/tls/server.key" >"$work/vault.out" &
wait_for 20 grep -q '^listening ' "$work/vault.out"
endpoint=$(sed -n 's/^listening //p' "$work/vault.out")

s3() {
  AWS_ACCESS_KEY_ID=$(<"$kept/store.access") AWS_SECRET_ACCESS_KEY=$(<"$kept/store.secret") \
    aws --endpoint-url "$endpoint" --ca-bundle "$kept/tls/ca.pem" "$@"
}

remote() {
  RCLONE_S3_PROVIDER=Other RCLONE_S3_ENDPOINT=$endpoint \
    RCLONE_S3_ACCESS_KEY_ID=$(<"$kept/store.access") \
    RCLONE_S3_SECRET_ACCESS_KEY=$(<"$kept/store.secret") \
    rclone --ca-cert "$kept/tls/ca.pem" "$@"
}

# The files the vault keeps beside the sealed bytes.
stored_in_the_open() {
  find "$kept/store" -printf '%P\n' >"$work/open"
  find "$kept/store" -name '*.json' -exec cat {} + >>"$work/open"
  says_nothing "$work/open" "${secrets[@]}"
}

list() {
  s3 s3 ls --recursive s3://evidence/ >"$work/ls" &&
    awk '{ print $4 }' "$work/ls" | grep -v '/bwvdock-probe$' >"$work/keys"
}

check "aws lists the store" list
check "there are as many objects as the dock says it stored" test \
  "$(grep -c '\.age$' "$work/keys")" = "$(jq .stored_objects "$work/summary.json")"
check "nothing but sealed objects and their receipts is there" \
  not grep -vE '\.age(\.receipt)?$' "$work/keys"
check "aws downloads them" s3 s3 cp --recursive --only-show-errors \
  --exclude '*bwvdock-probe' s3://evidence/ "$work/aws"
check "rclone downloads them" \
  remote copy --exclude '*/bwvdock-probe' :s3:evidence "$work/rclone"
check "both are given the same bytes" diff -r "$work/aws" "$work/rclone"
check "each has a receipt: signed by the dock, naming these bytes" \
  receipts_hold "$work/aws" "$kept/state/dock.pub.pem"
check "a changed receipt is found out" \
  a_changed_receipt_fails "$work/aws" "$kept/state/dock.pub.pem"
check "Debian's age opens every one" opened "$work/aws" "$kept/identity.txt" "$work/opened"
check "the sealed descriptions name each with its hash" every_file_is_described "$work/opened"
what_the_store_sees "$work/aws" >"$work/seen" 2>&1
check "the store sees no officer, camera, file, model or bookmark" says_nothing "$work/seen" \
  "${secrets[@]}"
check "nor does its own bookkeeping on disk" stored_in_the_open
check "the custody log is whole, and lies where the receipts say" \
  custody_is_whole "$kept/state/journal" "$kept/state/receipts"
check "a wrong secret is turned away" not env AWS_ACCESS_KEY_ID=demo AWS_SECRET_ACCESS_KEY=wrong \
  aws --endpoint-url "$endpoint" --ca-bundle "$kept/tls/ca.pem" s3 ls s3://evidence/
check "a store of an unknown authority is not believed" not env AWS_ACCESS_KEY_ID=demo \
  AWS_SECRET_ACCESS_KEY="$(<"$kept/store.secret")" aws --endpoint-url "$endpoint" s3 ls

report
