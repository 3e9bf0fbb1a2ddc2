#!/usr/bin/env bash
# The fleet kit: rules are well-formed, each alert fires and clears, the examples are accepted by the
# programs they are for, the dashboards ask only for what a dock tells; and the whole way once: a
# dock whose store is dead, a real Prometheus with our rules, the alert at a real Alertmanager. That
# a Prometheus takes the figures of a running dock is tests/metrics.rs; pushing is tests/push/.
set -euo pipefail
# shellcheck source=tests/tools/tier.sh
source tests/tools/tier.sh

kit=config/prometheus
rules=$kit/bwvdock-alerts.yml
cases=tests/fixtures/prometheus

# Every alert has a case in which it fires.
each_alert_is_tried() {
  local alert
  sed -n 's/^ *- alert: //p' "$rules" | while read -r alert; do
    grep -hA1 "alertname: $alert\$" "$cases"/*.test.yml |
      grep -q 'exp_alerts:$' || { echo "$alert is never seen to fire" && return 1; }
  done
}

check "promtool takes the rules" promtool check rules "$rules" "$kit/bwvdock-rules.yml"
check "each alert fires and clears" promtool test rules "$cases"/*.test.yml
check "no alert is left untried" each_alert_is_tried
check "promtool takes the example of a Prometheus" promtool check config "$kit/prometheus.yml"
check "amtool takes the example of an Alertmanager" amtool check-config "$kit/alertmanager.yml"
routed() {
  amtool config routes test --config.file="$kit/alertmanager.yml" --verify.receivers="$1" "${@:2}"
}
check "critical alerts go to people on call" routed on-call alertname=CustodyDamaged severity=critical
check "those of cameras to who keeps the register" \
  routed fleet-desk alertname=BatteryAnomaly severity=warning
check "a late camera to both" routed on-call,fleet-desk alertname=CameraNear31Days severity=critical
check "the rest to the station" routed station-staff alertname=BayNeedsPerson severity=warning

# --- from a dead store to a person, and back ------------------------------------------------------

read -r store_port dock_port prom_port manager_port < <(python3 - <<'PYTHON'
import socket
held = [socket.socket() for _ in range(4)]
for s in held: s.bind(("127.0.0.1", 0))
print(*(s.getsockname()[1] for s in held))
PYTHON
)

# The rules as they are shipped, with times that a test can wait for.
sed 's/^\( *for: \).*/\12s/' "$rules" >"$work/alerts.yml"
cp "$kit/bwvdock-rules.yml" "$work/rules.yml"
sed -E 's/(group_wait|group_interval): .*/\1: 1s/' "$kit/alertmanager.yml" >"$work/alertmanager.yml"
cat >"$work/prometheus.yml" <<YAML
global: { scrape_interval: 1s, evaluation_interval: 1s }
rule_files: [alerts.yml, rules.yml]
alerting: { alertmanagers: [{ static_configs: [{ targets: ['127.0.0.1:$manager_port'] }] }] }
scrape_configs: [{ job_name: bwvdock, static_configs: [{ targets: ['127.0.0.1:$dock_port'] }] }]
YAML

printf '%s' key >"$work/access"
printf '%s' 'a secret of the tests' >"$work/secret"
chmod 600 "$work/access" "$work/secret"
mkdir -p "$work/camera/DCIM/100MEDIA" "$work/state" "$work/objects"
cp tests/fixtures/media/clip-1.mp4 "$work/camera/DCIM/100MEDIA/"
"$bwvdock" keys generate identity --out "$work/identity.txt" >/dev/null
cat >"$work/bwvdock.toml" <<TOML
[dock]
id = "tier"
state_dir = "$work/state"
[seal]
recipients = ["$(sed -n 's/^# public key: //p' "$work/identity.txt")"]
[api]
socket = "$work/api.sock"
[spool]
reserve_bytes = 67108864
[cameras]
poll_interval_ms = 200
profiles_dir = "$work/none"
keys_dir = "$work/none"
[store]
endpoint = "http://127.0.0.1:$store_port"
bucket = "evidence"
access_key_file = "$work/access"
secret_key_file = "$work/secret"
[transfer]
retry_seconds_base = 1
retry_seconds_max = 2
[release]
enabled = false
[metrics]
listen = "127.0.0.1:$dock_port"
[[bays]]
name = "1"
folder = "$work/camera"
camera_id = "CARD-1"
TOML

prometheus --config.file="$work/prometheus.yml" --storage.tsdb.path="$work/tsdb" \
  --web.listen-address="127.0.0.1:$prom_port" >"$work/prometheus.log" 2>&1 &
prometheus-alertmanager --config.file="$work/alertmanager.yml" --storage.path="$work/am" \
  --web.listen-address="127.0.0.1:$manager_port" --cluster.listen-address= \
  >"$work/alertmanager.log" 2>&1 &
"$bwvdock" daemon --config "$work/bwvdock.toml" >"$work/daemon.log" 2>&1 &
daemon=$!

# alert NAME STATE: Prometheus says so. STATE none: it knows of none.
alert() {
  curl -sf "http://127.0.0.1:$prom_port/api/v1/alerts" | jq -e --arg name "$1" --arg state "$2" \
    '[.data.alerts[] | select(.labels.alertname == $name) | .state] |
      if $state == "none" then . == [] else index($state) != null end'
}
# told NAME: the Alertmanager has it and would tell people.
told() {
  amtool --alertmanager.url="http://127.0.0.1:$manager_port" alert query --active \
    "alertname=$1" -o json | jq -e 'length > 0'
}
# fetched: Prometheus has figures of the dock.
fetched() {
  curl -sf "http://127.0.0.1:$prom_port/api/v1/query?query=bwvdock_build_info" |
    jq -e '.data.result | length == 1'
}

check "Prometheus fetches the figures of the dock" wait_for 60 fetched
check "its store is dead: the alert fires" wait_for 60 alert StoreUnwell firing
check "the Alertmanager has it" wait_for 60 told StoreUnwell
check "the dock itself is not called silent" alert DockSilent none
"$bwvdock" vault --bucket evidence --listen "127.0.0.1:$store_port" --root "$work/objects" \
  --access-key-file "$work/access" --secret-key-file "$work/secret" >"$work/vault.log" 2>&1 &
check "the store comes back: the alert clears" wait_for 90 alert StoreUnwell none
check "and at the Alertmanager too" wait_for 60 not told StoreUnwell
check "what waited is stored" wait_for 60 sh -c \
  "'$bwvdock' --socket '$work/api.sock' status --json | jq -e '.stored.count > 0'"
# drawn BOARD LEAST: every query is accepted, and so many panels have something to show.
drawn() {
  python3 tests/tools/render_dashboard.py "config/grafana/$1.json" "http://127.0.0.1:$prom_port" \
    "$work/$1.html" "dock=127.0.0.1:$dock_port" camera=CARD-1 hours=0.05 >"$work/drawn" || return 1
  cat "$work/drawn"
  (($(cut -d' ' -f1 "$work/drawn") >= $2))
}
check "every query of the fleet's dashboard is answered" drawn fleet 10
check "and of a station's" drawn station 12
check "and of a camera's" drawn camera 4
kill "$daemon"
check "the dock is switched off: it is called silent" wait_for 60 alert DockSilent firing
if ((failed > 0)); then
  tail -n 15 "$work/daemon.log" "$work/prometheus.log" "$work/alertmanager.log"
fi

report
