#!/usr/bin/env python3
"""The whole daemon beside rclone: CPU seconds per GiB, wall time and peak memory, in one run.

Both send the same incompressible footage, encrypted on the client, to the same SeaweedFS on
loopback. rclone uses its crypt remote over S3; it neither hashes the source, nor reads back what it
encrypted, nor journals, nor keeps a spool, nor survives being killed. The daemon does all that.

Usage: benches/pipeline.py [--gib N] [--cameras N] [--single] [--tls]
  --gib N       footage in all (default 2)
  --cameras N   docked at once (default 8)
  --single      one camera with one file of 5 GiB instead

Needs target/release/bwvdock (`cargo build --release`) and the tools of tests/all in
target/tools/bin (`tests/all fmt` installs them). Uses about three times the footage as disk.
"""

import argparse
import json
import os
import pathlib
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCK = ROOT / "target/release/bwvdock"
TOOLS = ROOT / "target/tools/bin"
GIB = 1 << 30
KEY, SECRET = "bench", "benchsecret"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def make_footage(folder, cameras, gib, single):
    """Incompressible files of 64 MiB (or one of 5 GiB), as a camera's DCIM tree."""
    block = os.urandom(1 << 20)
    sizes = [5 * GIB] if single else [64 << 20] * max(1, int(gib * 16 / cameras))
    total = 0
    for camera in range(1 if single else cameras):
        root = folder / f"cam{camera + 1}" / "DCIM/100MEDIA"
        root.mkdir(parents=True)
        for number, size in enumerate(sizes):
            with open(root / f"CLIP{number:04}.MP4", "wb") as out:
                left, turn = size, 0
                while left:
                    # A new first line in every block keeps blocks apart without costing time.
                    piece = (f"{camera}/{number}/{turn}\n".encode() + block)[: min(left, 1 << 20)]
                    out.write(piece)
                    left -= len(piece)
                    turn += 1
            total += size
    return total


def start_store(folder, tls):
    port, https = free_port(), free_port()
    config = {"identities": [{"name": "dock", "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
                              "actions": ["Admin", "Read", "Write", "List", "Tagging"]}]}
    (folder / "s3.json").write_text(json.dumps(config))
    data = folder / "weed"
    data.mkdir()
    command = [TOOLS / "weed", "server", f"-dir={data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
               f"-master.port={free_port()}", f"-volume.port={free_port()}",
               f"-filer.port={free_port()}", "-master.volumeSizeLimitMB=1024", "-volume.max=100",
               "-filer", "-s3", f"-s3.port={port}", f"-s3.config={folder / 's3.json'}",
               "-s3.port.iceberg=0", "-s3.port.lance=0"]
    if tls:
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
                        "-addext", "subjectAltName=IP:127.0.0.1", "-addext",
                        "basicConstraints=critical,CA:FALSE", "-keyout", folder / "tls.key", "-out",
                        folder / "tls.pem"], check=True, capture_output=True)
        command += [f"-s3.port.https={https}", f"-s3.cert.file={folder / 'tls.pem'}",
                    f"-s3.key.file={folder / 'tls.key'}"]
    log = open(folder / "weed.log", "w")
    store = subprocess.Popen(command, stdout=log, stderr=log)
    end = time.time() + 60
    while time.time() < end:
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as conn:
                conn.sendall(b"GET / HTTP/1.0\r\n\r\n")
                if b"403" in conn.recv(64):
                    break
        except OSError:
            pass
        time.sleep(0.3)
    else:
        sys.exit("SeaweedFS did not start; see its log")
    scheme, at = ("https", https) if tls else ("http", port)
    return store, f"{scheme}://127.0.0.1:{at}", f"http://127.0.0.1:{port}"


def rclone_env(endpoint, folder, tls):
    hidden = subprocess.run([TOOLS / "rclone", "obscure", "bench-password"], check=True,
                            capture_output=True, text=True).stdout.strip()
    env = dict(os.environ, RCLONE_CONFIG=os.devnull,
               RCLONE_CONFIG_S3_TYPE="s3", RCLONE_CONFIG_S3_PROVIDER="SeaweedFS",
               RCLONE_CONFIG_S3_ACCESS_KEY_ID=KEY, RCLONE_CONFIG_S3_SECRET_ACCESS_KEY=SECRET,
               RCLONE_CONFIG_S3_ENDPOINT=endpoint, RCLONE_CONFIG_S3_CHUNK_SIZE="16Mi",
               RCLONE_CONFIG_C_TYPE="crypt", RCLONE_CONFIG_C_REMOTE="s3:rclone",
               RCLONE_CONFIG_C_PASSWORD=hidden)
    if tls:
        env["RCLONE_CA_CERT"] = str(folder / "tls.pem")
    return env


