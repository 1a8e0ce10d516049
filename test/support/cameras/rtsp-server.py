"""An RTSP camera stand-in: endless H.264/H.265 streams looped from clips, on 127.0.0.1.

    /usr/bin/python3 rtsp-server.py config.json

Every access unit carries a user_data_unregistered SEI before its first slice: SEI_UUID, then the mount's
frame counter and the capture instant in UTC milliseconds, each 8 bytes big-endian. The counter is
floor(seconds since the server started x fps) and counter mod clip frames is the frame of the clip, so a
gap in the counters of a recording is lost time and nothing else.

Standard output gives {"ready":true,"port":N}, then one answer line for each control line on standard
input. The server ends when standard input closes, on SIGTERM, or with its parent.
"""

import ctypes
import heapq
import json
import os
import queue
import resource
import signal
import struct
import sys
import threading
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstApp, GstRtsp, GstRtspServer  # noqa: E402,F401

SEI_UUID = bytes.fromhex("c4570500f7a34e6db1d2ca3e7a9e5ed1")
START_CODE = b"\x00\x00\x00\x01"
SEI_NAL_HEADER = {"h264": b"\x06", "h265": b"\x4e\x01"}
SEI_USER_DATA_UNREGISTERED = 5
GARBAGE_NAL_HEADER = {"h264": b"\x65", "h265": b"\x26\x01"}

SECOND_NS = 1_000_000_000
RTP_CLOCK_HZ = 90_000
# A client this far behind loses frames up to the next key frame, as a real camera's send buffer would.
SESSION_QUEUE_LIMIT_BYTES = 8 * 1024 * 1024
# How often a session that is still being set up is offered its first frame.
JOIN_POLL_S = 0.005
SESSION_SWEEP_S = 5
# Ethernet-sized RTP packets, as cameras send them.
PAYLOAD_MTU_BYTES = 1400
AAC_FRAME_SAMPLES = 1024
AAC_RATE_HZ = 16_000
G711_RATE_HZ = 8_000
G711_PACKET_SAMPLES = 320
PR_SET_PDEATHSIG = 1
# Five threads a session at the default 8 MiB of stack would use up the address space long before the memory.
THREAD_STACK_BYTES = 1024 * 1024
PTHREAD_ATTR_BYTES = 64


def say(**fields):
    # One write per line, because several threads answer.
    os.write(sys.stdout.fileno(), (json.dumps(fields) + "\n").encode())


def escape_rbsp(rbsp):
    """Inserts emulation prevention bytes."""
    out = bytearray()
    zeros = 0
    for byte in rbsp:
        if zeros == 2 and byte <= 3:
            out.append(3)
            zeros = 0
        out.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes(out)


def sei_nal(codec, counter, wall_ms):
    payload = SEI_UUID + struct.pack(">QQ", counter, wall_ms)
    rbsp = bytes((SEI_USER_DATA_UNREGISTERED, len(payload))) + payload + b"\x80"
    return START_CODE + SEI_NAL_HEADER[codec] + escape_rbsp(rbsp)


class Clip:
    """The frames of one clip, each cut where the SEI goes. Shared by all mounts that play it."""

    cache = {}

    def __init__(self, path):
        with open(path + ".json", encoding="utf-8") as file:
            index = json.load(file)
        with open(path, "rb") as file:
            data = file.read()
        self.codec = index["codec"]
        self.gop_frames = index["gopFrames"]
        self.frames = []
        for entry in index["frameIndex"]:
            start, split = entry["offset"], entry["offset"] + entry["vclOffset"]
            self.frames.append((data[start:split], data[split : start + entry["sizeBytes"]]))
        if len(self.frames) % self.gop_frames != 0:
            raise ValueError(f"{path}: {len(self.frames)} frames are not whole GOPs of {self.gop_frames}")

    @classmethod
    def load(cls, path):
        if path not in cls.cache:
            cls.cache[path] = cls(path)
        return cls.cache[path]


