"""The real daemon and the real store as processes, on a folder of their own; asked by the command
line, and checked by what neither can talk away: the custody log, and the store opened with age."""

import glob
import hashlib
import json
import os
import signal
import subprocess
import time

from guest import record
from guest.rig import PATIENCE, Failed, check, equal, run, within, write

PROGRAM = "/run/bwvdock"
KEYS = "/run/keys"
# A card whose clips are erased once they are safe; no hash comes from the camera.
CLIPS = "PC9_{serial}_20260102T080000Z/clip_00{number}.mp4"


def prepare():
    """The program, and keys for store and footage, once for all docks."""
    if os.path.exists(f"{KEYS}/ca.pem"):
        return
    run("cp", "/host/bwvdock", PROGRAM)
    os.makedirs(KEYS, mode=0o700)
    write(f"{KEYS}/access", "rig")
    write(f"{KEYS}/secret", "a secret of the tests")
    for name in ("access", "secret"):
        os.chmod(f"{KEYS}/{name}", 0o600)
    run("age-keygen", "-o", f"{KEYS}/identity.txt")
    new_key = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
               "-noenc", "-days", "9"]
    run(*new_key, "-subj", "/CN=rig", "-keyout", f"{KEYS}/ca.key", "-out", f"{KEYS}/ca.pem",
        "-addext", "keyUsage=critical,keyCertSign")
    run(*new_key, "-CA", f"{KEYS}/ca.pem", "-CAkey", f"{KEYS}/ca.key", "-subj", "/CN=store",
        "-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE",
        "-keyout", f"{KEYS}/server.key", "-out", f"{KEYS}/server.pem")


def recipient():
    with open(f"{KEYS}/identity.txt", encoding="ascii") as file:
        return next(line.split()[-1] for line in file if "public key" in line)


