#!/usr/bin/env bash
# The files in systemd/ are what systemd and udev take them for, and the unit stays hardened.
set -euo pipefail

# Ten times the exposure that `systemd-analyze security` may find.
threshold=20

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

# check WORDS COMMAND...: one test.
check() {
  local words=$1
  shift
  if "$@" >"$work/out" 2>&1; then
    passed=$((passed + 1))
    echo "ok      $words"
  else
    failed=$((failed + 1))
    echo "FAILED  $words"
    sed 's/^/        /' "$work/out"
  fi
}

quiet() {
  local status=0
  "$@" >"$work/words" 2>&1 || status=$?
  cat "$work/words"
  ((status == 0)) && [[ ! -s $work/words ]]
}

not() {
  ! "$@"
}

# The program itself need not be installed to judge its unit.
sed 's|^ExecStart=/usr/bin/bwvdock |ExecStart=/bin/true |' systemd/bwvdock.service \
  >"$work/bwvdock.service"
check "the unit is understood without a warning" \
  quiet systemd-analyze verify --man=no "$work/bwvdock.service"
check "its exposure is at most $threshold / 10" \
  systemd-analyze security --no-pager --offline=true --threshold=$threshold \
  "$work/bwvdock.service"
check "it starts the daemon with the configuration that is documented" \
  grep -qx 'ExecStart=/usr/bin/bwvdock daemon --config /etc/bwvdock/bwvdock.toml' \
  systemd/bwvdock.service

# A unit that lost its hardening must be noticed: the check above is able to fail.
grep -v '^SystemCallFilter\|^CapabilityBoundingSet\|^ProtectSystem' "$work/bwvdock.service" \
  >"$work/soft.service"
check "a softened unit is found out" \
  not systemd-analyze security --no-pager --offline=true --threshold=$threshold \
  "$work/soft.service"

mkdir -p "$work/root/etc"
check "users and groups can be made" \
  systemd-sysusers --root="$work/root" "$PWD/systemd/bwvdock.sysusers"
for name in bwvdock bwvdock-read bwvdock-admin; do
  check "group $name exists then" grep -q "^$name:" "$work/root/etc/group"
done
check "folders can be made" \
  systemd-tmpfiles --root="$work/root" --create "$PWD/systemd/bwvdock.tmpfiles"
check "the folder of secrets is closed" \
  test "$(stat -c %a "$work/root/etc/credstore" 2>&1)" = 700

# udevadm verify came with systemd 254; the form of the rules is checked in any case.
rules=systemd/72-bwvdock.rules
if command -v udevadm >/dev/null && udevadm verify --help >/dev/null 2>&1; then
  check "the udev rules are understood" udevadm verify "$rules"
fi
value='"[^"]*"'
match="(ACTION|SUBSYSTEM|TEST|ENV\{[A-Z0-9_]+\}|ATTRS?\{[a-zA-Z/]+\})(==|!=)$value"
assign="(GOTO|LABEL|GROUP|MODE|ENV\{[A-Z0-9_]+\}|ATTR\{[a-z/]+\})=$value|TAG-=$value|RUN\+=$value"
check "every udev rule is a list of matches and assignments" \
  not grep -vE "^(#.*|)\$|^($match|$assign)(, ($match|$assign))*\$" "$rules"
labels() { grep -oE "$1=\"[a-z_]+\"" "$rules" | cut -d= -f2 | sort -u; }
check "every jump in the udev rules has its label" \
  test "$(labels GOTO)" = "$(labels LABEL)"

# A shell inside a rule is a program too.
inner=$(sed -n 's/.*RUN+="\/bin\/sh -c '"'"'\(.*\)'"'"'".*/\1/p' "$rules" | sed 's/\$\$/$/g; s|/sys%p|'"$work"'/ports|')
mkdir -p "$work/ports/1-1-port1" "$work/ports/1-1-port2"
echo 0 >"$work/ports/1-1-port2/disable"
chmod 0600 "$work/ports/1-1-port2/disable"
inner=${inner//chgrp bwvdock/chgrp $(id -g)}
check "the shell in the udev rules is understood" sh -ec "$inner"
check "and gives the group its right" \
  test "$(stat -c %a "$work/ports/1-1-port2/disable")" = 664

echo "$passed passed, $failed failed"
((failed == 0))
