"""Captures: recording them with tcpdump, and taking TCP connections out of them. Classic pcap, Ethernet, IPv4."""

import gzip
import struct
import subprocess
import time

HEADER = struct.Struct("<IIII")


class Recorder:
    """tcpdump on the loopback interface, for one TCP port."""

    def __init__(self, path, port):
        # -U and a buffer of 64 MiB: nothing is lost at the end, nor while large messages pass.
        command = ["tcpdump", "-i", "lo", "-U", "-s", "0", "-B", "65536", "-Z", "root", "-w", str(path), f"tcp port {port}"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        while "listening on" not in (line := self.process.stderr.readline()):
            if not line:
                raise SystemExit("tcpdump does not start: it needs root")

    def end(self):
        """Stops, and says how many packets the kernel dropped."""
        time.sleep(1)
        self.process.terminate()
        said = self.process.communicate()[1]
        return int(next(line.split()[0] for line in said.splitlines() if "dropped by kernel" in line))


def packets(path):
    """The file's header, then each record: its own header, source and destination port, payload, and all its bytes."""
    opened = gzip.open(path, "rb") if str(path).endswith(".gz") else open(path, "rb")
    with opened as file:
        yield file.read(24)
        while len(head := file.read(16)) == 16:
            data = file.read(HEADER.unpack(head)[2])
            tcp = 14 + (data[14] & 15) * 4
            source, destination = struct.unpack_from(">HH", data, tcp)
            start = tcp + (data[tcp + 12] >> 4) * 4
            end = 14 + struct.unpack_from(">H", data, 16)[0]
            yield head, source, destination, data[start:end], data


def keys(path, port):
    """The `Sec-WebSocket-Key` of each request to `port`, with the client's port and the path."""
    found = {}
    records = packets(path)
    next(records)
    for _, source, destination, payload, _ in records:
        if destination == port and payload.startswith(b"GET "):
            for line in payload.split(b"\r\n"):
                if line.lower().startswith(b"sec-websocket-key:"):
                    found[line.split(b":", 1)[1].strip().decode()] = (source, payload.split(b" ", 2)[1].decode())
    return found


def sizes(path, port):
    """How many bytes the connections take in the file, by the client's port."""
    total = {}
    records = packets(path)
    next(records)
    for _, source, destination, _, data in records:
        client = source if destination == port else destination
        total[client] = total.get(client, 0) + 16 + len(data)
    return total


def take(path, to, port, clients):
    """Writes the connections of these client ports into a capture of their own."""
    records = packets(path)
    # No name and no time in the header: the same packets make the same file.
    with open(to, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) if to.suffix == ".gz" else raw as file:
        file.write(next(records))
        for head, source, destination, _, data in records:
            if (source if destination == port else destination) in clients:
                file.write(head + data)
