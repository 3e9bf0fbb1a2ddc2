#!/usr/bin/env bash
# The alert rules: well-formed, and each fires and clears. That a Prometheus takes the figures of a
# running dock, and its linter finds nothing in them, is tests/metrics.rs.
set -euo pipefail
# shellcheck source=tests/tools/tier.sh
source tests/tools/tier.sh

rules=config/prometheus/bwvdock-alerts.yml

# Every alert has a case in which it fires.
each_alert_is_tried() {
  local alert
  sed -n 's/^ *- alert: //p' "$rules" | while read -r alert; do
    grep -A1 "alertname: $alert\$" tests/fixtures/prometheus/alerts.test.yml |
      grep -q 'exp_alerts:$' || { echo "$alert is never seen to fire" && return 1; }
  done
}

check "promtool takes the alert rules" promtool check rules "$rules"
check "each alert fires and clears" promtool test rules tests/fixtures/prometheus/alerts.test.yml
check "no alert is left untried" each_alert_is_tried

report
