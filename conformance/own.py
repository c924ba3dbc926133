"""Plays our own cases: a raw peer against real servers and real clients, while tcpdump records."""

import json
import re
import shutil
import socket
import subprocess
import time
import tomllib

import pcap
import rawpeer
from fuzzing import is_legal_code
from places import HERE, SERVERS, Peer, version

CASES = tomllib.loads((HERE / "own.toml").read_text())["case"]
PORT = 9340
CLIENTS = {
    "ws": ["--deflate", '{"clientMaxWindowBits": 15}'],
    "websockets": ["--deflate", "default"],
    "aiohttp": [],
    "tornado": [],
}
RUNS = {
    **{f"own-{stack}-server": ("server", stack) for stack in SERVERS},
    **{f"own-{stack}-client": ("client", stack) for stack in CLIENTS},
    # The raw peer sends octet by octet, each in a segment of its own.
    "own-ws-server-octets": ("server", "ws"),
    "own-websockets-server-octets": ("server", "websockets"),
    "own-ws-client-octets": ("client", "ws"),
}


def ready(case, by):
    """The case for the side that plays it, with its offer or its answer of compression."""
    case = dict(case)
    if "deflate" in case:
        offer = case["deflate"]
        if by == "client" and "client_max" not in offer:
            offer += "; client_max_window_bits"
        case["add"] = [*case.get("add", []), f"Sec-WebSocket-Extensions: {offer}"]
    return case


def record(name, work):
    role, stack = RUNS[name]
    by = "client" if role == "server" else "server"
    port = PORT + list(RUNS).index(name)
    folder = work / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    cases = [ready(case, by) | {"octets": name.endswith("-octets")} for case in CASES if case["by"] in (by, "both")]
    recorder = pcap.Recorder(folder / "capture.pcap", port)
    play = against_server if role == "server" else against_client
    played, left_out = play(stack, port, cases)
    dropped = recorder.end()
    programs = [f"{version(stack)}, {role}", f"raw peer, {by}"]
    record = {"name": name, "port": port, "programs": programs, "dropped_by_kernel": dropped, "left_out": left_out}
    (folder / "played.json").write_text(json.dumps(record | {"by": by, "played": played}, indent=1))
    print(f"    {len(played)} connections, {dropped} packets dropped, left out: {' '.join(case for _, case in left_out)}")


def against_server(stack, port, cases):
    peer = Peer(stack, "server", port, ["--port", str(port), *SERVERS[stack], "echo"])
    peer.said("listening")
    played, left_out = [], []
    for case in cases:
        client, raw, agreed = rawpeer.as_client(port, case)
        if agreed:
            played.append({"client_port": client, "case": case["id"], "raw": raw.events, "closes": raw.closes()})
        else:
            left_out.append((client, case["id"]))
    time.sleep(1)
    peer.process.kill()
    for one in played:
        one["reported"] = [line for event, line in peer.events() if event.get("port") == one["client_port"]]
    return played, left_out


def against_client(stack, port, cases):
    played, left_out = [], []
    for case in cases:
        # A socket of its own for each case: aiohttp asks again when it gets no answer, and that must not reach the next one.
        with socket.create_server(("127.0.0.1", port)) as listener:
            peer = Peer(stack, "client", port, ["--port", str(port), *CLIENTS[stack], "echo"])
            client, raw, agreed = rawpeer.as_server(listener, case)
        try:
            peer.process.wait(3)
        except subprocess.TimeoutExpired:
            peer.process.kill()
        time.sleep(0.05)
        if agreed:
            reported = [line for _, line in peer.events()]
            played.append({"client_port": client, "case": case["id"], "raw": raw.events, "closes": raw.closes(), "reported": reported})
        else:
            left_out.append((client, case["id"]))
    return played, left_out


def truth(name, work):
    """What is true about a recorded run, by the table of cases as it is now."""
    file = work / name / "played.json"
    if not file.exists():
        return None
    record = json.loads(file.read_text())
    by = record.pop("by")
    cases = {case["id"]: case for case in CASES}
    record["connections"] = [
        {
            "client_port": one["client_port"],
            "case": one["case"],
            "section": one["case"].split(".")[0],
            "breaks": [{"rule": case["breaks"], "side": by, "also": case.get("also", [])}] if "breaks" in case else [],
            "by_peer": by_peer(one, "server" if by == "client" else "client"),
            "why": case["why"],
            "closes": one["closes"],
            "reported": one["reported"],
        }
        for one in record.pop("played")
        if (case := cases.get(one["case"]))
    ]
    return record


def by_peer(one, peer):
    """What the real program breaks in its turn: by its answer to a wrong request (RFC 6455 §4.2), or by an illegal code."""
    rules = []
    code, answer = one["closes"][peer], one["raw"][0]
    if isinstance(code, int) and not is_legal_code(code):
        rules.append("close_code_invalid")
    if one["case"].startswith("request."):
        if re.match(r"HTTP/1\.. 101", answer):
            rules += ["invalid_request_accepted"] + (["bad_http_version"] if answer.startswith("HTTP/1.0") else [])
        elif one["case"] in ("request.4", "request.5") and "sec-websocket-version:" not in answer.lower():
            rules.append("missing_version_list")
    return [{"rule": rule, "side": peer} for rule in rules]