def configure(folder, endpoint, cameras, tls):
    made = subprocess.run([DOCK, "--json", "keys", "generate", "identity", "--out",
                           folder / "identity.txt"], check=True, capture_output=True, text=True)
    recipient = json.loads(made.stdout)["recipient"]
    for name, text in (("access", KEY), ("secret", SECRET)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    text = f"""
[dock]
id = "bench"
state_dir = "{folder / 'state'}"
[api]
socket = "{folder / 'api.sock'}"
[cameras]
profiles_dir = "{folder / 'none'}"
keys_dir = "{folder / 'none'}"
copies_max = 8
[seal]
recipients = ["{recipient}"]
[spool]
bytes_max = {32 * GIB}
reserve_bytes = {1 << 30}
[store]
endpoint = "{endpoint}"
bucket = "dock"
access_key_file = "{folder / 'access'}"
secret_key_file = "{folder / 'secret'}"
{f'ca_file = "{folder}/tls.pem"' if tls else ''}
"""
    for number in range(1, cameras + 1):
        text += f'[[bays]]\nname = "{number}"\nfolder = "{folder}/footage/cam{number}"\n'
        text += f'camera_id = "BENCH-{number}"\nallow_erase = false\n'
    (folder / "dock.toml").write_text(text)
    return folder / "dock.toml"


def run_dock(folder, config):
    """Returns CPU seconds, wall seconds, peak RSS in MiB and the final status."""
    log = open(folder / "dock.log", "w")
    began = time.time()
    daemon = subprocess.Popen([DOCK, "daemon", "--config", config], stdout=log, stderr=log)
    status, done = None, 0
    while done < 2:
        time.sleep(0.25)
        if daemon.poll() is not None:
            sys.exit(f"the daemon ended:\n{(folder / 'dock.log').read_text()}")
        asked = subprocess.run([DOCK, "--json", "--socket", folder / "api.sock", "status"],
                               capture_output=True, text=True)
        if asked.returncode != 0:
            continue
        status = json.loads(asked.stdout)
        waiting = sum(part["count"] for amounts in (status["to_copy"], status["queue"])
                      for part in amounts.values())
        idle = (waiting == 0 and status["receipts"] > 0 and status["undescribed"] == 0
                and status["unfinished"] == 0)
        done = done + 1 if idle else 0
    wall = time.time() - began
    proc = pathlib.Path(f"/proc/{daemon.pid}")
    fields = (proc / "stat").read_text().rsplit(")", 1)[1].split()
    cpu = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    system = int(fields[12]) / os.sysconf("SC_CLK_TCK")
    peak = next(int(line.split()[1]) for line in (proc / "status").read_text().splitlines()
                if line.startswith("VmHWM"))
    daemon.terminate()
    daemon.wait()
    return cpu, system, wall, peak / 1024, status


def run_rclone(env, folder):
    subprocess.run([TOOLS / "rclone", "mkdir", "s3:rclone"], check=True, env=env)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.time()
    child = subprocess.Popen([TOOLS / "rclone", "copy", folder / "footage", "c:"], env=env)
    _, code, used = os.wait4(child.pid, 0)
    if code != 0:
        sys.exit("rclone failed")
    wall = time.time() - began
    del before
    return used.ru_utime + used.ru_stime, used.ru_stime, wall, used.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gib", type=float, default=2)
    parser.add_argument("--cameras", type=int, default=8)
    parser.add_argument("--single", action="store_true")
    parser.add_argument("--tls", action="store_true")
    args = parser.parse_args()
    for tool in (DOCK, TOOLS / "weed", TOOLS / "rclone"):
        if not tool.exists():
            sys.exit(f"{tool} is missing; see --help")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="bwvdock-bench-"))
    store = None
    try:
        cameras = 1 if args.single else args.cameras
        total = make_footage(folder / "footage", cameras, args.gib, args.single)
        gib = total / GIB
        store, endpoint, plain = start_store(folder, args.tls)
        env = rclone_env(endpoint, folder, args.tls)
        subprocess.run([TOOLS / "rclone", "mkdir", "s3:dock"], check=True, env=env)
        config = configure(folder, endpoint, cameras, args.tls)
        cpu, system, wall, peak, status = run_dock(folder, config)
        shutil.rmtree(folder / "state")
        r_cpu, r_system, r_wall, r_peak = run_rclone(env, folder)
    finally:
        if store:
            store.kill()
            store.wait()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{gib:.2f} GiB from {cameras} camera(s), {'https' if args.tls else 'http'}, "
          f"{os.cpu_count()} cores; level {'read back or better'}; "
          f"{status['receipts']} receipts, {status['unverified']} files hashed at the dock")
    print(f"{'':10} {'CPU s/GiB':>10} {'of it kernel':>13} {'wall s':>8} {'peak RSS MiB':>13}")
    print(f"{'bwvdock':10} {cpu / gib:10.2f} {system / gib:13.2f} {wall:8.1f} {peak:13.1f}")
    print(f"{'rclone':10} {r_cpu / gib:10.2f} {r_system / gib:13.2f} {r_wall:8.1f} {r_peak:13.1f}")
    print(f"{'ratio':10} {cpu / r_cpu:10.2f} {'':13} {wall / r_wall:8.2f} {peak / r_peak:13.2f}")


if __name__ == "__main__":
    main()
