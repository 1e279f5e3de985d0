"""Tests the dashboards with a thousand targets: starts a daemon that probes them and a Prometheus
that scrapes the daemon, runs every query, and draws the panels with draw.py.

usage: many.py PROBECAUSE PROMETHEUS OUT_FOLDER [TARGETS]
67 of a thousand targets fail, in seven ways; some of them fail intermittently. Takes four minutes.
"""

import asyncio
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

import check
import draw

SERVICES = ["orders", "checkout", "search", "stock", "billing", "users", "images", "mail"]
PLACES = ["api", "eu", "us", "internal"]
TEAMS = ["shop", "platform", "finance", "media"]
BUSY = b'{"message":"Service Unavailable"}'
BROKEN = b'{"message":"Internal Server Error"}'
SECONDS = 220


def fault(number):
    """The fault of a target, or None for most targets."""
    return {0: "throttle", 1: "error", 2: "gone", 3: "body", 4: "closed", 5: "name",
            6: "slow"}[number // 15 % 7] if number % 15 == 3 else None


def name(number):
    return f"{SERVICES[number % 8]}-{PLACES[number // 8 % 4]}-{number:04}"


def answer(number, age):
    kind = fault(number)
    if kind in ("throttle", "error") and number % 2 and int(age / 40) % 2:
        kind = None
    status, body, wait = "200 OK", b'{"status":"ok"}', 0.01 + number % 50 / 1000
    if kind == "throttle":
        status, body = "503 Service Unavailable", BUSY
    elif kind == "error":
        status, body = "500 Internal Server Error", BROKEN
    elif kind == "gone":
        status, body = "404 Not Found", b'{"message":"Not Found"}'
    elif kind == "body":
        body = b"<html>maintenance</html>"
    elif kind == "slow":
        wait = 1.2
    head = (f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\napigw-requestid: id-{number}\r\n"
            "connection: close\r\n\r\n")
    return wait, head.encode() + body


async def serve(port, began):
    async def one(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        number = int(head.split(b" ")[1].rsplit(b"/", 1)[1])
        wait, text = answer(number, time.time() - began)
        await asyncio.sleep(wait)
        writer.write(text)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(one, "127.0.0.1", port, backlog=1024)
    async with server:
        await server.serve_forever()


def configuration(page, port, closed, count):
    parts = [f"""location = "eu-west-1"
[server]
listen = "127.0.0.1:{page}"
[defaults]
interval = "10s"
timeout = "5s"
confirm_after = "3s"
"""]
    for number in range(count):
        kind = fault(number)
        host = f"127.0.0.1:{closed if kind == 'closed' else port}"
        if kind == "name":
            host = "no-such-host.invalid"
        parts.append(f"""[[target]]
name = "{name(number)}"
url = "http://{host}/{number}"
labels = {{ team = "{TEAMS[number % 4]}" }}
[target.expect]
body = {{ contains = "ok" }}
slower_than = "1s"
""")
    return "".join(parts)


def main(probecause, prometheus, out, count="1000"):
    page, port, closed, asked = (check.free_port() for _ in range(4))
    threading.Thread(target=lambda: asyncio.run(serve(port, time.time())), daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "probecause.toml").write_text(configuration(page, port, closed, int(count)))
        (folder / "prometheus.yml").write_text(f"""
global: {{ scrape_interval: 2s }}
scrape_configs:
  - job_name: probecause
    honor_labels: true
    static_configs: [{{ targets: ["127.0.0.1:{page}"] }}]
""")
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        daemon = subprocess.Popen([probecause, "run", "--config", folder / "probecause.toml",
                                   "--state", folder / "state"], **quiet)
        server = subprocess.Popen(
            [prometheus, f"--config.file={folder}/prometheus.yml",
             f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{asked}"],
            **quiet)
        try:
            for left in range(SECONDS, 0, -20):
                print(f"\r{left:4} s left", end="", flush=True)
                time.sleep(20)
            url = f"http://127.0.0.1:{asked}"
            print()
            names = [name(number) for number in range(int(count)) if fault(number)]
            empty = {**check.MAY_BE_EMPTY, **dict.fromkeys(check.MISSING_IN_MANY, "plain HTTP")}
            check.run_queries(f"{url}/api/v1", names, empty)
            draw.main(url, out, names[0])
        finally:
            for process in (server, daemon):
                process.terminate()
                process.wait()
    if check.errors:
        sys.exit("errors:\n  " + "\n  ".join(check.errors))


if __name__ == "__main__":
    main(*sys.argv[1:])
