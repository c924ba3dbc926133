"""Takes the part of the recordings that is kept under `fixtures/conformance/`: small connections, and what is true of them."""

import json

import pcap
from places import FIXTURES

# Bytes of the capture that a connection may take.
SMALL = 12_000
# Sections of Autobahn, and in which runs the legal cases are kept beside those that break a rule.
SECTIONS = ("2", "3", "4", "5", "7")
WITH_LEGAL = {"autobahn-ws-server": (*SECTIONS, "6"), "autobahn-websockets-client": SECTIONS}
# Runs octet by octet of which those that break a rule are kept.
OCTETS = ("own-ws-server-octets", "own-ws-client-octets")


def main(truth_of, work, names):
    for name in names:
        truth = truth_of(name)
        if truth is None:
            print(f"{name}: not recorded, left out")
            continue
        source = work / name / "capture.pcap"
        size = pcap.sizes(source, truth["port"])
        chosen = [one for one in truth["connections"] if size[one["client_port"]] <= SMALL and is_kept(name, one)]
        if not chosen:
            continue
        folder = FIXTURES / name
        folder.mkdir(parents=True, exist_ok=True)
        pcap.take(source, folder / "capture.pcap.gz", truth["port"], {one["client_port"] for one in chosen})
        head = {key: value for key, value in truth.items() if key != "connections"}
        lines = [json.dumps(brief(one), ensure_ascii=False) for one in chosen]
        (folder / "truth.json").write_text(json.dumps(head | {"connections": ["HERE"]}).replace('"HERE"', "\n" + ",\n".join(lines) + "\n") + "\n")
        print(f"{name}: {len(chosen)} connections, {(folder / 'capture.pcap.gz').stat().st_size} bytes")


def is_kept(name, one):
    if name.endswith("-octets"):
        return bool(one["breaks"]) and name in OCTETS
    if name.startswith("own-"):
        return True
    section = one["case"].split(".")[0]
    return section in WITH_LEGAL.get(name, ()) or (section in SECTIONS and bool(one["breaks"]))


def brief(one):
    """Without what is empty, and of what the programs reported the lines about an error or the end."""
    if one["reported"] == "OK, close OK: Connection was properly closed":
        one = one | {"reported": None}
    kept = {key: value for key, value in one.items() if value not in ([], False, None)} | {"breaks": one["breaks"], "closes": one["closes"]}
    if isinstance(kept.get("reported"), list):
        events = [json.loads(line) for line in kept["reported"]]
        events = [{key: value for key, value in event.items() if key not in ("port", "messages")} for event in events]
        kept["reported"] = [event for event in events if event["event"] in ("error", "close")]
    return kept
