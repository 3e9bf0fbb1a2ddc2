#!/bin/sh
# Checks a custody log with a shell and sha256sum: verify_custody.sh DIR [SEQ HASH]...
# SEQ and HASH are anchors, from receipts. Exit 0: whole. 1: the first bad line is named. 2: usage.
cd "${1:?usage: verify_custody.sh DIR [SEQ HASH]...}" || exit 2
export LC_ALL=C; shift; anchors=" $* "; seq=0; last=nowhere
prev=0000000000000000000000000000000000000000000000000000000000000000
for old in snapshot-*.jsonl; do [ -e "$old" ] || continue   # begins behind what was pruned
  through=$(sed -n '1s/.*"through_seq":\([0-9]*\).*/\1/p' "$old")
  [ "$through" -gt "$seq" ] || continue; seq=$through
  prev=$(sed -n '1s/.*"through_hash":"\([0-9a-f]*\)".*/\1/p' "$old")
done
for file in custody-*.jsonl; do n=0; [ -e "$file" ] || { echo "there is no log here"; exit 1; }
  while IFS= read -r line; do
    n=$((n + 1)); seq=$((seq + 1))
    case $line in '{"prev":"'"$prev"'","v":1,"seq":'"$seq"',"'*) ;;
      *) echo "$file:$n: does not continue $last (line $seq belongs here)"; exit 1;; esac
    prev=$(printf %s "$line" | sha256sum); prev=${prev%% *}; last=$file:$n
    case $anchors in *" $seq $prev "*) ;; *" $seq "*) echo "$last: not as anchored"; exit 1;; esac
  done < "$file"
done
while [ $# -ge 2 ]; do [ "$1" -le "$seq" ] || { echo "$last: cut off before line $1"; exit 1; }
  shift 2; done
echo "whole: line $seq, $prev"
