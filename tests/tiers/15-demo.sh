#!/usr/bin/env bash
# The newcomer's path: `bwvdock demo`, with every option, and with everything a person may get
# wrong about it.
set -euo pipefail
# shellcheck source=tests/tools/tier.sh
source tests/tools/tier.sh

# demo STATUS ARGUMENT...: runs it; its words are in $work/out and $work/err.
demo() {
  local wanted=$1 status=0
  shift
  "$bwvdock" demo "$@" >"$work/out" 2>"$work/err" || status=$?
  cat "$work/out" "$work/err"
  ((status == wanted)) || { echo "exit status $status instead of $wanted" && return 1; }
}

# complains STATUS WHAT ARGUMENT...: nothing on stdout; what happened, and below what to do.
complains() {
  local wanted=$1 what=$2
  shift 2
  demo "$wanted" "$@" && [[ ! -s $work/out ]] && says "$what" "$work/err" &&
    head -n 1 "$work/err" | grep -q '^bwvdock: ' && tail -n 1 "$work/err" | grep -q '^  -> '
}

# out FILTER: stdout is exactly one JSON object, and the filter holds for it.
out() {
  jq -s -e "length == 1 and (.[0] | type == \"object\" and ($1))" "$work/out" >/dev/null ||
    { cat "$work/out" && return 1; }
}

# state DIR: names, sizes, times and modes of everything in it.
state() {
  find "$1" -printf '%P %y %s %T@ %m\n' | LC_ALL=C sort
}

# --- as it comes -------------------------------------------------------------------------------

mkdir "$work/tmp"
export TMPDIR=$work/tmp
check "demo ends well, with nothing set up" demo 0
check "it says so" says "Every segment reached the end." "$work/out"
check "it says how to keep the workspace" says "--keep DIR" "$work/out"
check "no line of it is wider than a terminal, but for paths and hashes" \
  not grep -vE '[0-9a-f]{64}|/' <(grep -E '.{101}' "$work/out")
check "it leaves nothing behind" test -z "$(ls -A "$work/tmp")"
check "no process of it goes on" not pgrep -f "$work/tmp"

# --- for machines, and kept --------------------------------------------------------------------

keep="$work/kept folder"
check "demo --json --keep ends well" demo 0 --json --keep "$keep"
check "stdout is one JSON object: everything released, custody whole" out \
  '.complete and .problems == [] and .files == .released and .custody.whole and .verified > 0'
check "nothing else was said" test ! -s "$work/err"
check "every object was opened again" out '.opened > 0 and .receipts == .stored_objects'
for name in identity.txt bwvdock.toml state/dock.pub.pem state/journal state/receipts store; do
  check "the workspace holds $name" test -e "$keep/$name"
