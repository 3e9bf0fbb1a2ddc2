# shellcheck shell=bash
# What the tiers share: a folder to work in, checks that count, and reading back like a stranger:
# with tools that know nothing of this program.
#
#   BWVDOCK_BIN   the program [default: target/release/bwvdock, else target/debug/bwvdock]

for bwvdock in "${BWVDOCK_BIN:-}" target/release/bwvdock target/debug/bwvdock; do
  [[ -z $bwvdock || ! -x $bwvdock ]] || break
done
bwvdock=$(realpath "$bwvdock")
export LC_ALL=C.UTF-8 TZ=UTC
# Readers must not take anything from the machine they run on.
export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null RCLONE_CONFIG=/dev/null
export AWS_EC2_METADATA_DISABLED=true AWS_DEFAULT_REGION=us-east-1 AWS_PAGER=''

# A short path: sockets lie in it.
work=$(mktemp -d /tmp/bwvdock-tier.XXXXXX)
passed=0
failed=0

# Nothing that the tier started outlives it.
# shellcheck disable=SC2317,SC2329  # called by the trap
leave() {
  local pid
  for pid in $(jobs -p); do
    # Disowned, so that bash does not report it as an accident.
    disown "$pid" 2>/dev/null || true
    kill -KILL "$pid" 2>/dev/null || true
  done
  rm -rf "$work"
}
trap leave EXIT

# check WORDS COMMAND...: one test; what the command says is shown if it fails.
check() {
  local words=$1
  shift
  if "$@" >"$work/check.log" 2>&1; then
    passed=$((passed + 1))
    echo "ok      $words"
  else
    failed=$((failed + 1))
    echo "FAILED  $words"
    tail -n 40 "$work/check.log" | sed 's/^/        /'
  fi
}

# exits STATUS COMMAND...: it ends with exactly this exit status.
exits() {
  local wanted=$1 status=0
  shift
  "$@" || status=$?
  ((status == wanted)) || { echo "exit status $status instead of $wanted: $*" && return 1; }
}

not() {
  ! "$@"
}

# says WORDS FILE
says() {
  grep -qF -- "$1" "$2" || { echo "'$1' is not in $2:" && cat "$2" && return 1; }
}

# wait_for SECONDS COMMAND...: until it succeeds.
wait_for() {
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < end)) || return 1
    sleep 0.1
  done
}

report() {
  echo "$passed passed, $failed failed"
  ((failed == 0))
}

# --- cameras -----------------------------------------------------------------------------------