class Dock:
    """`bays`: name to the TOML lines that say what is in it. `more`: further TOML sections;
    `cameras`: further lines of [cameras]."""

    def __init__(self, name, bays, more="", profiles=None, release=True, cameras=""):
        prepare()
        self.folder = f"/run/dock-{name}"
        self.socket = f"{self.folder}/api.sock"
        for part in ("state", "profiles", "camera-keys", "store"):
            os.makedirs(f"{self.folder}/{part}")
        for profile, text in (profiles or {}).items():
            write(f"{self.folder}/profiles/{profile}.toml", text)
        self.bays = bays
        self.more = more
        self.cameras = cameras
        self.release = release
        self.vault = self.daemon = None
        self.endpoint = None
        self.told = set()  # what `check_record` has complained of

    def __enter__(self):
        self.start_vault()
        self.start()
        return self

    def __exit__(self, kind, *_):
        if kind:
            print(self.last_words())
        self.end()

    def end(self):
        """Kills what still runs."""
        for process in (self.daemon, self.vault):
            if process and process.poll() is None:
                process.kill()
                process.wait()

    # --- processes -----------------------------------------------------------------------------

    def _spawn(self, log, *arguments):
        with open(f"{self.folder}/{log}", "ab") as file:
            return subprocess.Popen([PROGRAM, *arguments], stdin=subprocess.DEVNULL, stdout=file,
                                    stderr=subprocess.STDOUT, cwd=self.folder)

    def start_vault(self):
        self.vault = self._spawn(
            "vault.log", "vault", "--root", f"{self.folder}/store", "--listen", "127.0.0.1:0",
            "--access-key-file", f"{KEYS}/access", "--secret-key-file", f"{KEYS}/secret",
            "--cert-file", f"{KEYS}/server.pem", "--key-file", f"{KEYS}/server.key")

        def listening():
            with open(f"{self.folder}/vault.log", encoding="utf-8") as file:
                for line in file:
                    if line.startswith("listening ") and line.endswith("\n"):
                        return line.split()[1]
            check(self.vault.poll() is None, f"the vault ended: {self.last_words()}")
            return None

        self.endpoint = within(30, "the vault", listening)

    def start(self):
        """Starts the daemon (again) and waits until it answers."""
        write(f"{self.folder}/bwvdock.toml", self._configuration())
        run(PROGRAM, "config", "check", f"{self.folder}/bwvdock.toml")
        self.daemon = self._spawn("daemon.log", "daemon", "--config", f"{self.folder}/bwvdock.toml")

        def answers():
            check(self.daemon.poll() is None, f"the daemon ended: {self.last_words()}")
            done = subprocess.run([PROGRAM, "--socket", self.socket, "--json", "status"],
                                  capture_output=True, check=False)
            return done.returncode == 0

        within(30, "the daemon's answer", answers)

    def stop(self, how=signal.SIGTERM):
        self.daemon.send_signal(how)
        try:
            self.daemon.wait(20 * PATIENCE)
        except subprocess.TimeoutExpired:
            raise Failed(f"the daemon does not end; {self.last_words()}") from None

    def _configuration(self):
        text = f"""
[dock]
id = "rig-dock"
state_dir = "{self.folder}/state"
[api]
socket = "{self.socket}"
[cameras]
profiles_dir = "{self.folder}/profiles"
keys_dir = "{self.folder}/camera-keys"
poll_interval_ms = 200
{self.cameras}
[seal]
recipients = ["{recipient()}"]
[spool]
bytes_max = 268435456
reserve_bytes = 67108864
[store]
endpoint = "{self.endpoint}"
bucket = "evidence"
access_key_file = "{KEYS}/access"
secret_key_file = "{KEYS}/secret"
ca_file = "{KEYS}/ca.pem"
[release]
enabled = {str(self.release).lower()}
still_seconds_min = 0
{self.more}
"""
        for name, lines in self.bays.items():
            text += f'[[bays]]\nname = "{name}"\n{lines}\n'
        return text

    def last_words(self):
        words = []
        for name in ("vault.log", "daemon.log"):
            path = f"{self.folder}/{name}"
            if os.path.exists(path):
                with open(path, encoding="utf-8", errors="replace") as file:
                    words += [f"        {name}: {line.rstrip()}" for line in file.readlines()[-12:]]
        return "\n".join(words)

    # --- asking --------------------------------------------------------------------------------

    def ask(self, *command):
        return json.loads(run(PROGRAM, "--socket", self.socket, "--json", *command))

    def bay(self, name):
        found = next(bay for bay in self.ask("status")["bays"] if bay["bay"] == name)
        return {"camera": None, "copying": None} | found

    def await_bay(self, name, condition, what, seconds=20):
        """Waits for a report of this bay that fits, and returns it."""
        last = {}

        def fits():
            nonlocal last
            check(self.daemon.poll() is None, f"the daemon ended: {self.last_words()}")
            last = self.bay(name)
            return last if condition(last) else None

        return within(seconds, lambda: f"bay {name}: {what}; it says {last}", fits, every=0.15)

    def await_camera(self, name, camera, seconds=20):
        return self.await_bay(name, lambda bay: bay["camera"] == camera, f"camera {camera}", seconds)

    def await_light(self, name, light, seconds=60):
        return self.await_bay(name, lambda bay: bay["light"] == light, light, seconds)

    def await_words(self, name, light, words, seconds=20):
        """Waits until a person at this bay is told so."""
        return self.await_bay(name, lambda bay: bay["light"] == light and words in bay["words"],
                              f"{light} and '{words}'", seconds)

    def await_done(self, seconds=60):
        """Waits until nothing is left to do: all stored and receipted, erased where it may be."""
        last = {}

        def done():
            nonlocal last
            check(self.daemon.poll() is None, f"the daemon ended: {self.last_words()}")
            last = self.ask("status")
            left = sum(each["count"] for each in last["segments"]
                       if each["stage"] in ("seen", "sealed", "stored", "releasing"))
            queued = sum(each["count"] for each in last["queue"].values())
            return left + queued + last["unfinished"] + last["undescribed"] == 0

        def words():
            bays = [(bay["bay"], bay["light"], bay["words"]) for bay in last.get("bays", [])]
            return f"not done: {bays}; {last.get('segments')}; {last.get('problems')}"

        within(seconds, words, done, every=0.2)

    def await_receipts(self, camera, files, words="", seconds=60):
        """Waits until so many files of a camera are stored and receipted."""

        def there():
            check(self.daemon.poll() is None, f"the daemon ended: {self.last_words()}")
            paths, receipted, objects = set(), set(), {}
            for fact in self.facts("segment_seen", "sealed", "receipted"):
                if fact["type"] == "segment_seen" and fact["segment"]["camera"] == camera:
                    paths.add(fact["segment"]["id"])
                elif fact["type"] == "sealed" and fact["segment"] in paths:
                    objects[fact["segment"]] = fact["object"]["id"]
                elif fact["type"] == "receipted":
                    receipted.add(fact["object"])
            return len(paths) >= files and all(objects.get(each) in receipted for each in paths)

        def report():
            bays = [(bay["bay"], bay["light"], bay["words"]) for bay in self.ask("status")["bays"]
                    if bay["light"] != "green" or bay.get("camera")]
            return f"{words} receipts for {files} files of {camera}; bays: {bays}"

        within(seconds, report, there, every=0.25)

    def segments(self, camera):
        """The ids of a camera's files, in the order in which they were seen."""
        return [fact["segment"]["id"] for fact in self.facts("segment_seen")
                if fact["segment"]["camera"] == camera]

    def footprint(self):
        """(open files, threads) of the daemon."""
        proc = f"/proc/{self.daemon.pid}"
        return len(os.listdir(f"{proc}/fd")), len(os.listdir(f"{proc}/task"))

    # --- the record ----------------------------------------------------------------------------

    def facts(self, *types):
        """The facts of the custody log, in order, of these types."""
        return [fact for _, fact in self.dated(*types)]

    def dated(self, *types):
        """The same, each with the time of its line."""
        found = []
        for path in sorted(glob.glob(f"{self.folder}/state/journal/custody-*.jsonl")):
            with open(path, "rb") as file:
                for line in file:
                    if not line.endswith(b"\n"):
                        break  # being written
                    line = json.loads(line)
                    if not types or line["fact"]["type"] in types:
                        found.append((line["at"], line["fact"]))
        return found

    def check_record(self, lying=False):
        """The log's chain is whole, and what it says is as it should be; see `record`. What one
        case was told, later cases are not told again. `lying`: listings may leave files out."""
        lines = []
        for path in sorted(glob.glob(f"{self.folder}/state/journal/custody-*.jsonl")):
            with open(path, "rb") as file:
                lines += [line for line in file.read().splitlines(True) if line.endswith(b"\n")]
        lines = [line.rstrip(b"\n") for line in lines]
        equal(record.broken_chain(lines), None, "first line that does not continue the log")
        said = record.objections((json.loads(line)["fact"] for line in lines), lying)
        new = [words for words in said if words not in self.told]
        self.told.update(new)
        check(not new, "; ".join(new))

    def stored(self, camera):
        """What the store holds of a camera, as a stranger finds it: (path, SHA-256) of each object,
        opened with Debian's age and hashed anew."""
        paths, found = {}, []
        receipted = {fact["object"] for fact in self.facts("receipted")}
        for fact in self.facts("segment_seen", "sealed"):
            if fact["type"] == "segment_seen":
                if fact["segment"]["camera"] == camera:
                    paths[fact["segment"]["id"]] = fact["segment"]["source"]["path"]
            elif fact["segment"] in paths and fact["object"]["id"] in receipted:
                found.append((paths[fact["segment"]], self._opened(fact["object"]["key"])))
        return sorted(found)

    def _opened(self, key):
        path = f"{self.folder}/store/evidence/objects/{key}"
        opened = subprocess.Popen(["age", "-d", "-i", f"{KEYS}/identity.txt", path],
                                  stdout=subprocess.PIPE)
        found = hashlib.file_digest(opened.stdout, "sha256").hexdigest()
        equal(opened.wait(), 0, f"exit status of age for {key}")
        return found

    def camera_holds(self, camera, wanted, what="stored"):
        """The store has exactly these files of the camera, with these hashes: each once."""
        equal(self.stored(camera), sorted(wanted.items()), f"{camera}: files {what}")
