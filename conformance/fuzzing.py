"""Runs the Autobahn test suite against real peers while tcpdump records, and keeps what its reports say."""

import fnmatch
import json
import os
import re
import shutil
import subprocess
import time
import tomllib

import pcap
from places import ENV, HERE, PYTHON, PYTHON27, SERVERS, SUITE, Failed, Peer, version

TABLE = tomllib.loads((HERE / "autobahn.toml").read_text())
WHOLE = TABLE["lists"]["whole"]
LARGE = [f"{kind}.{number}" for kind, count in TABLE["lists"]["large"].items() for number in range(1, count + 1)]
PORT = 9300
# Name of the run: the peer's role and stack, and the cases. The fuzzer has the other role.
RUNS = {
    **{f"autobahn-{stack}-server": ("server", stack, WHOLE) for stack in SERVERS},
    **{f"autobahn-{stack}-client": ("client", stack, WHOLE) for stack in ("ws", "websockets", "aiohttp", "tornado")},
    **{f"autobahn-large-{stack}-server": ("server", stack, LARGE) for stack in ("ws", "websockets")},
    "autobahn-large-ws-client": ("client", "ws", LARGE),
    "autobahn-chromium-client": ("client", "chromium", WHOLE),
}
LOOPS = {
    "ws": ["node", ENV / "npm/loop_ws.mjs"],
    "chromium": ["node", ENV / "npm/loop_chromium.mjs"],
    **{stack: [PYTHON, HERE / "peers/loop_python.py", stack] for stack in ("websockets", "aiohttp", "tornado")},
}


def broken_by(case):
    """The row about this case, and which list of rows it is in."""
    found = [
        (kind, row)
        for kind in ("breaks", "undefined")
        for row in TABLE[kind]
        if any(fnmatch.fnmatchcase(case, pattern) for pattern in row["cases"])
    ]
    assert len(found) < 2, f"{case} is named twice"
    return found[0] if found else ("legal", None)


def suite(mode, spec, log):
    code = "from autobahntestsuite.wstest import run; run()"
    command = [PYTHON27, "-W", "ignore", "-c", code, "-m", mode, "-s", spec]
    # Elsewhere than here, because Python 2.7 looks for modules in the working directory first.
    place = {"cwd": spec.parent, "env": os.environ | {"PYTHONPATH": str(SUITE)}}
    return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, **place)


def listening(port):
    """Waits until somebody listens there, without connecting."""
    wanted = f":{port:04X} 00000000:0000 0A"
    for _ in range(200):
        if wanted in open("/proc/net/tcp").read():
            return
        time.sleep(0.1)
    raise Failed(f"nothing listens on port {port}")


def record(name, work):
    role, stack, cases = RUNS[name]
    port = PORT + list(RUNS).index(name)
    folder = work / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    spec = {"outdir": str(folder / "reports"), "cases": cases, "exclude-cases": [], "exclude-agent-cases": {}}
    url = f"ws://127.0.0.1:{port}"
    spec |= {"servers": [{"agent": stack, "url": url}]} if role == "server" else {"url": url}
    (folder / "spec.json").write_text(json.dumps(spec))
    recorder = pcap.Recorder(folder / "capture.pcap", port)
    with open(folder / "suite.log", "w") as log:
        if role == "server":
            peer = Peer(stack, "server", port, ["--port", str(port), *SERVERS[stack], "echo"])
            peer.said("listening")
            suite("fuzzingclient", folder / "spec.json", log).wait(1800)
            peer.process.kill()
        else:
            fuzzer = suite("fuzzingserver", folder / "spec.json", log)
            listening(port)
            subprocess.run([*map(str, LOOPS[stack]), str(port), stack], stdout=log, timeout=1800, check=True)
            fuzzer.kill()
    dropped = recorder.end()
    fuzzer = "client" if role == "server" else "server"
    programs = [f"{version(stack)}, {role}", f"Autobahn test suite {TABLE['version']}, fuzzing {fuzzer}"]
    record = {"name": name, "port": port, "programs": programs, "dropped_by_kernel": dropped}
    (folder / "played.json").write_text(json.dumps(record, indent=1))
    count = len(truth(name, work)["connections"])
    print(f"    {count} connections, {dropped} packets dropped")


