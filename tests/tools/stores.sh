# shellcheck shell=bash
# Stores for the tiers: certificates, free ports, SeaweedFS, keys, and the dock's configuration.
# Sourced after tests/tools/tier.sh.

work=${work:?tests/tools/tier.sh comes first}
bwvdock=${bwvdock:?tests/tools/tier.sh comes first}

# Certificates: an authority, a server's and a client's.
certificates() {
  mkdir "$work/tls"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
    -subj "/CN=tier authority" -keyout "$work/tls/ca.key" -out "$work/tls/ca.pem"
  local name extra
  for name in server client; do
    extra="subjectAltName=IP:127.0.0.1,DNS:localhost"
    [[ $name == server ]] || extra="extendedKeyUsage=clientAuth"
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$name" \
      -keyout "$work/tls/$name.key" -out "$work/tls/$name.csr"
    openssl x509 -req -days 2 -in "$work/tls/$name.csr" -CA "$work/tls/ca.pem" \
      -CAkey "$work/tls/ca.key" -CAcreateserial -extfile <(echo "$extra") \
      -out "$work/tls/$name.pem"
  done
  chmod 600 "$work"/tls/*.key
}

# five_ports: a base such that it and the next four, and their gRPC twins 10,000 above, are free.
five_ports() {
  local base port taken
  taken=$(ss -Htan | awk '{ sub(/.*:/, "", $4); print $4 }')
  for ((;;)); do
    base=$((15000 + RANDOM % 900 * 10))
    for port in {0..4}; do
      grep -qxE "$((base + port))|$((base + port + 10000))" <<<"$taken" && continue 2
    done
    echo "$base"
    return
  done
}

# weed_server NAME BASE OPTION...: its S3 side listens on port BASE, plain unless the options say
# otherwise.
weed_server() {
  local name=$1 base=$2
  shift 2
  mkdir -p "$work/$name/data"
  weed server -dir="$work/$name/data" -ip=127.0.0.1 -ip.bind=127.0.0.1 \
    -master.port=$((base + 1)) -volume.port=$((base + 2)) -filer -filer.port=$((base + 3)) \
    -master.volumeSizeLimitMB=64 -volume.max=200 -s3 -s3.port="$base" \
    -s3.config="$work/s3.json" -s3.port.iceberg=0 -s3.port.lance=0 "$@" \
    >"$work/$name/log" 2>&1 &
}

refuses_strangers() {
  [[ $(curl -s -o /dev/null -w '%{http_code}' --cacert "$work/tls/ca.pem" "$@") == 403 ]]
}

keys() {
  access=tier
  secret=$(openssl rand -hex 20)
  (umask 077 && printf %s $access >"$work/access" && printf %s "$secret" >"$work/secret")
  cat >"$work/s3.json" <<JSON
{"identities": [{"name": "tier",
  "credentials": [{"accessKey": "$access", "secretKey": "$secret"}],
  "actions": ["Admin", "Read", "Write", "List", "Tagging"]}]}
JSON
}

# store_config ENDPOINT [LINE...]: the [store] section.
store_config() {
  local endpoint=$1
  shift
  cat <<TOML
[store]
endpoint = "$endpoint"
bucket = "evidence"
access_key_file = "$work/access"
secret_key_file = "$work/secret"
TOML
  printf '%s\n' "$@"
}

# probed NAME STORE [LINE...]: `store probe --json` of a dock with this [store] section, and lines
# after it, into $work/NAME.probe; its exit status.
probed() {
  local name=$1 store=$2
  shift 2
  [[ -f $work/identity.txt ]] ||
    "$bwvdock" keys generate identity --out "$work/identity.txt" >/dev/null || return
  {
    printf '[dock]\nid = "tier"\n[seal]\nrecipients = ["%s"]\n' \
      "$(sed -n 's/^# public key: //p' "$work/identity.txt")"
    cat "$store"
    printf '%s\n' "$@"
  } >"$work/$name.dock.toml"
  "$bwvdock" store probe --json --config "$work/$name.dock.toml" >"$work/$name.probe"
}

# probe_says NAME FILTER: jq on what `probed` left, if that is an answer at all.
probe_says() {
  jq -e "(.checks | type == \"object\") and ($2)" "$work/$1.probe" >/dev/null \
    || { cat "$work/$1.probe" && return 1; }
}
