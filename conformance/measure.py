"""Compares what wsdissect and tshark say about recorded conformance traffic with what is true, and writes the tables."""

import json
import os
import subprocess
from collections import Counter, defaultdict
from pathlib import Path

import pcap
from places import ENV, FIXTURES, ROOT

DOCS = ROOT / "docs/conformance.md"
PROGRAM = Path(os.environ.get("WSDISSECT", ROOT / "target/release/wsdissect"))
SECTIONS = {
    "1": "1 Framing", "2": "2 Pings and Pongs", "3": "3 Reserved bits", "4": "4 Opcodes", "5": "5 Fragmentation",
    "6": "6 UTF-8", "7": "7 Close handling", "9": "9 Limits", "10": "10 Automatic fragmentation", "12": "12 Compression, payloads",
    "13": "13 Compression, parameters", "0": "What the suite asks its server for", "masking": "Own: masking",
    "length": "Own: length encoding", "rsv1": "Own: RSV1 and compression", "deflate": "Own: deflate and windows",
    "frames": "Own: frames and Close", "request": "Own: the request", "response": "Own: the response", "stream": "Own: stream",
}  # fmt: skip
# TCP's own analysis is about the transport; a chat is no alarm; and what the JSON dissector thinks of a fragment of a text
# is about JSON.
GROUPS = {0x05000000: "undecoded", 0x07000000: "malformed", 0x09000000: "protocol"}
ABOUT_JSON = "Trailing stray characters"
UNIT = "\x1f"
# Messages of 65,536 and 16,384 fragments, with which tshark 4.0 is not done after a quarter of an hour: it is not asked.
TOO_MUCH = ("9.3.1", "9.3.2", "9.4.1", "9.4.2")


def ours(capture):
    """One JSON object for each client port."""
    run = subprocess.run([PROGRAM, "-T", "jsonl", "--lang", "en", capture], stdout=subprocess.PIPE, check=False)
    found = {}
    for line in run.stdout.splitlines():
        one = json.loads(line)
        if one["type"] == "connection":
            assert one["client"]["port"] not in found, f"{capture}: a client port twice"
            found[one["client"]["port"]] = one
    return found


def tsharks(capture, truth, kept):
    """For each client port its alarms, and the first Close code of each side. Kept in a file, as it takes minutes."""
    port = truth["port"]
    if kept.exists() and kept.stat().st_mtime >= capture.stat().st_mtime:
        return {int(client): seen for client, seen in json.loads(kept.read_text()).items()}
    if any(one["case"] in TOO_MUCH for one in truth["connections"]):
        asked = {one["client_port"] for one in truth["connections"] if one["case"] not in TOO_MUCH}
        pcap.take(capture, capture.with_name("for-tshark.pcap"), port, asked)
        capture = capture.with_name("for-tshark.pcap")
    fields = ["tcp.srcport", "tcp.dstport", "websocket.opcode", "websocket.payload.close.status_code", "websocket.payload_length"]
    fields += ["_ws.expert.group", "_ws.expert.severity", "_ws.expert.message", "_ws.malformed"]
    command = ["tshark", "-n", "-r", capture, "-d", f"tcp.port=={port},http", "-T", "fields", "-E", f"aggregator={UNIT}"]
    for field in fields:
        command += ["-e", field]
    command += ["-Y", "websocket || _ws.malformed || _ws.expert.group == 0x09000000 || _ws.expert.group == 0x05000000"]
    seen = defaultdict(lambda: {"alarms": [], "client": None, "server": None})
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for line in text.splitlines():
        row = dict(zip(fields, line.split("\t"), strict=True))
        source, destination = int(row["tcp.srcport"]), int(row["tcp.dstport"])
        side, client = ("server", destination) if source == port else ("client", source)
        of = seen[client]
        split = lambda name: row[name].split(UNIT) if row[name] else []
        alarms = zip(split("_ws.expert.group"), split("_ws.expert.severity"), split("_ws.expert.message"), strict=False)
        for group, severity, message in alarms:
            if int(group) in GROUPS and int(severity) > 0x200000 and ABOUT_JSON not in message:
                of["alarms"].append(message)
        if row["_ws.malformed"] and not any("Malformed" in alarm for alarm in of["alarms"]):
            of["alarms"].append("Malformed Packet")
        if "8" in split("websocket.opcode") and of[side] is None:
            codes = split("websocket.payload.close.status_code")
            at = split("websocket.opcode").index("8")
            length = split("websocket.payload_length")[at]
            of[side] = int(codes[0]) if codes else "empty" if length == "0" else "one byte"
    for of in seen.values():
        of["alarms"] = sorted(set(of["alarms"]))
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(seen))
    return dict(seen)


