"""Sends requests to blackbox_exporter as Prometheus does, with its headers.

Connections are reused. The loop is open: a late probe does not delay the next one. Otherwise
a slow prober would be measured at a lower rate than a fast one.
"""
import asyncio, re, time
from urllib.parse import quote

HEADERS = ("Host: 127.0.0.1\r\nUser-Agent: Prometheus/2.42.0\r\nAccept: text/plain;version=0.0.4\r\n"
           "Accept-Encoding: gzip\r\nX-Prometheus-Scrape-Timeout-Seconds: 60\r\n\r\n")
SUCCESS = re.compile(rb"^probe_success 1$", re.M)


class Drive:
    def __init__(self, port, plain_text=False):
        self.port, self.idle, self.failed, self.done, self.answers = port, [], 0, 0, {}
        self.headers = HEADERS.replace("Accept-Encoding: gzip\r\n", "") if plain_text else HEADERS
        self.keep = plain_text

    async def one(self, tag, url):
        path = f"/probe?module=http_2xx&target={quote(url, safe='')}"
        try:
            reader, writer = self.idle.pop() if self.idle else \
                await asyncio.open_connection("127.0.0.1", self.port)
            writer.write(f"GET {path} HTTP/1.1\r\n{self.headers}".encode())
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = re.search(rb"content-length: (\d+)", head)
            body = b""
            if length:
                body = await reader.readexactly(int(length[1]))
            else:
                while size := int(await reader.readline(), 16):
                    body += (await reader.readexactly(size + 2))[:-2]
                await reader.readexactly(2)
            self.idle.append((reader, writer))
            if self.keep:
                self.answers[tag] = body.decode()
                self.failed += not SUCCESS.search(body)
        except (OSError, EOFError, ValueError):
            self.failed += 1
        self.done += 1

    async def run(self, url, rate, seconds):
        began, running = time.monotonic(), set()
        for number in range(int(rate * seconds)):
            wait = began + number / rate - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            task = asyncio.create_task(self.one(number, url(number)))
            running.add(task)
            task.add_done_callback(running.discard)
        if running:
            await asyncio.gather(*running)


def drive(port, url, rate, seconds, plain_text=False):
    made = Drive(port, plain_text)
    asyncio.run(made.run(url, rate, seconds))
    return made
