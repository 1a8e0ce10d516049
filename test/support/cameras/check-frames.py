"""Says which camera frames MP4 files hold, from the counters rtsp-server.py puts into every frame.

    python3 check-frames.py --clip CLIP.bin [options] FILE.mp4...

The files are one stream in order. This reads the boxes and the NAL units itself and shares no code with the
recorder, so that it can testify against it. Standard output is one JSON object; the exit code is 0 if every
frame is there once, in order, whole and on time, 1 if not, 2 if a file cannot be read.
"""

import argparse
import json
import mmap
import resource
import struct
import sys
import zlib

SEI_UUID = bytes.fromhex("c4570500f7a34e6db1d2ca3e7a9e5ed1")
SEI_USER_DATA_UNREGISTERED = 5
SEI_BYTES = 2 + len(SEI_UUID) + 16
# Enough of the NAL to hold our SEI with every third byte escaped.
SEI_READ_BYTES = 4 + SEI_BYTES * 3 // 2
CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"mvex", b"moof", b"traf", b"edts"}
LISTED = 50
RECONNECT_MS = 100  # what two connections' clocks may differ by: each is set by its own first arrivals
# Days of samples fit; a damaged file must fail here and not starve the machine.
MEMORY_LIMIT_BYTES = 2 * 1024**3


class Unreadable(Exception):
    pass


# --- boxes


def boxes(data, start, end):
    """Yields (type, payload start, box end); stops at unused space or at a box that is cut off."""
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, start)
        head = 8
        if size == 1 and start + 16 <= end:
            size = struct.unpack_from(">Q", data, start + 8)[0]
            head = 16
        elif size == 0 and kind != b"\0\0\0\0":
            size = end - start
        if size < head or start + size > end:
            return
        yield kind, start + head, start + size
        start += size


def tree(data, start, end):
    """A box's children as {type: [value]}; a container's value is a tree, another's its (start, end)."""
    found = {}
    for kind, at, stop in boxes(data, start, end):
        found.setdefault(kind, []).append(tree(data, at, stop) if kind in CONTAINERS else (at, stop))
    return found


def first(node, *path):
    for kind in path:
        if kind not in node:
            return None
        node = node[kind][0]
    return node


def uint(data, at, size):
    return int.from_bytes(data[at : at + size], "big")


class Track:
    """The video track of one file."""

    def __init__(self, data, moov):
        movie_at = first(moov, b"mvhd")[0]
        self.movie_timescale = uint(data, movie_at + (20 if data[movie_at] == 1 else 12), 4)
        for trak in moov.get(b"trak", []):
            at = first(trak, b"mdia", b"hdlr")[0]
            if data[at + 8 : at + 12] == b"vide":
                break
        else:
            raise Unreadable("no video track")
        at = first(trak, b"tkhd")[0]
        self.id = uint(data, at + (20 if data[at] == 1 else 12), 4)
        at = first(trak, b"mdia", b"mdhd")[0]
        self.timescale = uint(data, at + (20 if data[at] == 1 else 12), 4)
        self.stbl = first(trak, b"mdia", b"minf", b"stbl")
        self.read_description(data)
        self.shift_ticks = self.edit_shift(data, first(trak, b"edts", b"elst"))
        self.defaults = (0, 0, 0)
        for at, _end in (first(moov, b"mvex") or {}).get(b"trex", []):
            if uint(data, at + 4, 4) == self.id:
                self.defaults = struct.unpack_from(">III", data, at + 12)

    def read_description(self, data):
        at, _end = first(self.stbl, b"stsd")
        entry = at + 8
        size, kind = struct.unpack_from(">I4s", data, entry)
        self.format = kind.decode("latin-1")
        if kind in (b"avc1", b"avc3"):
            self.codec, want, where = "h264", b"avcC", 4
        elif kind in (b"hvc1", b"hev1"):
            self.codec, want, where = "h265", b"hvcC", 21
        else:
            raise Unreadable(f"sample entry {self.format}")
        for child, start, _stop in boxes(data, entry + 8 + 78, entry + size):
            if child == want:
                self.length_bytes = (data[start + where] & 3) + 1
                return
        raise Unreadable(f"no {want.decode()}")

    def edit_shift(self, data, elst):
        if elst is None:
            return 0
        at = elst[0]
        wide = data[at] == 1
        shift = 0
        entry = at + 8
        for _ in range(uint(data, at + 4, 4)):
            duration, media_time = struct.unpack_from(">Qq" if wide else ">Ii", data, entry)
            if media_time != -1:
                return shift - media_time
            shift += duration * self.timescale // self.movie_timescale
            entry += 20 if wide else 12
        return shift