def close_of(connection, side):
    """The side's Close as in the truth."""
    frame = connection["close"][f"{side}_frame"]
    if frame is None:
        return None
    if "unknown" in frame:
        return frame
    if frame["code"] is not None:
        return frame["code"]
    one_byte = any(v["rule"] == "close_payload_one_byte" and v["side"] == side for v in connection["violations"])
    return "one byte" if one_byte else "empty"


class Row:
    def __init__(self):
        self.cases, self.count = set(), Counter()


def judge(truth, capture, kept, rows, remarks):
    said, tshark = ours(capture), tsharks(capture, truth, kept)
    for one in truth["connections"]:
        where = f"`{truth['name']}` {one['case']}"
        section = one.get("section") or one["case"].split(".")[0]
        row = rows[section]
        row.cases.add(one["case"])
        row.count["connections"] += 1
        theirs = tshark.get(one["client_port"], {"alarms": [], "client": None, "server": None})
        connection = said.get(one["client_port"])
        if connection is None:
            remarks["not reported"].append(where)
            violations = []
        else:
            violations = [(violation["rule"], violation["side"]) for violation in connection["violations"]]
        excused = {(by["rule"], by["side"]) for by in one.get("by_peer", [])}
        if one.get("undefined"):
            row.count["undefined"] += 1
            excused.update(violations)
        for by in sorted(excused & set(violations) if not one.get("undefined") else ()):
            remarks["broken by the tested program"].append(f"{where}: {by[0]} by the {by[1]}")
        if one["breaks"]:
            row.count["breaking"] += 1
            row.count["tshark noticed"] += bool(theirs["alarms"])
            missing = []
            for broken in one["breaks"]:
                named = [(rule, broken["side"]) for rule in broken["rule"]]
                if not any(each in violations for each in named):
                    missing.append(" or ".join(broken["rule"]) + f" by the {broken['side']}")
                excused.update(named, ((rule, broken["side"]) for rule in broken["also"]))
            if missing:
                remarks["not named"].append(f"{where}: {', '.join(missing)}; said {spoken(violations)}")
            else:
                row.count["named"] += 1
            besides = [each for each in violations if each not in excused]
            if besides:
                row.count["named besides"] += 1
                remarks["named besides"].append(f"{where}: {spoken(besides)}")
            judge_diagnosis(one, connection, remarks, where)
        elif not one.get("undefined"):
            row.count["legal"] += 1
            row.count["tshark alarms"] += bool(theirs["alarms"])
            alarms = [each for each in violations if each not in excused]
            if alarms:
                row.count["false alarms"] += 1
                remarks["false alarms"].append(f"{where}: {spoken(alarms)}")
            if theirs["alarms"]:
                remarks["false alarms of tshark"] += theirs["alarms"]
        if one["closes"] is not None and connection is not None:
            judge_closes(one, connection, theirs, row, remarks, where)


def spoken(violations):
    return ", ".join(f"{rule} by the {side}" for rule, side in violations) or "nothing"


def judge_diagnosis(one, connection, remarks, where):
    """A side that broke nothing must not be blamed with confidence."""
    diagnosis = connection["diagnosis"] if connection else {"party": None}
    broke = {broken["side"] for broken in one["breaks"]} | {by["side"] for by in one.get("by_peer", [])}
    remarks["blamed" if diagnosis["party"] in broke else "not blamed"].append(where)
    if diagnosis["party"] in ({"client", "server"} - broke) and diagnosis["confidence"] != "possible":
        remarks["the wrong side blamed"].append(f"{where}: {diagnosis['rule']}, {diagnosis['confidence']}, party {diagnosis['party']}")


def judge_closes(one, connection, theirs, row, remarks, where):
    for side in ("client", "server"):
        true, got = one["closes"][side], close_of(connection, side)
        if side in one.get("not_sure", []) and theirs[side] is None:
            # Only the wire knows whether it left; the two witnesses of the wire must agree, or ours must be the logged one.
            true = got if got in (None, true) else true
        row.count["closes"] += 1
        row.count["closes right"] += got == true
        if one["case"] not in TOO_MUCH:
            row.count["tshark closes"] += 1
            row.count["tshark closes right"] += theirs[side] == true
        if got != true:
            remarks["Close codes"].append(f"{where}: the {side}'s is {true}, we say {got}, tshark {theirs[side]}")
        elif theirs[side] != true and one["case"] not in TOO_MUCH:
            remarks["Close codes of tshark"].append(f"{where}: the {side}'s is {true}, tshark says {theirs[side]}")


