"""Starts processes and reads their CPU time and memory from /proc.

Only processes started here are stopped, each by its id. CPU time is the user plus system time
of the whole process; on a shared machine it varies far less than wall time.
"""
import os, shutil, signal, subprocess, time, urllib.error, urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
TICK_MS = 1000.0 / os.sysconf("SC_CLK_TCK")
# Not the default ports, so that a running daemon is not disturbed.
PLAIN, TLS, TRUTH, PEER, OURS = (
    int(port) for port in os.environ.get("PORTS", "28480,28443,28490,29115,29853").split(","))


class Started:
    def __init__(self, command, log, env=None):
        self.process = subprocess.Popen(command, stdout=open(log, "ab"), stderr=subprocess.STDOUT,
                                        env={**os.environ, **(env or {})})
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def cpu_ms(self):
        fields = open(f"/proc/{self.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) * TICK_MS

    def memory_mb(self, key="VmRSS"):
        for line in open(f"/proc/{self.pid}/status"):
            if line.startswith(key + ":"):
                return int(line.split()[1]) / 1024
        return float("nan")

    def ready(self, url, seconds=60):
        """Waits until the URL responds and returns the seconds; exits if the process ends."""
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            if self.process.poll() is not None:
                raise SystemExit(f"{self.process.args[0]} exited with code {self.process.returncode}")
            try:
                get(url)
                return time.monotonic() - began
            except urllib.error.HTTPError:
                return time.monotonic() - began
            except OSError:
                time.sleep(0.01)
        raise SystemExit(f"no response from {url} within {seconds} s")


def get(url, method="GET", timeout=60):
    return urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=timeout).read()


def cpu_ms_of(command):
    """Runs a command to its end and returns its CPU time in milliseconds."""
    before = os.times()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    return (after.children_user + after.children_system
            - before.children_user - before.children_system) * 1000


def peer(folder):
    """The path of Debian's blackbox_exporter, installed or unpacked in the folder; None if missing."""
    found = shutil.which("prometheus-blackbox-exporter") or os.environ.get("BLACKBOX_EXPORTER")
    if found:
        return found
    unpacked = f"{folder}/peer/usr/bin/prometheus-blackbox-exporter"
    if not os.path.exists(unpacked):
        if not shutil.which("apt-get"):
            return None
        subprocess.run(["apt-get", "download", "prometheus-blackbox-exporter"], cwd=folder,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        packed = [name for name in os.listdir(folder) if name.endswith(".deb")]
        if not packed:
            return None
        subprocess.run(["dpkg-deb", "-x", f"{folder}/{packed[0]}", f"{folder}/peer"], check=True)
    return unpacked
