#!/usr/bin/env python3
"""A consumer of the Compliance API's log files, written from its public description alone.

It walks `GET {base}/v1/compliance/workspaces/{id}/logs` from a time on: each page goes on after `last_end_time` of the
page before, a file is fetched through the redirect of `logs/{log_file_id}` and held against its announced size and
SHA-256, and records are told apart by `event_id`. Standard library only.
"""

import argparse
import hashlib
import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

EVENT_TYPES = ["AUTH_LOG", "AUDIT_LOG", "CODEX_LOG", "CODEX_SECURITY_LOG", "CODEX_TURN"]


class Consumer:
    def __init__(self, options):
        self.base = options.base.rstrip("/")
        self.workspace = options.workspace
        self.key = options.key
        self.context = ssl.create_default_context(cafile=options.ca_file)
        self.seen = {}
        self.repeats = 0
        self.files = 0
        self.restarts = 0

    def get(self, path, parameters=()):
        """The body of an answer. Waits for a server that is away, and as long as it is told to when it is asked too often."""
        url = f"{self.base}/v1/compliance/workspaces/{self.workspace}/{path}"
        if parameters:
            url += "?" + urllib.parse.urlencode(parameters)
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {self.key}"})
        for _ in range(600):
            try:
                with urllib.request.urlopen(request, timeout=30, context=self.context) as answer:
                    return answer.read()
            except urllib.error.HTTPError as error:
                if error.code == 429:
                    time.sleep(int(error.headers["Retry-After"]))
                elif error.code >= 500:
                    time.sleep(0.2)
                else:
                    raise SystemExit(f"{url}: {error.code} {error.read().decode()}")
            except (urllib.error.URLError, OSError):
                self.restarts += 1
                time.sleep(0.2)
        raise SystemExit(f"{url}: the server does not come back")

    def page(self, after):
        parameters = [("event_type", kind) for kind in EVENT_TYPES] + [("after", after), ("limit", "7")]
        return json.loads(self.get("logs", parameters))

    def take(self, file):
        body = self.get(f"logs/{file['id']}")
        if len(body) != file["file_size"]:
            raise SystemExit(f"{file['id']}: {len(body)} bytes instead of {file['file_size']}")
        if hashlib.sha256(body).hexdigest() != file["file_sha256"]:
            raise SystemExit(f"{file['id']}: another SHA-256 than announced")
        if len(body) > 15_000_000:
            raise SystemExit(f"{file['id']}: more than 15 MB")
        self.files += 1
        for line in body.decode().splitlines():
            record = json.loads(line)
            if record["type"] != file["event_type"]:
                raise SystemExit(f"{file['id']}: a record of {record['type']} in a file of {file['event_type']}")
            if record["event_id"] in self.seen:
                self.repeats += 1
            self.seen[record["event_id"]] = record["type"]

    def walk(self, after):
        """Takes all there is; the time to go on after."""
        while True:
            page = self.page(after)
            ends = [file["end_time"] for file in page["data"]]
            if ends != sorted(ends):
                raise SystemExit("the files of a page are not in their order")
            for file in page["data"]:
                self.take(file)
            if page["last_end_time"] is not None:
                after = page["last_end_time"]
            if not page["has_more"]:
                return after


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", required=True)
    parser.add_argument("--workspace", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--ca-file")
    parser.add_argument("--after", default="1970-01-01T00:00:00Z")
    parser.add_argument("--stop-file", help="go on until it is there, and then once more")
    options = parser.parse_args()
    consumer = Consumer(options)
    after = options.after
    while True:
        is_last = options.stop_file is None or os.path.exists(options.stop_file)
        after = consumer.walk(after)
        if is_last:
            break
        time.sleep(0.8)
    report = {"events": consumer.seen, "repeats": consumer.repeats, "files": consumer.files, "restarts": consumer.restarts}
    json.dump(report, sys.stdout)


if __name__ == "__main__":
    main()
