# shellcheck shell=bash
# What a store keeps of an object's class, as aws reads it: bucket setup, tags, retention, holds,
# evidence marked after it was stored and taken back. Sourced after tests/tools/stores.sh; the tier
# has `s3`, its aws.

work=${work:?tests/tools/tier.sh comes first}
bwvdock=${bwvdock:?tests/tools/tier.sh comes first}

# marks_dock NAME ENDPOINT BUCKET [LINE...]: the configuration of a dock that locks, on the camera
# folder $work/NAME.camera; [store] gets the lines.
marks_dock() {
  local name=$1 endpoint=$2 bucket=$3
  shift 3
  [[ -f $work/identity.txt ]] ||
    "$bwvdock" keys generate identity --out "$work/identity.txt" >/dev/null || return
  mkdir -p "$work/$name.camera/DCIM/100MEDIA" "$work/$name.state"
  cp tests/fixtures/media/clip-1.mp4 "$work/$name.camera/DCIM/100MEDIA/one.mp4"
  cp tests/fixtures/media/clip-2.mp4 "$work/$name.camera/DCIM/100MEDIA/two.mp4"
  cat >"$work/$name.toml" <<TOML
[dock]
id = "$name"
state_dir = "$work/$name.state"
key_file = "$work/$name.state/dock.key"
[seal]
recipients = ["$(sed -n 's/^# public key: //p' "$work/identity.txt")"]
[api]
socket = "$work/$name.sock"
[spool]
reserve_bytes = 67108864
[cameras]
poll_interval_ms = 200
profiles_dir = "$work/none"
keys_dir = "$work/none"
[[bays]]
name = "1"
folder = "$work/$name.camera"
camera_id = "CARD-1"
[retention]
lock = true
days = 31
$(store_config "$endpoint" "$@" | sed "s/^bucket = .*/bucket = \"$bucket\"/")
TOML
}

dock_of() {
  local name=$1
  shift
  "$bwvdock" --socket "$work/$name.sock" "$@"
}

# set_up NAME OPTION...: `store setup`, what it says into $work/NAME.setup.
set_up() {
  local name=$1
  shift
  "$bwvdock" store setup --config "$work/$name.toml" "$@" >"$work/$name.setup" ||
    { local status=$? && cat "$work/$name.setup" && return $status; }
}

lifecycle_is() {
  s3 s3api get-bucket-lifecycle-configuration --bucket "$1" >"$work/lifecycle" || return
  jq -e "$2" "$work/lifecycle" >/dev/null || { cat "$work/lifecycle" && return 1; }
}