def table(rows):
    head = ["Section", "Cases", "Connections", "Rule broken", "Named, right side", "Named besides", "tshark notices"]
    head += ["Legal", "False alarms", "tshark's", "Close codes right", "tshark's"]
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    total, cases = Counter(), 0
    order = [section for section in SECTIONS if section in rows]
    for section in order:
        row = rows[section]
        total.update(row.count)
        cases += len(row.cases)
        lines.append(line(SECTIONS[section], len(row.cases), row.count))
    lines.append(line("**All**", cases, total))
    return "\n".join(lines)


def line(name, cases, count):
    of = lambda part, whole: f"{count[part]} of {count[whole]}" if count[whole] else ""
    cells = [name, str(cases), str(count["connections"]), str(count["breaking"] or "")]
    cells += [of("named", "breaking"), str(count["named besides"]) if count["breaking"] else "", of("tshark noticed", "breaking")]
    cells += [str(count["legal"] or ""), str(count["false alarms"]) if count["legal"] else ""]
    cells += [str(count["tshark alarms"]) if count["legal"] else "", of("closes right", "closes"), of("tshark closes right", "tshark closes")]
    return "| " + " | ".join(cells) + " |"


def packed(folder):
    file = folder / "truth.json"
    return json.loads(file.read_text()) if file.exists() else None


def main(truth_of, work, names, fixtures, writes):
    if not PROGRAM.exists():
        raise SystemExit(f"{PROGRAM} is not there: cargo build --release, or set WSDISSECT")
    rows, remarks, programs = defaultdict(Row), defaultdict(list), []
    for name in names:
        folder = (FIXTURES if fixtures else work) / name
        truth = packed(folder) if fixtures else truth_of(name, work)
        if truth is None:
            print(f"{name}: not recorded, left out")
            continue
        capture = folder / ("capture.pcap.gz" if fixtures else "capture.pcap")
        kept = ENV / f"conformance-tshark/{name}.json" if fixtures else folder / "tshark.json"
        judge(truth, capture, kept, rows, remarks)
        programs.append(f"| `{name}` | {'; '.join(truth['programs'])} | {len(truth['connections'])} | {truth['dropped_by_kernel']} |")
    text = table(rows)
    print(text)
    listing = []
    for title in LISTED:
        if remarks[title]:
            listing += [f"{title[0].upper()}{title[1:]} ({len(remarks[title])}):", ""]
            listing += [f"- {remark}" for remark in folded(remarks[title])] + [""]
    print("\n" + "\n".join(listing))
    print(", ".join(f"{title}: {len(found)}" for title, found in remarks.items()))
    if writes:
        runs = "| Run | Programs | Connections | Dropped by the kernel |\n|---|---|---:|---:|\n" + "\n".join(programs)
        left = "\n".join(listing).strip() or "Nothing."
        put({"table": text, "blame": blame(remarks), "runs": runs, "left": left, "tshark": tshark_words(remarks["false alarms of tshark"])})


# What is to be mended, or looked at; the other remarks are only counted.
LISTED = ["not reported", "not named", "false alarms", "named besides", "the wrong side blamed", "Close codes", "broken by the tested program"]


def folded(remarks):
    """The same remark about several connections in one line."""
    by_text = defaultdict(list)
    for remark in remarks:
        where, _, text = remark.partition(": ")
        run, _, case = where.partition(" ")
        by_text[text].append((run, case))
    lines = []
    for text, places in by_text.items():
        cases = ", ".join(dict.fromkeys(case for _, case in places))
        runs = list(dict.fromkeys(run for run, _ in places))
        lines.append(f"{cases} ({', '.join(runs) if len(runs) <= 3 else f'{len(runs)} runs'}): {text}".rstrip(": "))
    return lines


def tshark_words(alarms):
    return "\n".join(f"- {count}: {message}" for message, count in Counter(alarms).most_common())


def blame(remarks):
    blamed, others, wrong = (len(remarks[title]) for title in ("blamed", "not blamed", "the wrong side blamed"))
    return (
        f"Of {blamed + others} connections with a broken rule the diagnosis holds a side responsible that broke one in {blamed}; "
        f"{wrong} times it blames with confidence a side that broke none. In the others the receiver did not mind, and the "
        "connection ended for another reason or well, or the diagnosis names nobody."
    )


def put(parts):
    """Replaces what stands between the markers of the page."""
    page = DOCS.read_text()
    for name, text in parts.items():
        before, _, rest = page.partition(f"<!-- {name} -->\n")
        _, _, after = rest.partition(f"<!-- end of {name} -->")
        assert after or before, name
        page = f"{before}<!-- {name} -->\n{text}\n<!-- end of {name} -->{after}"
    DOCS.write_text(page)
