#!/usr/bin/env bash
# s3fs may say that a file exists which the very same call has created, though all repeats are switched off.
#
# Versions: s3fs 2026.9.0 with aiobotocore 3.10.0, botocore 1.43.117 and aiohttp 3.14.5. `pipe_file(mode="create")` writes
# an object only if there is none (If-None-Match: *): of several that ask for a lock, one gets it. If the server has
# written it and the connection closes before its answer, aiohttp sends the PUT a second time (it repeats once what HTTP
# calls idempotent). The second PUT meets the object of the first: 412, FileExistsError. Neither `retries` of s3fs nor
# those of botocore's configuration change that.
#
#   who asks               PUTs that arrive   told                 object
#   s3fs, retries = 1      2                  FileExistsError      written by this call
#   aiohttp alone          2                  status 412           written by this call
#
# Who creates a lock so writes something of his own into it, and reads it after any error.
#
# The script makes a temporary folder, installs the versions above there, and fails if they behave in another way.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"

cat >create.py <<'EOF'
import asyncio
import http.server
import socket
import threading

import aiohttp
import s3fs

OBJECTS, PUTS = {}, []


class Server(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        PUTS.append(self.path)
        if self.headers["If-None-Match"] == "*" and self.path in OBJECTS:
            said = b"<Error><Code>PreconditionFailed</Code><Condition>If-None-Match</Condition></Error>"
            self.send_response(412)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)
            return
        OBJECTS[self.path] = body
        if "lock" in self.path:  # written, and the answer is lost
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *text):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
once = {"retries": {"total_max_attempts": 1, "mode": "standard"}}
address = f"http://127.0.0.1:{server.server_port}"
store = s3fs.S3FileSystem(key="a", secret="b", endpoint_url=address, config_kwargs=once, skip_instance_cache=True)
store.retries = 1
try:
    store.pipe_file("bucket/lock", b"ours", mode="create")
    told = "nothing"
except Exception as error:
    told = type(error).__name__
print("s3fs:", len(PUTS), told, OBJECTS["/bucket/lock"] == b"ours")


async def alone():
    async with aiohttp.ClientSession() as session:
        async with session.put(f"{address}/bucket/lock", data=b"ours", headers={"If-None-Match": "*"}) as answer:
            return answer.status


OBJECTS.clear(), PUTS.clear()
status = asyncio.run(alone())
print("aiohttp:", len(PUTS), status, OBJECTS["/bucket/lock"] == b"ours")
EOF
cat >expected.txt <<'EOF'
s3fs: 2 FileExistsError True
aiohttp: 2 412 True
EOF
"${PYTHON:-python3.11}" -m venv env
env/bin/pip install --quiet --disable-pip-version-check s3fs==2026.9.0 aiobotocore==3.10.0 botocore==1.43.117 aiohttp==3.14.5
env/bin/python create.py >seen.txt
cat seen.txt
diff expected.txt seen.txt && echo "as stated"
