#!/usr/bin/env bash
# What a real Prometheus (Debian package `prometheus`) needs for the figures of a simulated fleet:
# bytes a sample on disk, bytes a series in memory. On loopback only; ends by itself.
# Usage: benches/fleet/prometheus.sh [TARGETS (200)] [SECONDS (90)]
set -euo pipefail
targets=${1:-200} seconds=${2:-90} interval=15 port=9391 files=9392
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
pids=()
finish() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait
  rm -rf "$work"
}
trap finish EXIT

mkdir "$work/www" "$work/tsdb"
# FLEET: a program that is built already.
read -ra fleet <<<"${FLEET:-cargo bench --quiet --bench fleet --}"
bench() { "${fleet[@]}" --json "$@" >/dev/null; }

echo "a day of two docks, a scrape each minute, as blocks"
bench --every 400 --scrapes "$work/day.txt" --interval 60
promtool tsdb create-blocks-from openmetrics "$work/day.txt" "$work/tsdb" >/dev/null
rm "$work/day.txt"
python3 - "$work/tsdb" <<'PY'
import glob, json, os, sys
samples = size = 0
series = set()
for meta in glob.glob(sys.argv[1] + "/*/meta.json"):
    samples += json.load(open(meta))["stats"]["numSamples"]
    for folder, _, names in os.walk(os.path.dirname(meta)):
        size += sum(os.path.getsize(os.path.join(folder, name)) for name in names)
print(f"  {samples} samples, {size} bytes: {size / samples:.2f} a sample, index and all")
PY

echo "$targets targets, scraped every $interval s for $seconds s"
bench --every 267 --exposition "$work/www"
python3 -m http.server --bind 127.0.0.1 --directory "$work/www" "$files" >/dev/null 2>&1 &
pids+=($!)
{
  printf 'scrape_configs:\n- job_name: bwvdock\n  scrape_interval: %ss\n' "$interval"
  printf '  static_configs:\n  - targets: ['
  mapfile -t names < <(ls "$work/www")
  for ((n = 0; n < targets; n++)); do printf "'%03d.%s'," "$n" "${names[n % ${#names[@]}]}"; done
  printf ']\n  relabel_configs:\n'
  printf '  - {source_labels: [__address__], regex: "([0-9]+).*", target_label: instance}\n'
  # shellcheck disable=SC2016 # Prometheus puts in what the regex caught.
  printf '  - {source_labels: [__address__], regex: "[0-9]+.(.*)", replacement: "/$1", '
  printf 'target_label: __metrics_path__}\n'
  printf '  - {target_label: __address__, replacement: "127.0.0.1:%s"}\n' "$files"
} >"$work/prometheus.yml"
prometheus --config.file="$work/prometheus.yml" --storage.tsdb.path="$work/head" \
  --web.listen-address="127.0.0.1:$port" --log.level=error &
pids+=($!)
prometheus_pid=$!
until curl -sf "http://127.0.0.1:$port/-/ready" >/dev/null; do
  kill -0 "$prometheus_pid" && sleep 0.2
done
empty=$(awk '/VmRSS/ {print $2}' "/proc/$prometheus_pid/status")
cpu() { awk '{print $14 + $15}' "/proc/$prometheus_pid/stat"; }
sleep "$seconds"
before=$(cpu)
sleep $((4 * interval))
after=$(cpu)
figures=$(curl -sf "http://127.0.0.1:$port/metrics")
value() { awk -v name="$1" '$1 == name {print $2}' <<<"$figures"; }
python3 - "$(value prometheus_tsdb_head_series)" "$(value process_resident_memory_bytes)" "$empty" \
  "$(value prometheus_tsdb_head_samples_appended_total)" "$before" "$after" "$((4 * interval))" \
  "$(value 'prometheus_tsdb_wal_storage_size_bytes')" <<'PY'
import os, sys
series, resident, empty, samples, before, after, seconds, wal = [float(x or 0) for x in sys.argv[1:]]
cpu = (after - before) / os.sysconf("SC_CLK_TCK") / seconds
print(f"  {series:.0f} series, {samples:.0f} samples; resident {resident / 1e6:.0f} MB "
      f"({empty / 1e3:.0f} MB before): {(resident - empty * 1024) / series:.0f} bytes a series")
print(f"  {cpu * 100:.1f} % of a core at {series / 15:.0f} samples/s; log ahead {wal / 1e6:.0f} MB")
PY
