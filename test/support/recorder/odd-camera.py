"""An RTSP server with the mounts the camera stand-in has none of: other codecs, nothing at all.

    /usr/bin/python3 odd-camera.py PATH=LAUNCH...

Prints its port; ends when standard input closes or with its parent.
"""

import ctypes
import os
import signal
import sys
import threading

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

PR_SET_PDEATHSIG = 1


def main():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service("0")
    for mount in sys.argv[1:]:
        path, launch = mount.split("=", 1)
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(f"( {launch} )")
        server.get_mount_points().add_factory(path, factory)
    if not server.attach(None):
        raise OSError("no port")
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    print(server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


main()
