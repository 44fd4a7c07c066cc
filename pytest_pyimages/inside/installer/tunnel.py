"""Connections to servers of the host: the container listens on its own loopback, and its standard streams carry them.

To the host go lines of JSON, [connection, kind, value]: "open" with the number of the server, "data" in base64, "read"
with a count of bytes that the client has got, "end" after its last data, and "close" once it is gone. From the host
come frames, a line "connection size" and so many bytes; an empty one ends the connection. The host has a limited number
of bytes on their way in each connection, see indexes/tunnel.py, so that no client has to wait for another.
"""

from __future__ import absolute_import, print_function

import base64
import json
import socket
import threading

try:
    import queue
except ImportError:  # pragma: no cover - Python 2
    import Queue as queue

PIECE = 2048  # bytes of a line, before base64
HOSTS = "/etc/hosts"  # the engine's, not part of the image


class Tunnel(object):
    """All connections of a container.

    :param write: writes a line to the host.
    :param say: prints a line of the log.
    """

    def __init__(self, write, say):
        self.write = write
        self.say = say
        self.lock = threading.Lock()
        self.count = 0
        self.clients = {}  # a queue of data by number
        self.rest = b""

    def listen(self, addresses, hosts, path=HOSTS):
        """Listen on addresses, pairs of host and port, and give names to some of them."""
        for number, (host, port) in enumerate(addresses):
            listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
            try:
                listener.bind((str(host), port))
            except (OSError, socket.error) as error:
                self.say("cannot listen on %s, port %d: %s" % (host, port, error))
                continue
            listener.listen(64)
            start(self.accept, listener, number)
        if hosts:
            with open(path, "a") as file:
                file.writelines("%s\t%s\n" % (address, name) for name, address in sorted(hosts.items()))

    def accept(self, listener, server):
        while True:
            client, _ = listener.accept()
            data = queue.Queue()
            with self.lock:
                self.count += 1
                number = self.count
                self.clients[number] = data
            self.tell(number, "open", server)
            start(self.read_client, number, client)
            start(self.write_client, number, client, data)

    def tell(self, number, kind, value):
        self.write(json.dumps([number, kind, value]))

    def read_client(self, number, client):
        try:
            while True:
                data = client.recv(PIECE)
                if not data:
                    break
                self.tell(number, "data", base64.b64encode(data).decode("ascii"))
        except (OSError, socket.error):
            pass
        self.tell(number, "end", 0)

    def write_client(self, number, client, received):
        while True:
            data = received.get()
            if not data:
                break
            try:
                client.sendall(data)
            except (OSError, socket.error):  # it is gone
                self.tell(number, "close", 0)
                break
            self.tell(number, "read", len(data))
        with self.lock:
            self.clients.pop(number, None)
        try:
            client.shutdown(socket.SHUT_RDWR)  # other processes may have inherited it from Python 2
        except (OSError, socket.error):
            pass
        client.close()

    def feed(self, data):
        """Take the next piece of what the host sends."""
        self.rest += data
        while True:
            head, newline, body = self.rest.partition(b"\n")
            if not newline:
                return
            number, size = map(int, head.split())
            if len(body) < size:
                return
            self.rest = body[size:]
            with self.lock:
                received = self.clients.get(number)
            if received is not None:
                received.put(body[:size])


def start(target, *arguments):
    thread = threading.Thread(target=target, args=arguments)
    thread.daemon = True
    thread.start()