# sums DIR: `HASH  PATH` of every file, sorted; a name stands as the custody log writes it.
sums() {
  (cd "$1" && find . -type f -print0 | sort -z | while IFS= read -r -d '' file; do
    printf '%s  %s\n' "$(sha256sum <"$file" | cut -d' ' -f1)" "$(written "${file#./}")"
  done)
}

# written NAME: bytes that are no printable UTF-8, and the backslash itself, as \xHH.
written() {
  python3 - "$1" <<'PYTHON'
import os, sys
text = os.fsencode(sys.argv[1]).decode("utf-8", "surrogateescape")
form = lambda c: c if c.isprintable() and c != "\\" else "".join(
    f"\\x{b:02x}" for b in c.encode("utf-8", "surrogateescape"))
sys.stdout.buffer.write("".join(map(form, text)).encode())
PYTHON
}

# simulated DIR: the demo's own two cameras, full, as folders below DIR. They are made before the
# store is needed, and nothing is erased while there is none.
simulated() {
  local pid store=$work/no-store.toml
  printf '%s' nobody >"$work/no-store.key"
  chmod 600 "$work/no-store.key"
  cat >"$store" <<TOML
[store]
endpoint = "http://127.0.0.1:9"
bucket = "none"
access_key_file = "$work/no-store.key"
secret_key_file = "$work/no-store.key"
TOML
  "$bwvdock" demo --store "$store" --keep "$work/no-store" --json >/dev/null 2>&1 &
  pid=$!
  wait_for 20 test -s "$work/no-store/bwvdock.toml"
  mkdir -p "$1"
  cp -a "$work/no-store/cameras/." "$1"
  kill "$pid"
  wait "$pid" 2>/dev/null || true
  rm -rf "$work/no-store"
}

# dcim DIR: a card with names that break careless programs.
dcim() {
  local media=$PWD/tests/fixtures/media card=$1/DCIM/100MEDIA
  mkdir -p "$card" "$1/DCIM/EVENT"
  cp "$media/clip-1.mp4" "$card/two  blanks and 'quotes\".mp4"
  cp "$media/clip-2.mp4" "$card/-rf.mp4"
  cp "$media/clip-3.mp4" "$card/Übergabe Straße 東京 🚓.mp4"
  cp "$media/clip-4.mp4" "$card/"$'not utf-8 \xff\xfe.mp4'
  cp "$media/clip-5.mp4" "$card/"$'a\nnewline and a \\.mp4'
  cp "$media/clip-6.mp4" "$card/%2e%2e%2f\$(id);*?.mp4"
  cp "$media/clip-1.mp4" "$card/$(printf 'x%.0s' {1..240}).mp4"
  cp "$media/clip-2.mp4" "$1/DCIM/EVENT/locked.mp4"
  : >"$card/empty.mp4"
  echo '1,2,3' >"$card/-rf.csv"
  head -c 70000 /dev/urandom >"$card/exactly.mp4"
  head -c 131072 /dev/urandom >"$card/two-chunks.mp4"
}

# listed DIR: a folder whose hashes are listed by `sha256sum`.
listed() {
  mkdir -p "$1/DCIM/shift"
  cp tests/fixtures/media/clip-{1,2,3}.mp4 "$1/DCIM/shift/"
  (cd "$1" && sha256sum DCIM/shift/*.mp4 >SHA256SUMS)
}

# --- reading back ------------------------------------------------------------------------------

# receipts_hold DIR KEY: for every KEY.age in DIR its receipt lies beside it, is signed by the dock
# and names exactly those bytes. The commands are those documented in src/custody/receipt.rs.
receipts_hold() {
  local object receipt found=0 dir=$1 key=$2
  while IFS= read -r -d '' object; do
    receipt=$object.receipt
    [[ -f $receipt ]] || { echo "$object has no receipt" && return 1; }
    sed -n 1p "$receipt" | tr -d '\n' >"$work/r.json"
    sed -n 2p "$receipt" | sed 's/.*"ed25519":"\([^"]*\)".*/\1/' | base64 -d >"$work/r.sig"
    openssl pkeyutl -verify -pubin -inkey "$key" -rawin -in "$work/r.json" \
      -sigfile "$work/r.sig" || return 1
    [[ $(jq -r .sealed.sha256 "$work/r.json") == "$(sha256sum <"$object" | cut -d' ' -f1)" ]] ||
      { echo "$object is not what its receipt says" && return 1; }
    [[ $(jq .sealed.size "$work/r.json") == "$(stat -c %s "$object")" ]] || return 1
    [[ $object == */$(jq -r .key "$work/r.json") ]] || { echo "$object: other key" && return 1; }
    found=$((found + 1))
  done < <(find "$dir" -name '*.age' -print0)
  ((found > 0))
}

# a_changed_receipt_fails DIR KEY: the check above is able to fail.
a_changed_receipt_fails() {
  local receipt
  receipt=$(find "$1" -name '*.receipt' | head -n 1)
  sed -n 1p "$receipt" | tr -d '\n' | sed 's/"bucket":"/"bucket":"x/' >"$work/r.json"
  sed -n 2p "$receipt" | sed 's/.*"ed25519":"\([^"]*\)".*/\1/' | base64 -d >"$work/r.sig"
  ! openssl pkeyutl -verify -pubin -inkey "$2" -rawin -in "$work/r.json" -sigfile "$work/r.sig"
}

# opened DIR IDENTITY OUT: every sealed object of DIR is opened by Debian's age into OUT/ID, and
# the descriptive records among them, each checked to its end, make the table OUT/table:
# `OBJECT  HASH  CAMERA  PATH`.
opened() {
  local object out=$3
  rm -rf "$out" && mkdir -p "$out/records" "$out/files"
  while IFS= read -r -d '' object; do
    # Not -o: age makes no file at all for an object that is empty inside.
    age -d -i "$2" "$object" >"$out/files/$(basename "$object" .age)" || return 1
  done < <(find "$1" -name '*.age' -print0)
  local file
  for file in "$out"/files/*; do
    # By its own words; jq alone takes an empty first line for an answer.
    if grep -aqm 1 '^{.*"format":"bwv-record"' "$file"; then
      mv "$file" "$out/records/"
    fi
  done
  for file in "$out"/records/*; do
    jq -s -e '.[0].version == 1 and (.[-1].end.files == (length - 2))' "$file" >/dev/null ||
      { echo "$file is cut off" && return 1; }
  done
  for file in "$out"/records/*; do
    jq -s -r '.[0].recording.camera as $camera | .[1:-1][] | select(.sealed)
      | "\(.sealed.object)\t\(.sealed.sha256)\t\($camera)\t\(.path)"' "$file"
  done | sort -u >"$out/table"
}

# every_file_is_described OUT: each opened object is a row of the table with the same hash, and
# the other way round.
every_file_is_described() {
  (cd "$1/files" && sha256sum ./*) | sed 's|^\([0-9a-f]*\)  ./\(.*\)|\2\t\1|' | sort >"$1/found"
  cut -f1,2 "$1/table" | diff - "$1/found"
}

# same_as_originals OUT CAMERA SUMS: what was opened for a camera is what was kept aside.
same_as_originals() {
  awk -F'\t' -v camera="$2" '$3 == camera { print $2 "  " $4 }' "$1/table" | sort -u >"$work/a"
  # camera.json says which camera it is; it stays on the camera and is no footage.
  grep -v '  camera\.json$' "$3" | sort -u | diff "$work/a" -
}

# custody_is_whole JOURNAL RECEIPTS: by shell and sha256sum, anchored at what receipts say.
custody_is_whole() {
  local receipt anchors=()
  for receipt in "$2"/*.receipt; do
    read -r -a anchor < <(sed -n 1p "$receipt" | jq -r '"\(.custody.seq) \(.custody.hash)"')
    anchors+=("${anchor[@]}")
  done
  ((${#anchors[@]} > 0)) && sh tests/tools/verify_custody.sh "$1" "${anchors[@]}"
}

# custody_tells JOURNAL RECEIPTS SED: a log changed in this way does not verify.
custody_tells() {
  rm -rf "$work/edited"
  cp -a "$1" "$work/edited"
  sed -i "$3" "$work"/edited/custody-*.jsonl
  cmp -s "$work"/edited/custody-*.jsonl "$1"/custody-*.jsonl && return 1
  ! custody_is_whole "$work/edited" "$2"
}

# What the store must not learn of the demo's cameras.
# shellcheck disable=SC2034  # used by the tiers
secrets=(PC4711 PC2048 BWC-000 R00000 S001 .mp4 gnss manifest Simulated marker use-of-force)

# what_the_store_sees DIR: all it knows beside the sealed bytes: listing, headers, tags, receipts.
# The tier has `s3`, its aws; $work/ls and $work/keys are the listing.
what_the_store_sees() {
  local key
  cat "$work/ls"
  while IFS= read -r key; do
    [[ $key == *.age ]] || continue
    s3 s3api head-object --bucket evidence --key "$key" || return 1
    s3 s3api get-object-tagging --bucket evidence --key "$key" || return 1
  done <"$work/keys"
  find "$1" -name '*.receipt' -exec cat {} +
}

# says_nothing FILE WORD...: none of the words that only the force may know is in it.
says_nothing() {
  local file=$1 word
  shift
  [[ -s $file ]] || { echo "$file is empty" && return 1; }
  for word in "$@"; do
    if grep -aiF -m 3 -- "$word" "$file"; then
      echo "the store sees '$word'"
      return 1
    fi
  done
}