done
check "the identity is for its owner only" test "$(stat -c %a "$keep/identity.txt")" = 600
opens() {
  local command
  command=$(jq -r .open_with "$work/out")
  (cd "$work" && sh -c "$command" && sha256sum ./*.mp4 | cut -d' ' -f1 >opened.sha256)
  local clip
  for clip in tests/fixtures/media/clip-?.mp4; do sha256sum <"$clip" | cut -d' ' -f1; done \
    >"$work/clips.sha256"
  grep -qxF -f "$work/opened.sha256" "$work/clips.sha256"
}
check "the command it prints opens footage, though the path has a blank" opens
check "what it kept verifies with the program" \
  "$bwvdock" custody verify "$keep/state/journal" --receipt "$keep"/state/receipts/*.receipt
before=$(state "$keep")
check "the same folder again is refused" complains 2 "is not empty" --keep "$keep"
check "and nothing in it changed" test "$before" = "$(state "$keep")"

# --- folders of one's own ----------------------------------------------------------------------

dcim "$work/card"
listed "$work/stick"
mkdir "$work/plain"
cp tests/fixtures/media/clip-{4,5}.mp4 "$work/plain"
touch -d '2020-02-02 02:02:02' "$work"/card/DCIM/*/* "$work"/plain/*
for name in card stick plain; do
  before=$(state "$work/$name")
  check "demo --camera docks the folder '$name'" demo 0 --json --camera "$work/$name"
  check "all of it is stored, none released" out \
    '.complete and .released == 0 and .cameras == 1 and .files > 0'
  check "every name, size, time and mode in it is as before" \
    test "$before" = "$(state "$work/$name")"
done
check "a list on the stick makes its footage matched" demo 0 --json --camera "$work/stick"
check "three of three" out '.matched == 3'
chmod -R a-w "$work/plain"
check "a read-only folder will do" demo 0 --json --camera "$work/plain"
chmod -R u+w "$work/plain"

# --- releasing ---------------------------------------------------------------------------------

# Of a camera whose key nobody enrolled nothing is erased; folders named by a pattern need no key.
simulated "$work/cameras"
clips=$work/clips
mkdir -p "$clips/PC9_CAM7_20260102T080000Z" "$clips/PC9_CAM7_20260102T090000Z"
cp tests/fixtures/media/clip-1.mp4 "$clips/PC9_CAM7_20260102T080000Z/clip_001.mp4"
cp tests/fixtures/media/clip-2.mp4 "$clips/PC9_CAM7_20260102T080000Z/clip_002.mp4"
cp tests/fixtures/media/clip-3.mp4 "$clips/PC9_CAM7_20260102T090000Z/clip_001.mp4"
cameras=$(state "$work/cameras")
check "a simulated camera is docked as a folder, read only" demo 0 --json --camera "$work/cameras/BWC-0002"
check "it is untouched" test "$cameras" = "$(state "$work/cameras")"
before=$(state "$clips")
check "folders named by a pattern too" demo 0 --json --camera "$clips"
check "they are untouched" test "$before" = "$(state "$clips")"
# A workspace that is not kept takes store and key with it: nothing may be erased for its sake.
check "--release without --keep is refused" complains 2 "only copy" --release --camera "$clips"
check "it says what to add" says "add --keep DIR" "$work/err"
check "and erased nothing" test "$before" = "$(state "$clips")"
check "with --release the rule empties what it may" demo 0 --json --release --keep "$work/one" \
  --camera "$clips" --camera "$work/cameras/BWC-0001"
check "three were erased, and it says why the others stay" \
  out '.complete and .released == 3 and (.kept_on_camera | add) == 11'
check "the clips are gone" test -z "$(find "$clips" -type f)"
# kept_opens STORE IDENTITY: what was sealed opens to the three clips that were erased.
kept_opens() {
  rm -rf "$work/opened"
  opened "$1" "$2" "$work/opened" || return
  local number
  for number in 1 2 3; do
    grep -qF "$(sha256sum <"tests/fixtures/media/clip-$number.mp4" | cut -d' ' -f1)" \
      "$work/opened/table" || return
  done
}
check "and lie in the workspace, with the key that opens them" \
  kept_opens "$work/one/store/evidence/objects" "$work/one/identity.txt"
check "the camera that nobody enrolled is untouched" \
  test "$cameras" = "$(state "$work/cameras")"
before=$(state "$work/card")
check "a card of an unknown make keeps its footage even with --release" \
  demo 0 --release --keep "$work/two" --camera "$work/card"
check "and is told why" says "stay" "$work/out"
check "it is untouched" test "$before" = "$(state "$work/card")"

simulated "$work/bad"
video=$(find "$work/bad/BWC-0001" -name 'S002.mp4' | sort | head -n 1)
printf X | dd of="$video" bs=1 seek=1000 conv=notrunc status=none
before=$(sums "$work/bad/BWC-0001" | grep "$(sha256sum <"$video" | cut -d' ' -f1)")
check "footage that fails its check makes the demo end with 1" \
  demo 1 --json --release --keep "$work/quarantine" --camera "$work/bad/BWC-0001"
check "it is stored all the same, and loudly reported" out \
  '(.complete | not) and .unsound > 0 and (.problems | join(" ") | contains("failed"))
    and .receipts == .stored_objects'
check "it stays on the camera as it was" \
  test "$before" = "$(sums "$work/bad/BWC-0001" | grep -F "${video##*/}" | grep -F "$before")"
quarantined() {
  local store=$work/quarantine/store/evidence/objects
  opened "$store" "$work/quarantine/identity.txt" "$work/opened" &&
    grep -qF "$(sha256sum <"$video" | cut -d' ' -f1)" "$work/opened/table"
}
check "what was sealed of it opens to what is there" quarantined

# --- a store of one's own ------------------------------------------------------------------------

mkdir "$work/evidence"
"$bwvdock" keys generate identity --out "$work/force.txt" >/dev/null
store_of() { printf '[store]\nkind = "directory"\ndirectory = "%s"\n' "$work/evidence"; }
store_of >"$work/nobody.toml"
grep '^# public key: ' "$work/force.txt" | cut -d' ' -f4 >"$work/force.pub"
{
  printf '[dock]\nid = "setup"\nstate_dir = "%s"\n' "$work/setup.state"
  printf '[seal]\nrecipients_file = "%s"\n' "$work/force.pub"
  store_of
} >"$work/force.toml"
check "a folder is made a store" exits 0 "$bwvdock" store setup --config "$work/force.toml"
again() {
  mkdir -p "$clips/PC9_CAM7_20260102T080000Z" "$clips/PC9_CAM7_20260102T090000Z"
  cp tests/fixtures/media/clip-1.mp4 "$clips/PC9_CAM7_20260102T080000Z/clip_001.mp4"
  cp tests/fixtures/media/clip-2.mp4 "$clips/PC9_CAM7_20260102T080000Z/clip_002.mp4"
  cp tests/fixtures/media/clip-3.mp4 "$clips/PC9_CAM7_20260102T090000Z/clip_001.mp4"
}
again
before=$(state "$clips")
check "--release into a store whose file names no recipient is refused" \
  complains 2 "names no recipient" --release --store "$work/nobody.toml" --camera "$clips"
check "it erased nothing" test "$before" = "$(state "$clips")"
check "and stored nothing" not grep -rq 'age-encryption.org' "$work/evidence"
check "without --release the store is used" demo 0 --json --store "$work/nobody.toml" --camera "$clips"
check "and told that nobody can open what went there" \
  out '.complete and (.notes | any(contains("nobody can open") and contains("--keep DIR")))'
check "kept, the key is there, and nothing is said" \
  demo 0 --json --store "$work/nobody.toml" --keep "$work/three" --camera "$clips"
check "no word of it" out '.complete and .notes == []'
# What opened nowhere must not be in the way of the next look.
rm -rf "$work/evidence" && mkdir "$work/evidence"
"$bwvdock" store setup --config "$work/force.toml" >/dev/null
check "where the file names recipients --release may be without --keep" \
  demo 0 --json --release --store "$work/force.toml" --camera "$clips"
check "all was released, nothing is amiss" out '.complete and .released == 3 and .notes == []'
check "the clips are gone from the camera" test -z "$(find "$clips" -type f)"
check "and open with the force's own key" kept_opens "$work/evidence" "$work/force.txt"
again
check "with --keep the demo's key opens them too" \
  demo 0 --store "$work/force.toml" --keep "$work/four" --camera "$clips"
check "the workspace is not called gone" not says "gone again" "$work/out"

# --- mistakes ----------------------------------------------------------------------------------

mkdir "$work/empty"
check "a folder that does not exist" complains 2 "cannot be docked" --camera "$work/nowhere"
check "a file instead of a folder" complains 2 "it is no folder" --camera "$work/out"
check "an empty folder" complains 2 "no file in it" --camera "$work/empty"
check "the same folder twice" \
  complains 2 "overlap" --camera "$work/card" --camera "$work/card/DCIM"
check "a store configuration that does not exist" complains 2 "nowhere" --store "$work/nowhere"
echo 'nonsense' >"$work/bad.toml"
check "a store configuration that is none" complains 2 "bad.toml" --store "$work/bad.toml"
echo '[dock]' >"$work/bad.toml"
check "one without a [store]" complains 2 "store" --store "$work/bad.toml"
check "--keep where nothing can be made" complains 2 "/proc/nothing" --keep /proc/nothing
check "--release without --camera" complains 2 "--release is about" --release
check "--release with --keep alone" complains 2 "--release is about" --release --keep "$work/five"
check "no workspace was made for it" test ! -e "$work/five"
before=$(state "$work/card")
check "--keep inside a camera's folder" \
  complains 2 "docked as a camera" --keep "$work/card/kept" --camera "$work/card"
check "or there by way of a folder that is not there" \
  complains 2 "goes through" --keep "$work/nothing/../card/kept" --camera "$work/card"
check "--keep where a file is" complains 2 "cannot be made" --keep "$work/out" --camera "$work/card"
check "nothing was written to the card" test "$before" = "$(state "$work/card")"
printf '[seal]\nrecipients = ["age1x"]\n' | cat - "$work/nobody.toml" >"$work/bad.toml"
check "a recipient that is none is not taken for nobody" \
  complains 2 "no age public key" --store "$work/bad.toml"
check "an option there is not" demo 2 --cameras
check "nothing is left behind by mistakes" test -z "$(ls -A "$work/tmp")"

report
