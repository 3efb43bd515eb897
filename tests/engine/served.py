"""Serves what a handler plays, on an address of this machine."""

import threading
from contextlib import contextmanager
from http.server import ThreadingHTTPServer


@contextmanager
def served(handler, pause, **held):
    """Serve while inside; gives the address.

    Args:
        handler: A class of `BaseHTTPRequestHandler`.
        pause: An event that answers may wait for; set at the end.
        held: What the handler shall find as its attributes.
    """
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (handler,), held))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        pause.set()
        server.shutdown()
        server.server_close()
        thread.join()