# What lifecycle rules a dock asks for, and no more.
# shellcheck disable=SC2034  # used by the tiers
ours_by_tag='.Rules | length == 2 and any(.[]; .ID == "bwvdock-unreviewed" and .Status == "Enabled"
  and (.Filter.Tag == {Key: "class", Value: "unreviewed"}
    or (.Filter.And.Tags // []) == [{Key: "class", Value: "unreviewed"}])
  and .Expiration.Days == 31 and .NoncurrentVersionExpiration.NoncurrentDays == 7)
  and any(.[]; .ID == "bwvdock-stale-uploads"
    and .AbortIncompleteMultipartUpload.DaysAfterInitiation == 14 and (has("Expiration") | not))'

# every_object BUCKET FILTER: for each sealed object of the bucket FILTER holds of
# {key, class, until, hold}, read by aws one by one.
every_object() {
  local bucket=$1 filter=$2 key found=0
  s3 s3api list-objects-v2 --bucket "$bucket" --query 'Contents[].Key' --output text |
    tr '\t' '\n' | grep '\.age$' >"$work/sealed"
  while IFS= read -r key; do
    found=$((found + 1))
    jq -n --arg key "$key" \
      --argjson tags "$(s3 s3api get-object-tagging --bucket "$bucket" --key "$key" || echo '{}')" \
      --argjson lock "$(s3 s3api get-object-retention --bucket "$bucket" --key "$key" || echo '{}')" \
      --argjson hold "$(s3 s3api get-object-legal-hold --bucket "$bucket" --key "$key" || echo '{}')" \
      '{key: $key, class: ([$tags.TagSet[]? | select(.Key == "class") | .Value] | first),
        until: $lock.Retention.RetainUntilDate, mode: $lock.Retention.Mode,
        hold: ($hold.LegalHold.Status // "OFF")}' >"$work/marks.one"
    jq -e "$filter" "$work/marks.one" >/dev/null || { cat "$work/marks.one" && return 1; }
  done <"$work/sealed"
  ((found > 0))
}

settled() {
  dock_of "$1" status --json >"$work/status" &&
    jq -e '.marks_due == 0 and .unfinished == 0 and .undescribed == 0
      and .stored.count > 2 and (.uploads | length) == 0
      and ([.queue[] | .count] | add) == 0' "$work/status"
}

# Locked for 31 days from now, give or take.
month='((.until | sub("\\.[0-9]+"; "") | sub("\\+00:00$"; "Z") | fromdate) - now) / 86400
  | . > 23 and . < 31.1'

# evidence_later NAME BUCKET: the whole way of a recording that is marked after it was stored.
evidence_later() {
  local name=$1 bucket=$2 recording
  # shellcheck disable=SC2154  # the tier's own
  "$bwvdock" daemon --die-with-parent --config "$work/$name.toml" 2>"$work/$name.log" &
  check "a dock that locks sends its footage there" wait_for 90 settled "$name"
  check "every object is unreviewed, and locked for its 31 days; none is held" every_object \
    "$bucket" "(.class == \"unreviewed\" or .class == \"quarantine\") and .hold == \"OFF\"
      and .mode == \"GOVERNANCE\" and ($month)"
  recording=$(dock_of "$name" recordings --json | jq -r '.rows[0].id')
  check "a recording is marked as evidence" dock_of "$name" flag "$recording" --reason "case 7"
  check "the dock is done with it" wait_for 60 settled "$name"
  dock_of "$name" segments --json --recording "$recording" |
    jq -r '.rows[].object' >"$work/$name.marked"
  check "its objects are held and evidential, the others not" every_object "$bucket" \
    "(.key | split(\"/\") | last | rtrimstr(\".age\")) as \$id
      | if (\$id | IN($(jq -R . "$work/$name.marked" | paste -sd,)))
        then .class == \"evidential\" and .hold == \"ON\" else true end"
  check "the custody log tells who and why, then what the store was seen to keep" marked_in_order \
    "$name"
  check "why says so" sh -c "'$bwvdock' --socket '$work/$name.sock' why \
    '$(head -n 1 "$work/$name.marked")' | grep -q 'class evidential, locked until.*under legal hold'"
  check "an evidential object cannot be deleted" not s3 s3api delete-object --bucket "$bucket" \
    --key "$(grep -F "$(head -n 1 "$work/$name.marked")" "$work/sealed")" \
    --version-id "$(s3 s3api head-object --bucket "$bucket" --key \
      "$(grep -F "$(head -n 1 "$work/$name.marked")" "$work/sealed")" | jq -r .VersionId)"
  check "the mark is taken back" dock_of "$name" flag "$recording" --class unreviewed \
    --reason "another recording was meant"
  check "the dock is done with that too" wait_for 60 settled "$name"
  check "nothing is held any more, and all of it still locked" every_object "$bucket" \
    ".hold == \"OFF\" and .class != \"evidential\" and ($month)"
}

# Reclassed by a person, then marked by the dock with what the store says.
marked_in_order() {
  cat "$work/$1.state"/journal/custody-*.jsonl | jq -s -e '
    (map(.fact.type == "reclassed" and (.actor | startswith("user:")) and .fact.reason == "case 7")
      | index(true)) as $asked
    | (map(.fact.type == "marked" and .fact.asked.class == "evidential"
        and .fact.seen.class == "evidential" and .fact.seen.legal_hold) | index(true)) as $seen
    | $asked != null and $seen != null and $asked < $seen' >/dev/null
}