class AudioClip:
    """Looped audio frames and the caps of their source."""

    def __init__(self, codec, path):
        with open(path, "rb") as file:
            data = file.read()
        if codec == "aac":
            self.frames, config = split_adts(data)
            self.frame_ns = AAC_FRAME_SAMPLES * SECOND_NS / AAC_RATE_HZ
            self.caps = (
                f"audio/mpeg,mpegversion=(int)4,stream-format=(string)raw,framed=(boolean)true,"
                f"rate=(int){AAC_RATE_HZ},channels=(int)1,codec_data=(buffer){config.hex()}"
            )
            self.payloader = "rtpmp4gpay"
        else:
            step = G711_PACKET_SAMPLES
            self.frames = [data[at : at + step] for at in range(0, len(data) - step + 1, step)]
            self.frame_ns = step * SECOND_NS / G711_RATE_HZ
            self.caps = f"audio/x-mulaw,rate=(int){G711_RATE_HZ},channels=(int)1"
            self.payloader = "rtppcmupay"


def split_adts(data):
    frames = []
    at = 0
    config = b""
    while at + 7 <= len(data):
        size = (data[at + 3] & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5
        header = 7 if data[at + 1] & 1 else 9
        if not config:
            profile, rate = data[at + 2] >> 6, (data[at + 2] >> 2) & 15
            channels = (data[at + 2] & 1) << 2 | data[at + 3] >> 6
            config = struct.pack(">H", (profile + 1) << 11 | rate << 7 | channels << 3)
        frames.append(data[at + header : at + size])
        at += size
    return frames, config


class Session:
    """One prepared media: the sources a client is fed through."""

    def __init__(self, media, video, audio):
        self.media = media
        self.video = video
        self.audio = audio
        # The next counter owed to this session; None until it has been given a key frame to start on.
        self.next_counter = None
        # Where an interrupted session goes on at the earliest.
        self.not_before = 0
        self.next_audio = None
        self.sent = 0


class Mount:
    """One camera stream: its clock, its clip, its faults and the sessions it feeds."""

    def __init__(self, config, phase_share, start_ns):
        self.path = config["path"]
        self.fps = config["fps"]
        self.codec = config["codec"]
        self.clip = Clip.load(config["clip"])
        if self.clip.codec != self.codec:
            raise ValueError(f"{self.path}: the clip is {self.clip.codec}")
        if config.get("gopFrames", self.clip.gop_frames) != self.clip.gop_frames:
            raise ValueError(f"{self.path}: the clip has a GOP of {self.clip.gop_frames}")
        self.next_clip = None
        self.username = config.get("username")
        self.password = config.get("password")
        audio = config.get("audio")
        self.audio = AudioClip(audio, config["audioClip"]) if audio else None
        # Cameras do not capture in step; spreading the mounts also spreads the work.
        self.phase_ticks = int(phase_share * RTP_CLOCK_HZ / self.fps)
        self.base_ns = start_ns
        self.pts_offset_ns = 0
        self.stalled = False
        self.garbage = False
        self.sessions = []
        self.waiters = []
        self.factory = None
        self.connects = 0
        self.frames_sent = 0
        self.frames_dropped = 0

    def counter_at(self, now_ns):
        ticks = (now_ns - self.base_ns) * RTP_CLOCK_HZ // SECOND_NS
        return max(0, (ticks - self.phase_ticks) * self.fps // RTP_CLOCK_HZ)

    def due_ns(self, counter):
        # Whole RTP ticks, rounded up to the nanosecond, so that they reach the wire without jitter.
        ticks = self.phase_ticks - (-counter * RTP_CLOCK_HZ // self.fps)
        return self.base_ns - (-ticks * SECOND_NS // RTP_CLOCK_HZ)

    def key_counter_at(self, counter):
        return counter - counter % self.clip.gop_frames

    def launch(self):
        pay, parse_caps = ("rtph264pay", "video/x-h264") if self.codec == "h264" else ("rtph265pay", "video/x-h265")
        # The clips carry parameter sets before every key frame; a config-interval would send them twice.
        video = (
            f"appsrc name=video is-live=true format=time do-timestamp=false emit-signals=false block=false max-bytes=0 "
            f"caps={parse_caps},stream-format=(string)byte-stream,alignment=(string)au,framerate=(fraction){self.fps}/1 "
            f"! {pay} name=pay0 pt=96 config-interval=0 mtu={PAYLOAD_MTU_BYTES}"
        )
        if not self.audio:
            return f"( {video} )"
        return (
            f"( {video} appsrc name=audio is-live=true format=time do-timestamp=false emit-signals=false block=false "
            f'max-bytes=0 caps="{self.audio.caps}" ! {self.audio.payloader} name=pay1 pt=97 )'
        )

    # Everything below runs on the scheduler thread only.

    def tick(self, now_ns):
        current = self.counter_at(now_ns)
        self.answer_waiters(current)
        if not self.stalled:
            for session in self.sessions:
                self.feed(session, current)
                if self.audio:
                    self.feed_audio(session, now_ns)
        return self.due_ns(current + 1)

    def answer_waiters(self, current):
        for counter, answer in [waiter for waiter in self.waiters if waiter[0] <= current]:
            self.waiters.remove((counter, answer))
            say(done="await-frame", frame=current, **answer)

    def feed(self, session, current):
        if session.video.get_current_level_bytes() > SESSION_QUEUE_LIMIT_BYTES:
            self.await_key_frame(session)
            return
        if session.next_counter is None and not self.join(session, current):
            return
        while session.next_counter <= current:
            if session.video.push_buffer(self.buffer(session.next_counter)) != Gst.FlowReturn.OK:
                # Not started yet, or torn down and about to be removed.
                self.await_key_frame(session)
                return
            session.next_counter += 1
            session.sent += 1
            self.frames_sent += 1

    def join(self, session, current):
        """Puts a session on the newest key frame it has not passed; False if that is still to come."""
        start = self.key_counter_at(current)
        if start < session.not_before:
            return False
        if session.sent > 0:
            self.frames_dropped += start - session.not_before
        session.next_counter = start
        return True

    def await_key_frame(self, session):
        if session.next_counter is not None and session.sent > 0:
            session.not_before = session.next_counter
        session.next_counter = None

    def buffer(self, counter):
        if self.next_clip and counter % self.clip.gop_frames == 0 and counter % self.next_clip.gop_frames == 0:
            self.clip, self.next_clip = self.next_clip, None
        head, slices = self.clip.frames[counter % len(self.clip.frames)]
        due_ns = self.due_ns(counter)
        if self.garbage:
            data = START_CODE + GARBAGE_NAL_HEADER[self.codec] + os.urandom(max(64, len(slices)))
        else:
            wall_ms = (time.time_ns() - (time.monotonic_ns() - due_ns)) // 1_000_000
            data = b"".join((head, sei_nal(self.codec, counter, wall_ms), slices))
        buffer = Gst.Buffer.new_wrapped(data)
        buffer.pts = buffer.dts = max(0, due_ns - self.base_ns + self.pts_offset_ns)
        buffer.duration = SECOND_NS // self.fps
        return buffer

    def feed_audio(self, session, now_ns):
        if session.sent == 0:
            return
        current = int((now_ns - self.base_ns) // self.audio.frame_ns)
        if session.next_audio is None or current - session.next_audio > 100:
            session.next_audio = current
        while session.next_audio <= current:
            index = session.next_audio
            buffer = Gst.Buffer.new_wrapped(self.audio.frames[index % len(self.audio.frames)])
            buffer.pts = max(0, int(index * self.audio.frame_ns) + self.pts_offset_ns)
            buffer.duration = int(self.audio.frame_ns)
            session.audio.push_buffer(buffer)
            session.next_audio = index + 1


class Scheduler(threading.Thread):
    """The one thread that feeds every session; all others talk to it through its inbox."""

    def __init__(self, mounts):
        super().__init__(name="scheduler", daemon=True)
        self.mounts = mounts
        self.inbox = queue.SimpleQueue()

    def run(self):
        now_ns = time.monotonic_ns()
        due = [(mount.due_ns(mount.counter_at(now_ns)), order) for order, mount in enumerate(self.mounts)]
        heapq.heapify(due)
        while True:
            self.serve_inbox(max(0.0, (due[0][0] - time.monotonic_ns()) / SECOND_NS))
            now_ns = time.monotonic_ns()
            while due[0][0] <= now_ns:
                order = due[0][1]
                heapq.heapreplace(due, (self.mounts[order].tick(now_ns), order))

    def serve_inbox(self, wait_s):
        joining = [m for m in self.mounts if not m.stalled and any(s.sent == 0 for s in m.sessions)]
        if joining:
            wait_s = min(wait_s, JOIN_POLL_S)
        try:
            task = self.inbox.get(timeout=wait_s) if wait_s > 0 else self.inbox.get_nowait()
            while True:
                task()
                task = self.inbox.get_nowait()
        except queue.Empty:
            pass
        now_ns = time.monotonic_ns()
        for mount in joining:
            for session in mount.sessions:
                if session.sent == 0:
                    mount.feed(session, mount.counter_at(now_ns))


class Factory(GstRtspServer.RTSPMediaFactory):
    """Makes one media per client, so that each starts on a key frame of its own."""

    def __init__(self, mount, scheduler):
        super().__init__()
        self.mount = mount
        self.scheduler = scheduler
        self.set_shared(False)
        self.set_launch(mount.launch())
        self.set_protocols(GstRtsp.RTSPLowerTrans.TCP | GstRtsp.RTSPLowerTrans.UDP)
        self.connect("media-configure", self.configure)

    def configure(self, _factory, media):
        bin_ = media.get_element()
        pipeline = bin_.get_parent()
        # Running time is time since the server started, in every session: equal frames get equal timestamps.
        pipeline.use_clock(Gst.SystemClock.obtain())
        pipeline.set_start_time(Gst.CLOCK_TIME_NONE)
        pipeline.set_base_time(self.mount.base_ns)
        # The schedule paces the frames; a sink waiting for its clock would turn a PTS jump into a stall.
        media.set_rate_control(False)
        session = Session(media, bin_.get_by_name("video"), bin_.get_by_name("audio"))
        inbox = self.scheduler.inbox
        inbox.put(lambda: self.mount.sessions.append(session))
        media.connect("unprepared", lambda _media: inbox.put(lambda: self.forget(session)))

    def forget(self, session):
        if session in self.mount.sessions:
            self.mount.sessions.remove(session)


class Auth(GstRtspServer.RTSPAuth):
    """Digest for the mounts that want it. (The library's default token would answer 404 there, not 401.)"""

    def __init__(self, is_protected):
        super().__init__()
        self.is_protected = is_protected

    def do_check(self, context, check):
        if context.uri is not None and not self.is_protected(context.uri.abspath):
            return True
        return GstRtspServer.RTSPAuth.do_check(self, context, check)


class Camera:
    """The RTSP server with its mounts, clients and control commands."""

    def __init__(self, config):
        start_ns = time.monotonic_ns()
        entries = config["mounts"]
        self.mounts = [Mount(entry, order / len(entries), start_ns) for order, entry in enumerate(entries)]
        self.by_path = {mount.path: mount for mount in self.mounts}
        self.scheduler = Scheduler(self.mounts)
        self.client_paths = {}
        self.server = GstRtspServer.RTSPServer()
        self.server.set_address("127.0.0.1")
        self.server.set_service(str(config.get("port", 0)))
        self.server.set_backlog(len(entries) * 4 + 16)
        self.server.connect("client-connected", self.watch_client)
        self.mount_points = self.server.get_mount_points()
        self.protect()
        for mount in self.mounts:
            self.add(mount)
        if not self.server.attach(None):
            raise OSError("the RTSP port is taken")
        self.scheduler.start()
        GLib.timeout_add_seconds(SESSION_SWEEP_S, self.sweep)

    def protect(self):
        auth = Auth(lambda abspath: bool(path := self.path_of(abspath)) and bool(self.by_path[path].username))
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        for username, password in {(m.username, m.password) for m in self.mounts if m.username}:
            token = GstRtspServer.RTSPToken()
            token.set_string(GstRtspServer.RTSP_TOKEN_MEDIA_FACTORY_ROLE, username)
            auth.add_digest(username, password, token)
        self.server.set_auth(auth)

    def add(self, mount):
        mount.factory = Factory(mount, self.scheduler)
        if mount.username:
            permissions = GstRtspServer.RTSPPermissions()
            for right in (GstRtspServer.RTSP_PERM_MEDIA_FACTORY_ACCESS, GstRtspServer.RTSP_PERM_MEDIA_FACTORY_CONSTRUCT):
                permissions.add_permission_for_role(mount.username, right, True)
            mount.factory.set_permissions(permissions)
        self.mount_points.add_factory(mount.path, mount.factory)

    def watch_client(self, _server, client):
        def note(client, context):
            path = self.path_of(context.uri.abspath)
            if path and self.client_paths.get(client) != path:
                self.client_paths[client] = path
                self.by_path[path].connects += 1

        client.connect("describe-request", note)
        client.connect("setup-request", note)
        client.connect("closed", lambda client: self.client_paths.pop(client, None))

    def path_of(self, abspath):
        # SETUP names a stream below the mount.
        matches = [path for path in self.by_path if abspath == path or abspath.startswith(path + "/")]
        return max(matches, key=len, default=None)

    def sweep(self):
        self.server.get_session_pool().cleanup()
        return True

    def obey(self, command):
        """Runs one control command on the scheduler thread and answers it."""
        answer = {"id": command["id"]} if "id" in command else {}
        try:
            if command["do"] == "status":
                answer["mounts"] = {mount.path: self.status(mount) for mount in self.mounts}
            elif command["do"] == "await-frame":
                mount = self.by_path[command["mount"]]
                mount.waiters.append((command["frame"], answer))
                return
            else:
                mount = self.by_path[command["mount"]]
                self.apply(mount, command)
                answer.update(mount=mount.path, frame=mount.counter_at(time.monotonic_ns()))
            say(done=command["do"], **answer)
        except Exception as fault:  # a bad command must not end the thread that feeds everybody
            say(error=f"{type(fault).__name__}: {fault}", **answer)

    def apply(self, mount, command):
        action = command["do"]
        if action == "stall":
            mount.stalled = True
        elif action == "resume":
            self.resume(mount)
        elif action == "switch-clip":
            clip = Clip.load(command["clip"])
            if clip.codec != mount.codec:
                raise ValueError(f"the mount plays {mount.codec}")
            mount.next_clip = clip
        elif action == "garbage":
            mount.garbage = True
        elif action == "jump":
            mount.pts_offset_ns += int(command["seconds"] * SECOND_NS)
        elif action == "drop-clients":
            self.drop(mount)
        elif action == "gone":
            self.mount_points.remove_factory(mount.path)
            self.drop(mount)
        else:
            raise ValueError(f"no such command: {action}")

    def resume(self, mount):
        if mount.stalled or mount.garbage:
            for session in mount.sessions:
                mount.await_key_frame(session)
        mount.stalled = mount.garbage = False
        if self.mount_points.match(mount.path)[0] is None:
            self.add(mount)

    def drop(self, mount):
        for client in [client for client, path in list(self.client_paths.items()) if path == mount.path]:
            client.close()

    def status(self, mount):
        return {
            "frame": mount.counter_at(time.monotonic_ns()),
            "sessions": len(mount.sessions),
            "connects": mount.connects,
            "framesSent": mount.frames_sent,
            "framesDropped": mount.frames_dropped,
            "queuedBytes": sum(s.video.get_current_level_bytes() for s in mount.sessions),
        }


def shrink_thread_stacks():
    libc = ctypes.CDLL(None)
    attributes = ctypes.create_string_buffer(PTHREAD_ATTR_BYTES)
    libc.pthread_attr_init(attributes)
    libc.pthread_attr_setstacksize(attributes, ctypes.c_size_t(THREAD_STACK_BYTES))
    libc.pthread_setattr_default_np(attributes)


def main():
    shrink_thread_stacks()
    # A client that never reads must not cost the host its memory.
    resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
    parent = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    with open(sys.argv[1], encoding="utf-8") as file:
        config = json.load(file)
    Gst.init(None)
    camera = Camera(config)

    def read_commands():
        for line in sys.stdin:
            if line.strip():
                command = json.loads(line)
                camera.scheduler.inbox.put(lambda command=command: camera.obey(command))
        # Not through the main loop: an orphan must end even when something hangs.
        os._exit(0)

    threading.Thread(target=read_commands, name="control", daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    # The parent may have gone before the death signal was asked for.
    if os.getppid() != parent:
        os._exit(0)
    say(ready=True, port=camera.server.get_bound_port())
    # An idle callback now and then lets Python see signals while GLib's loop sits in poll.
    GLib.timeout_add(200, lambda: True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