# --- samples: (offset, size, presentation ticks, key)


def samples_of(data, track, end):
    if first(track.stbl, b"stsz") and uint(data, first(track.stbl, b"stsz")[0] + 8, 4):
        yield from indexed_samples(data, track)
    for kind, at, stop in boxes(data, 0, end):
        if kind == b"moof":
            yield from fragment_samples(data, track, at, stop)


def fragment_samples(data, track, at, stop):
    moof_at = at - 8
    base = moof_at
    for traf in tree(data, at, stop).get(b"traf", []):
        head = first(traf, b"tfhd")[0]
        flags, track_id = struct.unpack_from(">II", data, head)
        flags &= 0xFFFFFF
        cursor = head + 8
        if flags & 1:
            base = uint(data, cursor, 8)
            cursor += 8
        elif flags & 0x20000:
            base = moof_at
        cursor += 4 if flags & 2 else 0
        duration, size, sample_flags = track.defaults
        if flags & 8:
            duration = uint(data, cursor, 4)
            cursor += 4
        if flags & 0x10:
            size = uint(data, cursor, 4)
            cursor += 4
        if flags & 0x20:
            sample_flags = uint(data, cursor, 4)
        time_at = first(traf, b"tfdt")[0]
        ticks = uint(data, time_at + 4, 8 if data[time_at] == 1 else 4)
        offset = base
        for run_at, _stop in traf.get(b"trun", []):
            rows, offset, ticks = run_samples(data, run_at, base, offset, ticks, (duration, size, sample_flags))
            if track_id == track.id:
                yield from rows
        base = offset


def run_samples(data, at, base, offset, ticks, defaults):
    flags, count = struct.unpack_from(">II", data, at)
    signed = flags >> 24
    cursor = at + 8
    if flags & 1:
        offset = base + struct.unpack_from(">i", data, cursor)[0]
        cursor += 4
    first_flags = None
    if flags & 4:
        first_flags = uint(data, cursor, 4)
        cursor += 4
    rows = []
    for index in range(count):
        duration, size, sample_flags = defaults
        shift = 0
        if flags & 0x100:
            duration = uint(data, cursor, 4)
            cursor += 4
        if flags & 0x200:
            size = uint(data, cursor, 4)
            cursor += 4
        if flags & 0x400:
            sample_flags = uint(data, cursor, 4)
            cursor += 4
        elif index == 0 and first_flags is not None:
            sample_flags = first_flags
        if flags & 0x800:
            shift = struct.unpack_from(">i" if signed else ">I", data, cursor)[0]
            cursor += 4
        rows.append((offset, size, ticks + shift, not sample_flags & 0x10000))
        offset += size
        ticks += duration
    return rows, offset, ticks


def indexed_samples(data, track):
    def table(kind, form):
        found = first(track.stbl, kind)
        if found is None:
            return []
        at = found[0]
        return list(struct.iter_unpack(form, data[at + 8 : at + 8 + uint(data, at + 4, 4) * struct.calcsize(form)]))

    size_at = first(track.stbl, b"stsz")[0]
    fixed, count = struct.unpack_from(">II", data, size_at + 4)
    sizes = [fixed] * count if fixed else struct.unpack_from(f">{count}I", data, size_at + 12)
    chunks = [row[0] for row in table(b"stco", ">I") or table(b"co64", ">Q")]
    to_chunk = table(b"stsc", ">III")
    durations = [step for number, step in table(b"stts", ">II") for _ in range(number)]
    shifts = [shift for number, shift in table(b"ctts", ">Ii") for _ in range(number)] or [0] * count
    keys = {row[0] for row in table(b"stss", ">I")} if first(track.stbl, b"stss") else None
    index = ticks = 0
    for number, offset in enumerate(chunks, 1):
        per_chunk = [row for row in to_chunk if row[0] <= number][-1][1]
        for _ in range(per_chunk):
            yield offset, sizes[index], ticks + shifts[index], keys is None or index + 1 in keys
            offset += sizes[index]
            ticks += durations[index]
            index += 1


# --- NAL units


def unescape(data):
    out = bytearray()
    zeros = 0
    for byte in data:
        if zeros >= 2 and byte == 3:
            zeros = 0
            continue
        out.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes(out)


def counter_in(sei):
    """(counter, wall ms) of our own message at the head of an SEI payload, or None."""
    rbsp = unescape(sei)
    if rbsp[:1] != bytes((SEI_USER_DATA_UNREGISTERED,)) or rbsp[2:18] != SEI_UUID or len(rbsp) < SEI_BYTES:
        return None
    return struct.unpack_from(">QQ", rbsp, 18)


