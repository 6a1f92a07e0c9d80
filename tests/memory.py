"""What a process holds, and what a wire carried: for proofs that something is not there."""

import pathlib
import select
import socket
import struct
import threading

import numpy as np


def readable_memory(pid):
    """(name, bytes) of every mapping that can be read."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            place, rights, *_, name = (line.rstrip("\n") + " ").split(" ", 5)
            if "r" not in rights or "[v" in name:  # vdso and vvar are the kernel's
                continue
            begin, end = (int(x, 16) for x in place.split("-"))
            try:
                memory.seek(begin)
                data = memory.read(end - begin)
            except (OSError, OverflowError, ValueError):
                continue
            yield name.strip() or "anonymous", data


def open_files(pid):
    """(path, bytes) of the plain files that a process holds open."""
    for link in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            path = link.resolve()
            if path.is_file():
                yield str(path), path.read_bytes()
        except OSError:
            continue


# Forms in which a program may hold four or more ids in a row.
def forms_of_ids(ids):
    texts = (", ".join(map(str, ids)), ",".join(map(str, ids)), " ".join(map(str, ids)))
    forms = {f"ids as text {t!r}": t.encode() for t in texts}
    for code, name in (("i", "int32"), ("q", "int64"), ("H", "uint16"), ("f", "float"), ("d", "double")):
        forms[f"ids as {name} {ids}"] = struct.pack(f"<{len(ids)}{code}", *ids)
    return forms


def windows(ids, n=4):
    return [ids[i:i + n] for i in range(len(ids) - n + 1)]


class Needles:
    """Byte strings that are looked for all at once: the first bytes of each at every place of the data, through a table
    of hashes; what is found there is compared whole."""

    LENGTHS = (5, 8, 16)
    BITS = 22

    def __init__(self, names):
        self.groups = []
        for length, longer in zip(self.LENGTHS, (*self.LENGTHS[1:], None)):
            mine = {n: name for name, n in names.items() if len(n) >= length and (longer is None or len(n) < longer)}
            if mine:
                self.groups.append((length, self.table(mine, length), mine, self.by_head(mine, length)))
        assert sum(len(g[2]) for g in self.groups) == len(set(names.values())), "a needle is too short"

    @staticmethod
    def by_head(needles, length):
        heads = {}
        for needle in needles:
            heads.setdefault(needle[:length], []).append(needle)
        return heads

    def table(self, needles, length):
        table = np.zeros(1 << self.BITS, bool)
        for needle in needles:
            words = np.frombuffer(needle[:length].ljust(16, b"\0"), "<u8")
            table[self.hash(words[:1], words[1:], length)] = True
        return table

    def hash(self, first, second, length):
        if length < 8:
            first = first & np.uint64((1 << 8 * length) - 1)
        mixed = first * np.uint64(0x9E3779B97F4A7C15)
        if length == 16:
            mixed = (mixed ^ second) * np.uint64(0xC2B2AE3D27D4EB4F)
        return mixed >> np.uint64(64 - self.BITS)

    def found(self, haystack):
        """names of all that is there"""
        names = set()
        step = 8 << 20
        for begin in range(0, len(haystack), step):
            self.search(haystack[begin:begin + step + 256], names)
        return names

    def search(self, data, names):
        padded = bytes(data) + bytes(24)
        for shift in range(8):
            words = np.frombuffer(padded, "<u8", (len(padded) - shift) // 8, shift)
            places = np.flatnonzero(words[:-1])  # no needle begins with zeros only
            first, second = words[places], words[places + 1]
            for length, table, needles, heads in self.groups:
                for i in places[table[self.hash(first, second, length)]]:
                    at = shift + 8 * int(i)
                    for needle in heads.get(padded[at:at + length], ()):
                        if needles[needle] not in names and padded.startswith(needle, at):
                            names.add(needles[needle])

    def found_in(self, places):
        """{place: names} where there is anything"""
        result = {}
        for place, data in places:
            names = self.found(data)
            if names:
                result.setdefault(place, set()).update(names)
        return result


class Wire:
    """A TCP proxy that records what passes, in both directions."""

    def __init__(self, port):
        self.target, self.sent, self.received = port, bytearray(), bytearray()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.carry, args=(near,), daemon=True).start()

    def carry(self, near):
        with near, socket.create_connection(("127.0.0.1", self.target)) as far:
            while True:
                ready, _, _ = select.select([near, far], [], [])
                for side in ready:
                    try:
                        data = side.recv(1 << 16)
                        other, record = (far, self.sent) if side is near else (near, self.received)
                        record += data
                        if not data:
                            return
                        other.sendall(data)
                    except OSError:
                        return

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.listener.close()
