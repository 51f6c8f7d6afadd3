"""A hub on 127.0.0.1 that the real huggingface_hub and datasets clients talk to, kept in memory.

with HubServer(token="...") as hub: hub.url, hub.commits, hub.requests
"""

import base64
import hashlib
import json
import re
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

API = re.compile(
    r"/api/(?P<kind>datasets|models)/(?P<repo>[^/]+/[^/]+)(?:/(?P<call>[a-z-]+)(?:/(?P<rest>.*))?)?"
)
FILE = re.compile(r"/(?:(?P<kind>datasets)/)?(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)")
BATCH = re.compile(r"/(?:(?P<kind>datasets)/)?(?P<repo>[^/]+/[^/]+)\.git/info/lfs/objects/batch")
LARGE = (".parquet", ".safetensors")


class HubServer:
    """State of the hub: repositories as lists of commits, each a dictionary from path to bytes."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.repos: dict[str, list[tuple[str, dict[str, bytes]]]] = {}
        self.objects: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.damage: str | None = None
        """A path whose content is served with one byte flipped."""
        self.faults: list[tuple[str, int]] = []
        """What goes wrong next: (part of "METHOD path", status), each once; status 0 cuts the connection."""
        self.rival: dict[str, bytes] | None = None
        """Files that somebody else commits just before the next commit."""
        self.loses_answer = False
        """Whether the next commit is made, but answered with 502."""
        self.tags: dict[str, dict[str, str]] = {}
        self.private: dict[str, bool] = {}
        self.branches: dict[str, list[tuple[str, dict[str, bytes]]]] = {}
        """Commits of the branches beside main, by repository@branch."""
        self.proposed: list[tuple[str, dict[str, bytes]]] = []
        """Commits of pull requests."""
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"hub": self}))
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def files(self, name: str) -> dict[str, bytes]:
        """Newest files in a repository, such as datasets/me/sums."""
        return self.repos[name][-1][1]

    def commit(self, name: str, files: dict[str, bytes]) -> str:
        digest = hashlib.sha1(repr((len(self.repos.get(name, [])), sorted(files))).encode()).hexdigest()
        self.repos.setdefault(name, []).append((digest, files))
        return digest

    def find(self, name: str, revision: str) -> tuple[str, dict[str, bytes]] | None:
        if name not in self.repos:
            return None
        if branch := self.branches.get(f"{name}@{revision}"):
            return branch[-1]
        known = [*self.repos[name], *self.proposed, *(c for b in self.branches.values() for c in b)]
        wanted = self.repos[name] if revision == "main" else [c for c in known if c[0] == revision]
        return wanted[-1] if wanted else None


def git_oid(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def entry(path: str, content: bytes) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "file", "path": path, "size": len(content), "oid": git_oid(content)}
    if path.endswith(LARGE):
        sha256 = hashlib.sha256(content).hexdigest()
        made["lfs"] = {"oid": sha256, "size": len(content), "pointerSize": 130}
    return made


class Handler(BaseHTTPRequestHandler):
    hub: HubServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def reply(self, status: int, body: bytes | dict | list = b"", **headers: str) -> None:
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def handle_any(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append(f"{self.command} {path}")
        length = int(self.headers.get("Content-Length") or 0)
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b"".join(iter(self.read_chunk, b""))
        else:
            body = self.rfile.read(length)
        is_object = path.startswith("/objects/")
        fault = next((f for f in self.hub.faults if f[0] in f"{self.command} {path}"), None)
        if fault:
            self.hub.faults.remove(fault)
            self.fail(fault[1])
        elif not is_object and self.headers.get("Authorization") != f"Bearer {self.hub.token}":
            self.reply(401, {"error": "Invalid credentials"}, X_Error_Message="Invalid credentials")
        elif is_object:
            content_matches = hashlib.sha256(body).hexdigest() == path.removeprefix("/objects/")
            self.hub.objects[path.removeprefix("/objects/")] = body
            self.reply(200 if content_matches else 400)
        elif path == "/api/repos/create":
            self.create(json.loads(body))
        elif path == "/api/validate-yaml":
            self.validate(json.loads(body)["content"])
        elif match := BATCH.fullmatch(path):
            objects = [self.describe_object(item) for item in json.loads(body)["objects"]]
            self.reply(200, {"transfer": "basic", "objects": objects})
        elif match := FILE.fullmatch(path):
            self.resolve(match)
        elif match := API.fullmatch(path):
            self.api(f"{match['kind']}/{match['repo']}", match["call"], match["rest"] or "main", body)
        else:
            self.reply(404, {"error": f"no such page: {path}"})

    def fail(self, status: int) -> None:
        if status:
            self.reply(status, {"error": f"planted {status}"}, X_Error_Message=f"planted {status}")
            return
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    do_GET = do_HEAD = do_POST = do_PUT = handle_any

    def read_chunk(self) -> bytes:
        size = int(self.rfile.readline(), 16)
        chunk = self.rfile.read(size)
        self.rfile.readline()
        return chunk

    def create(self, asked: dict[str, Any]) -> None:
        name = f"{asked.get('type') or 'model'}s/{asked['organization']}/{asked['name']}"
        if name in self.hub.repos:
            self.reply(409, {"error": "You already created this repo", "url": f"{self.hub.url}/{name}"})
            return
        self.hub.commit(name, {".gitattributes": b"*.parquet filter=lfs\n"})
        self.hub.private[name] = bool(asked.get("private")) or asked.get("visibility") == "private"
        self.reply(200, {"url": f"{self.hub.url}/{name.removeprefix('models/')}", "name": asked["name"]})

    def validate(self, content: str) -> None:
        _, front, _ = content.split("---\n", 2)
        is_valid = isinstance(yaml.safe_load(front), dict)
        self.reply(200 if is_valid else 400, {"errors": [], "warnings": []})

    def resolve(self, match: re.Match[str]) -> None:
        found = self.hub.find(f"{match['kind'] or 'models'}/{match['repo']}", match["revision"])
        path = match["path"]
        if found is None or path not in found[1]:
            code = "EntryNotFound" if found else "RepoNotFound"
            self.reply(404, {"error": code}, X_Error_Code=code, X_Repo_Commit=found[0] if found else "")
            return
        content = found[1][path]
        described = entry(path, content)
        oid = described.get("lfs", described)["oid"]
        if path == self.hub.damage:
            content = bytes([content[0] ^ 1]) + content[1:]
        about = {"ETag": f'"{oid}"', "X_Repo_Commit": found[0]}
        if part := re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range") or ""):
            first, last = int(part[1]), min(int(part[2]), len(content) - 1)
            about["Content_Range"] = f"bytes {first}-{last}/{len(content)}"
            self.reply(206, content[first : last + 1], **about)
            return
        self.reply(200, content, **about)

    def api(self, name: str, call: str | None, rest: str, body: bytes) -> None:
        revision = rest.partition("/")[0] if call else "main"
        found = self.hub.find(name, "main" if call == "branch" else revision)
        if found is None:
            code = "RevisionNotFound" if name in self.hub.repos else "RepoNotFound"
            self.reply(404, {"error": "not found"}, X_Error_Code=code)
            return
        commit, files = found
        if call in (None, "revision"):
            siblings = [{"rfilename": path} for path in files]
            info = {"_id": "1", "id": name.partition("/")[2], "sha": commit, "siblings": siblings}
            self.reply(
                200,
                info | {"private": self.hub.private.get(name, False), "tags": [], "downloads": 0, "likes": 0},
            )
        elif call == "tree":
            parents = {str(p) for path in files for p in ancestors(path)}
            below = rest.partition("/")[2]
            listed = [{"type": "directory", "path": path, "oid": "0" * 40} for path in sorted(parents)]
            listed += [entry(path, content) for path, content in files.items()]
            self.reply(200, [item for item in listed if item["path"].startswith(below)])
        elif call == "paths-info":
            asked = [path for path in parse_qs(body.decode())["paths"] if path in files]
            last = {"lastCommit": {"id": commit, "title": "t", "date": "2026-01-01T00:00:00.000Z"}}
            self.reply(200, [entry(path, files[path]) | last for path in asked])
        elif call == "preupload":
            asked = json.loads(body)["files"]
            self.reply(200, {"files": [self.describe_upload(item["path"], files) for item in asked]})
        elif call == "tag":
            tag = json.loads(body)["tag"]
            known = self.hub.tags.setdefault(name, {})
            self.reply(409 if tag in known else 200, {})
            known.setdefault(tag, commit)
        elif call == "branch":
            key = f"{name}@{revision}"
            self.reply(409 if key in self.hub.branches else 200, {})
            self.hub.branches.setdefault(key, [found])
        elif call == "commit":
            if self.hub.rival is not None:
                commit, files = self.hub.commit(name, files | self.hub.rival), files | self.hub.rival
                self.hub.rival = None
            parent = json.loads(body.splitlines()[0])["value"].get("parentCommit")
            if parent not in (None, commit):
                self.reply(412, {"error": "A commit has happened since. Please refresh and try again."})
                return
            made = self.apply(files, body)
            oid = hashlib.sha1(repr((commit, sorted(made.items()))).encode()).hexdigest()
            answer = {"commitUrl": f"{self.hub.url}/{name}/commit/{oid}", "commitOid": oid}
            if "create_pr=1" in self.path:
                self.hub.proposed.append((oid, made))
                answer["pullRequestUrl"] = f"{self.hub.url}/{name}/discussions/1"
            else:
                self.hub.branches.get(f"{name}@{revision}", self.hub.repos[name]).append((oid, made))
            if self.hub.loses_answer:
                self.hub.loses_answer = False
                self.fail(502)
                return
            self.reply(200, answer)
        else:
            self.reply(404, {"error": f"no such call: {call}"})

    def describe_object(self, item: dict[str, Any]) -> dict[str, Any]:
        """Where to upload an object; empty when it is already here."""
        upload = {"upload": {"href": f"{self.hub.url}/objects/{item['oid']}"}}
        return item if item["oid"] in self.hub.objects else item | {"actions": upload}

    def describe_upload(self, path: str, files: dict[str, bytes]) -> dict[str, Any]:
        mode = "lfs" if path.endswith(LARGE) else "regular"
        described = entry(path, files[path]) if path in files else {"oid": None}
        oid = described.get("lfs", described)["oid"]
        return {"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": oid}

    def apply(self, files: dict[str, bytes], body: bytes) -> dict[str, bytes]:
        files = dict(files)
        for line in body.splitlines():
            item = json.loads(line)
            value = item["value"]
            if item["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif item["key"] == "lfsFile":
                files[value["path"]] = self.hub.objects[value["oid"]]
            elif item["key"] == "deletedFile":
                del files[value["path"]]
        return files


def ancestors(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[: i + 1]) for i in range(len(parts))]