class Sample:
    __slots__ = ("counter", "wall_ms", "seconds", "ticks", "size", "vcl_bytes", "crc", "key", "key_nal", "whole", "file")


def read_sample(data, track, row, with_crc):
    offset, size, ticks, key = row
    sample = Sample()
    sample.counter = sample.wall_ms = None
    sample.ticks, sample.size, sample.key = ticks + track.shift_ticks, size, key
    sample.seconds = sample.ticks / track.timescale
    sample.vcl_bytes = sample.crc = 0
    sample.key_nal = False
    end = offset + size
    at = offset
    h264 = track.codec == "h264"
    while at + track.length_bytes < end:
        length = uint(data, at, track.length_bytes)
        at += track.length_bytes
        if length == 0 or at + length > end:
            break
        kind = data[at] & 31 if h264 else data[at] >> 1 & 63
        if (1 <= kind <= 5) if h264 else kind < 32:
            stop = at + length
            # No NAL unit ends in zero; ffmpeg leaves one from the next start code behind H.265 slices.
            while data[stop - 1] == 0 and stop > at + 1:
                stop -= 1
            sample.vcl_bytes += stop - at
            sample.key_nal |= kind == 5 if h264 else 16 <= kind <= 23
            if with_crc:
                sample.crc = zlib.crc32(data[at:stop], sample.crc)
        elif kind == (6 if h264 else 39) and sample.counter is None:
            head = at + (1 if h264 else 2)
            found = counter_in(data[head : min(at + length, head + SEI_READ_BYTES)])
            if found:
                sample.counter, sample.wall_ms = found
        at += length
    sample.whole = at == end
    return sample


def read_file(path, with_crc):
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        end = len(data)
        used = 0
        moov = None
        for kind, at, stop in boxes(data, 0, end):
            used = stop
            if kind == b"moov":
                moov = tree(data, at, stop)
        if moov is None:
            raise Unreadable("no moov")
        track = Track(data, moov)
        samples = []
        for row in samples_of(data, track, end):
            # The last fragment of an interrupted file may promise more than was written.
            if row[0] + row[1] > used:
                break
            sample = read_sample(data, track, row, with_crc)
            sample.file = path
            samples.append(sample)
        source = {"path": path, "format": track.format, "timescale": track.timescale, "frames": len(samples), "unusedBytes": end - used}
        counters = [sample.counter for sample in samples if sample.counter is not None]
        if counters:
            source["first"], source["last"] = counters[0], counters[-1]
        return samples, source


# --- the verdict


def holes(counters):
    """The counters between the first and the last that are in no sample, as closed ranges."""
    ordered = sorted(counters)
    return [[low + 1, high - 1] for low, high in zip(ordered, ordered[1:]) if high > low + 1]


def is_listed(hole, gaps):
    """Whether the listed gaps together cover the hole. (A damaged counter makes holes too long to count through.)"""
    low, high = hole
    for start, end in sorted(gaps):
        if start <= low:
            low = max(low, end + 1)
    return low > high


def fits_clip(sample, clips, with_crc):
    for clip in clips:
        frame = clip["frameIndex"][sample.counter % len(clip["frameIndex"])]
        if frame["vclBytes"] == sample.vcl_bytes and frame["key"] == sample.key_nal and (not with_crc or frame["vclCrc32"] == sample.crc):
            return True
    return not clips


def check_order(samples):
    seen = set()
    doubled, reordered = [], []
    highest = -1
    for sample in samples:
        if sample.counter in seen:
            doubled.append(sample.counter)
        elif sample.counter < highest:
            reordered.append(sample.counter)
        seen.add(sample.counter)
        highest = max(highest, sample.counter)
    return seen, doubled, reordered


def check_times(samples, fps, by_step, per_file, cut):
    """Worst distance in ms between presentation times and counters, within spans of unbroken counters.
    Frames in `cut` were torn by a network that broke: the key frame after one may be of the next connection, which has a
    clock of its own. It may be off by RECONNECT_MS, and the span begins anew there."""
    worst, worst_at = 0.0, None
    anchor = last = None
    for sample in samples:
        if sample.counter is None:  # cut before its number: how much of the clip's time it stands for is not known
            last = None
            continue
        broken = last is None or sample.counter != last.counter + 1 or (per_file and sample.file != last.file)
        if not broken and last.counter in cut and sample.key:
            step = abs((sample.seconds - last.seconds) - 1 / fps) * 1000
            broken = step <= RECONNECT_MS
        if broken:
            anchor = sample
        elif by_step:
            anchor = last
        error = abs((sample.seconds - anchor.seconds) - (sample.counter - anchor.counter) / fps) * 1000
        if error > worst:
            worst, worst_at = error, sample.counter
        last = sample
    return worst, worst_at