def truth(name, work):
    """What is true about a recorded run, by Autobahn's reports and the table of cases as it is now."""
    folder = work / name
    if not (folder / "played.json").exists():
        return None
    if not any((folder / "reports").glob("*_case_*.json")):
        raise Failed(f"no reports: see {folder / 'suite.log'}")
    record = json.loads((folder / "played.json").read_text())
    fuzzer = "client" if RUNS[name][0] == "server" else "server"
    record["connections"] = connections(folder, fuzzer, record["port"])
    return record


def connections(folder, fuzzer, port):
    """What Autobahn's reports say about each connection, in the order of the cases."""
    clients = pcap.keys(folder / "capture.pcap", port)
    found = []
    for file in (folder / "reports").glob("*_case_*.json"):
        report = json.loads(file.read_text())
        key = re.search(r"(?i)sec-websocket-key: *(\S+)", report["httpRequest"])[1]
        found.append(connection(report, fuzzer, clients.pop(key)[0]))
    # What is left are the requests that ask the fuzzing server for the number of cases and for its reports, and a case of
    # which there is no report because the tested program hung: of that one nothing is known.
    asks = [client for client, path in clients.values() if not path.startswith("/runCase")]
    found += [{"client_port": client, "case": "0", "breaks": [], "closes": None} for client in asks]
    return sorted(found, key=lambda one: [int(part) for part in one["case"].split(".")])


def connection(report, fuzzer, client):
    case = report["id"]
    kind, row = broken_by(case)
    said = "failed immediately" in report["expectation"] or "with protocol error" in report["expectation"]
    said = said or "should be rejected immediately" in report["expectation"] or "protocol error or drop" in report["expectation"]
    meant = kind == "breaks" and case not in TABLE["check"]["not_said_to_fail"]
    assert said == meant, f"{case}: Autobahn says {report['expectation']!r}"
    peer = "server" if fuzzer == "client" else "client"
    closes, answered = closes_of(report["wirelog"], fuzzer, peer)
    if not report["createWirelog"]:
        # Of very many frames Autobahn keeps no log, only the codes.
        closes, answered = {fuzzer: report["localCloseCode"], peer: report["remoteCloseCode"]}, True
    breaks = [{"rule": [row["rule"]], "side": fuzzer, "also": row.get("also", [])}] if kind == "breaks" else []
    # A peer that echoes an illegal code breaks the rule itself.
    by_peer = "close_code_invalid" if isinstance(closes[peer], int) and not is_legal_code(closes[peer]) else None
    return {
        "client_port": client,
        "case": case,
        "breaks": breaks,
        "undefined": kind == "undefined",
        "by_peer": [{"rule": by_peer, "side": peer}] if by_peer else [],
        "closes": closes,
        "not_sure": [fuzzer] if answered else [],
        "reported": f"{report['behavior']}, close {report['behaviorClose']}: {report['resultClose']}",
    }


def closes_of(log, fuzzer, peer):
    """The first Close of each side in Autobahn's log: its code, "empty" or "one byte", None without any.

    Also whether the fuzzer's is an answer: the log has it even when the TCP connection was closed before it could leave.
    """
    closes, answered = {fuzzer: None, peer: None}, False
    for kind, *rest in log:
        if kind in ("TF", "RF") and rest[1] == 8:
            side = fuzzer if kind == "TF" else peer
            if closes[side] is None:
                closes[side] = code_of(*rest[0])
                answered |= side == fuzzer and closes[peer] is not None
    return closes, answered


def code_of(size, payload):
    if size < 2:
        return "empty" if size == 0 else "one byte"
    # The log shows what is not ASCII in hexadecimal.
    return int.from_bytes(bytes.fromhex(payload[2:6]) if payload.startswith("0x") else payload[:2].encode("latin-1"), "big")


def is_legal_code(code):
    """RFC 6455 §7.4 and the registry of §11.7."""
    return code in (*range(1000, 1004), *range(1007, 1015)) or 3000 <= code <= 4999
