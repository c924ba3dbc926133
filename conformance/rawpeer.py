"""A peer on bare sockets that writes what it is told to, legal or not, as RFC 6455 and 7692 say how. It has no WebSocket API.

The handshake is a list of lines, so that each can be left out, doubled or changed; what follows is a list of steps:

    frame:B0:HEX       a frame with this first byte, payload in hexadecimal, in its shortest form, masked when we are the client
    wrong:B0:HEX       the same with the mask the other way round
    key:KEY:B0:HEX     with this masking key
    len:FORM:N:B0:HEX  with the length N written in 7, 16 or 64 bits, whatever the payload's length is
    text:WORDS  ping:WORDS  close:CODE:REASON    legal ones
    long:FORM:N:B0     N times "x", the length in this form
    many:N:B0          the same in the shortest form
    zip:B0:WORDS       the words compressed as permessage-deflate wants it; context and window as negotiated
    far:BITS:B0        a compressed message that refers back as far as a window of so many bits, or the agreed one, reaches
    last:B0:WORDS      compressed with BFINAL set (RFC 7692 §7.2.3.4)
    zhex:B0:HEX        compressed octets
    halves:B0:B1:WORDS compressed, in two fragments that begin with these bytes, a Ping between them
    bytes:HEX          whatever
    glued:STEP;STEP    what these steps send, in one segment
    read:S             reads until nothing has come for S seconds, or the other side is gone
    wait:S  fin
"""