def judge(samples, sources, options, clips):
    known = [sample for sample in samples if sample.counter is not None]
    seen, doubled, reordered = check_order(known)
    missing = holes(seen)
    unlisted = [] if options.any_gap else [hole for hole in missing if not is_listed(hole, options.gap)]
    wrong_size = [s.counter for s in known if not s.whole or not fits_clip(s, clips, options.content)]
    wrong_key = [s.counter for s in known if s.key != s.key_nal]
    cut = set(wrong_size) if options.reconnects else set()
    worst, worst_at = check_times(samples, options.fps, options.times == "step", options.per_file_time, cut)
    faults = {
        "noFrames": not known,
        "unlistedGap": bool(unlisted),
        "doubled": bool(doubled),
        "reordered": bool(reordered),
        "wrongSize": bool(wrong_size),
        "wrongKeyFlag": bool(wrong_key),
        "withoutCounter": len(known) != len(samples),
        "time": worst > options.tolerance_ms,
    }
    return {
        "ok": not any(faults.values()),
        "faults": [name for name, broken in faults.items() if broken],
        "frames": len(samples),
        "first": known[0].counter if known else None,
        "last": known[-1].counter if known else None,
        "missing": missing,
        "missingFrames": sum(high - low + 1 for low, high in missing),
        "doubled": doubled[:LISTED],
        "reordered": reordered[:LISTED],
        "wrongSize": wrong_size[:LISTED],
        "wrongKeyFlag": wrong_key[:LISTED],
        "withoutCounter": len(samples) - len(known),
        "worstTimeErrorMs": round(worst, 4),
        "worstTimeErrorAt": worst_at,
        "startsOnKey": bool(samples) and samples[0].key,
        "firstSeconds": known[0].seconds if known else None,
        "lastSeconds": known[-1].seconds if known else None,
        "firstWallMs": known[0].wall_ms if known else None,
        "lastWallMs": known[-1].wall_ms if known else None,
        "sources": sources,
    }


def gap(text):
    low, high = text.split("-")
    return int(low), int(high)


def parse_arguments():
    parser = argparse.ArgumentParser(description="checks recorded frames against the camera's counters")
    parser.add_argument("files", nargs="+")
    parser.add_argument("--clip", action="append", default=[], help="the clip's .bin; several if the camera changed clips")
    parser.add_argument("--fps", type=float, help="frame rate, if no clip says it")
    parser.add_argument("--gap", action="append", type=gap, default=[], metavar="FROM-TO", help="counters allowed to be missing")
    parser.add_argument("--any-gap", action="store_true", help="report gaps without failing")
    parser.add_argument("--tolerance-ms", type=float, default=2)
    parser.add_argument("--times", choices=("span", "step"), default="span", help="compare with the span's first frame or the one before")
    parser.add_argument("--per-file-time", action="store_true", help="each file's times start anew")
    parser.add_argument("--reconnects", action="store_true", help="behind a torn frame another connection may go on, on its own clock")
    parser.add_argument("--content", action="store_true", help="compare the checksum of the slices too (reads every byte)")
    parser.add_argument("--list", metavar="CSV", help="also write one line a sample")
    options = parser.parse_args()
    if options.fps is None and not options.clip:
        parser.error("--clip or --fps is needed")
    return options


def main():
    options = parse_arguments()
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_LIMIT_BYTES, MEMORY_LIMIT_BYTES))
    clips = []
    for path in options.clip:
        with open(path + ".json", encoding="utf-8") as file:
            clips.append(json.load(file))
    options.fps = options.fps or clips[0]["fps"]
    samples, sources = [], []
    for path in options.files:
        try:
            found, source = read_file(path, options.content)
        except (OSError, ValueError, Unreadable, struct.error, TypeError, IndexError, MemoryError) as fault:
            print(json.dumps({"ok": False, "unreadable": path, "error": f"{type(fault).__name__}: {fault}"}))
            sys.exit(2)
        samples += found
        sources.append(source)
    if options.list:
        with open(options.list, "w", encoding="utf-8") as file:
            file.write("seconds,counter,wallMs,size,key,file\n")
            for s in samples:
                file.write(f"{s.seconds:.6f},{s.counter},{s.wall_ms},{s.size},{int(s.key)},{s.file}\n")
    verdict = judge(samples, sources, options, clips)
    print(json.dumps(verdict))
    sys.exit(0 if verdict["ok"] else 1)


if __name__ == "__main__":
    main()