import base64
import hashlib
import os
import re
import socket
import struct
import time
import zlib

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Raw:
    """One TCP connection."""

    def __init__(self, tcp, is_client, negotiated="", octets=False):
        self.tcp, self.is_client, self.events = tcp, is_client, []
        # Whether to send octet by octet.
        self.apart = octets
        tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        side = "client" if is_client else "server"
        bits = re.search(rf"{side}_max_window_bits=\"?(\d+)", negotiated)
        # zlib has no raw windows of 8 bits (it takes 9 for them), and none of the cases needs one.
        self.bits = max(9, int(bits[1])) if bits else 15
        self.takes_over = f"{side}_no_context_takeover" not in negotiated
        self.deflater = self.new_deflater()
        self.mask = is_client
        self.got, self.written, self.close_sent = b"", None, None

    def new_deflater(self):
        return zlib.compressobj(9, zlib.DEFLATED, -self.bits)

    def frame(self, first, payload, masked=None, form=None, length=None, key=None):
        """RFC 6455 §5.2."""
        if first & 15 == 8 and self.written is None:
            self.written = code_of(payload)
        masked = self.mask if masked is None else masked
        length = len(payload) if length is None else length
        form = form or (7 if length < 126 else 16 if length < 65536 else 64)
        bit = 0x80 if masked else 0
        match form:
            case 7:
                head = bytes([first, bit | length])
            case 16:
                head = bytes([first, bit | 126]) + struct.pack(">H", length)
            case 64:
                head = bytes([first, bit | 127]) + struct.pack(">Q", length)
        if not masked:
            return head + payload
        key = os.urandom(4) if key is None else key
        return head + key + bytes(octet ^ key[i % 4] for i, octet in enumerate(payload))

    def deflated(self, data):
        """RFC 7692 §7.2.1."""
        if not self.takes_over:
            self.deflater = self.new_deflater()
        out = self.deflater.compress(data) + self.deflater.flush(zlib.Z_SYNC_FLUSH)
        assert out.endswith(b"\0\0\xff\xff")
        return out[:-4] or b"\0"

    def octets(self, step):
        """What a step sends."""
        verb, _, rest = step.partition(":")
        words = rest.split(":")
        match verb:
            case "frame":
                return self.frame(int(words[0], 16), bytes.fromhex(words[1]))
            case "wrong":
                return self.frame(int(words[0], 16), bytes.fromhex(words[1]), masked=not self.mask)
            case "key":
                return self.frame(int(words[1], 16), bytes.fromhex(words[2]), key=bytes.fromhex(words[0]))
            case "len":
                form, length, first, payload = words
                return self.frame(int(first, 16), bytes.fromhex(payload), form=int(form), length=int(length))
            case "text":
                return self.frame(0x81, rest.encode())
            case "ping":
                return self.frame(0x89, rest.encode())
            case "close":
                return self.frame(0x88, struct.pack(">H", int(words[0])) + ":".join(words[1:]).encode())
            case "long":
                return self.frame(int(words[2], 16), b"x" * int(words[1]), form=int(words[0]))
            case "many":
                return self.frame(int(words[1], 16), b"x" * int(words[0]))
            case "zip":
                return self.frame(int(words[0], 16), self.deflated(words[1].encode()))
            case "zhex":
                return self.frame(int(words[0], 16), self.deflated(bytes.fromhex(words[1])))
            case "far":
                bits = self.bits if words[0] == "agreed" else int(words[0])
                reach, unique = 1 << bits, b"the same words at both ends of the window"
                # Noise that does not compress, in hexadecimal so that it is text.
                noise = hashlib.shake_128(b"noise").hexdigest((reach - len(unique)) // 2 - 20).encode()
                compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
                out = compressor.compress(unique + noise + unique) + compressor.flush(zlib.Z_SYNC_FLUSH)
                return self.frame(int(words[1], 16), out[:-4])
            case "last":
                compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
                return self.frame(int(words[0], 16), compressor.compress(words[1].encode()) + compressor.flush() + b"\0")
            case "halves":
                out = self.deflated(words[2].encode())
                one, two = out[: len(out) // 2], out[len(out) // 2 :]
                return self.frame(int(words[0], 16), one) + self.frame(0x89, b"between") + self.frame(int(words[1], 16), two)
            case "bytes":
                return bytes.fromhex(rest)
            case "glued":
                return b"".join(self.octets(each) for each in rest.split(";"))
        raise ValueError(f"unknown step {step}")

    def play(self, steps):
        try:
            for step in steps:
                verb, _, rest = step.partition(":")
                match verb:
                    case "read":
                        self.read(float(rest or 0.3))
                    case "wait":
                        time.sleep(float(rest))
                    case "fin":
                        self.tcp.shutdown(socket.SHUT_WR)
                    case _:
                        self.send(self.octets(step))
            self.tcp.shutdown(socket.SHUT_WR)
            self.read(0.5)
        except OSError as error:
            self.events.append(type(error).__name__)
        self.tcp.close()

    def send(self, data):
        if self.apart and len(data) <= 200:
            for octet in data:
                self.tcp.sendall(bytes([octet]))
        else:
            self.tcp.sendall(data)
        self.close_sent = self.written

    def read(self, quiet):
        if "end of stream" in self.events:
            return
        self.tcp.settimeout(quiet)
        try:
            while data := self.tcp.recv(65536):
                self.took(data)
            self.events.append("end of stream")
        except TimeoutError:
            pass

    def took(self, data):
        if data:
            self.events.append(f"got {data[:40].hex()}")
            self.got += data

    def close_got(self):
        """The code of the first Close frame that came. What comes is a real program's, so its frames are well-formed."""
        at = 0
        while at + 2 <= len(self.got):
            first, length = self.got[at], self.got[at + 1] & 127
            masked, at = self.got[at + 1] & 128, at + 2
            if length > 125:
                width = 2 if length == 126 else 8
                length, at = int.from_bytes(self.got[at : at + width], "big"), at + width
            key = self.got[at : at + 4] if masked else bytes(4)
            at += 4 if masked else 0
            if first & 15 == 8:
                return code_of(bytes(octet ^ key[i % 4] for i, octet in enumerate(self.got[at : at + length])))
            at += length
        return None

    def closes(self):
        mine, theirs = ("client", "server") if self.is_client else ("server", "client")
        return {mine: self.close_sent, theirs: self.close_got()}


def code_of(payload):
    return int.from_bytes(payload[:2], "big") if len(payload) > 1 else "one byte" if payload else "empty"


def head(tcp, patience=5):
    """An HTTP head, with whatever came behind it."""
    tcp.settimeout(patience)
    text = b""
    try:
        while b"\r\n\r\n" not in text and (data := tcp.recv(4096)):
            text += data
    except OSError:
        pass
    return text


def header(text, name):
    """The values of a header of an HTTP head, joined with commas."""
    lines = text.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
    return ", ".join(value.strip() for key, _, value in (line.partition(":") for line in lines) if key.lower() == name.lower())


def edited(lines, case):
    """The lines of a head as the case wants them: `drop` names headers, `change` replaces them, `add` appends lines."""
    name = lambda line: line.partition(":")[0].lower()
    dropped = {each.lower() for each in case.get("drop", [])}
    changed = {name(line): line for line in case.get("change", [])}
    kept = [changed.get(name(line), line) for line in lines[1:] if name(line) not in dropped]
    return [case.get("start", lines[0]), *kept, *case.get("add", [])]


def request(port, case):
    lines = ["GET / HTTP/1.1", f"Host: 127.0.0.1:{port}", "Upgrade: websocket", "Connection: Upgrade"]
    lines += [f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}", "Sec-WebSocket-Version: 13"]
    return "\r\n".join([*edited(lines, case), "", ""]).encode()


def response(asked, case):
    key = header(asked, "Sec-WebSocket-Key")
    accept = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()
    lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Accept: {accept}"]
    return "\r\n".join([*edited(lines, case), "", ""]).encode()


def as_client(port, case):
    """Plays a case against a server. The client's port, the raw peer, and whether the server agreed to what the case needs."""
    tcp = socket.create_connection(("127.0.0.1", port))
    early = b"".join(Raw(tcp, True).octets(step) for step in case.get("before", []))
    tcp.sendall(request(port, case) + early)
    client = tcp.getsockname()[1]
    answer, _, behind = head(tcp).partition(b"\r\n\r\n")
    raw = Raw(tcp, True, header(answer, "Sec-WebSocket-Extensions"), case["octets"])
    raw.events.append(answer.decode("latin-1"))
    if not answer.startswith(b"HTTP/1.1 101"):
        behind = b""
    elif case.get("needs", "") not in header(answer, "Sec-WebSocket-Extensions"):
        tcp.close()
        return client, raw, False
    raw.took(behind)
    raw.play(case.get("steps", []) if answer.startswith(b"HTTP/1.1 101") else ["read"])
    return client, raw, True


def as_server(listener, case):
    """Plays a case against the next client. The same."""
    listener.settimeout(10)
    tcp, (_, client) = listener.accept()
    listener.close()
    asked, _, behind = head(tcp).partition(b"\r\n\r\n")
    raw = Raw(tcp, False, ", ".join(line for line in case.get("add", []) if "deflate" in line), case["octets"])
    if case.get("needs", "") not in header(asked, "Sec-WebSocket-Extensions"):
        tcp.close()
        return client, raw, False
    raw.took(behind)
    if "instead" in case:
        raw.send(case["instead"].encode())
    else:
        raw.send(response(asked, case) + b"".join(raw.octets(step) for step in case.get("glued", [])))
    raw.play(case.get("steps", []))
    return client, raw, True
