"""What every Mezzo plugin does, of whatever kind: docs/vendors/wire.md in Python.

A plugin is a class that inherits from Plugin and from its kind's servicer, and is given to run().
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime
import json
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any, ClassVar

import grpc
from mezzo.plugin.v1 import plugin_pb2 as pb
from mezzo.plugin.v1 import plugin_pb2_grpc

MAGIC_COOKIE = "6d657a7a6f2d706c7567696e-1f0c9b53a7e84c62"
MAX_MESSAGE = 16 << 20  # bytes, of a message to the plugin
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}

log = logging.getLogger("plugin")


class ConfigError(Exception):
    """Something is wrong with the configuration, at the attribute of that name or with the block as a whole."""

    def __init__(self, summary: str, attribute: str | None = None) -> None:
        super().__init__(summary)
        self.attribute = attribute

    def diagnostic(self) -> pb.Diagnostic:
        path = [pb.Step(attribute=self.attribute)] if self.attribute else []
        return pb.Diagnostic(severity=pb.SEVERITY_ERROR, path=path, summary=str(self))


class Plugin(plugin_pb2_grpc.PluginServiceServicer):
    """The contract that all kinds have in common."""

    description: ClassVar[pb.DescribeResponse]

    def __init__(self) -> None:
        self.configured = False  # whether Configure was called: a process is configured once
        self.ready = False
        self.draining = False
        self.in_flight = 0
        self.changed = asyncio.Condition()  # notified when one of these changes, or the plugin's own state

    def register(self, server: grpc.aio.Server) -> None:
        """Adds the services of the plugin's kind."""
        raise NotImplementedError

    def configure(self, config: dict[str, Any]) -> None:
        """Takes a configuration that has passed the schema, or raises a ConfigError."""
        raise NotImplementedError

    async def Describe(self, request: pb.DescribeRequest, context: grpc.aio.ServicerContext) -> pb.DescribeResponse:
        return self.description

    async def Configure(self, request: pb.ConfigureRequest, context: grpc.aio.ServicerContext) -> pb.ConfigureResponse:
        if self.configured:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "the plugin is configured already")
        self.configured = True
        try:
            self.configure(decode(self.description.schema, request.config_json))
        except ConfigError as e:
            return pb.ConfigureResponse(diagnostics=[e.diagnostic()])
        self.ready = True
        return pb.ConfigureResponse()

    async def Drain(self, request: pb.DrainRequest, context: grpc.aio.ServicerContext) -> pb.DrainResponse:
        await self.drain()
        return pb.DrainResponse()

    async def drain(self) -> None:
        """Lets nothing more in, ends the streams, and waits until nothing is in flight."""
        async with self.changed:
            self.draining = True
            self.changed.notify_all()
            await self.changed.wait_for(lambda: self.in_flight == 0)

    @contextlib.asynccontextmanager
    async def call(self, context: grpc.aio.ServicerContext) -> AsyncIterator[None]:
        """Is around every call of the kind's services."""
        if self.draining:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the plugin is draining")
        if not self.ready:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "the plugin is not configured")
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1
            if self.draining:
                async with self.changed:
                    self.changed.notify_all()


def as_text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("a string is needed")
    return value


def as_seconds(value: Any) -> float:
    return int(as_text(value)) / 1e9


# How the JSON of a value becomes a value; a plugin with attributes of other kinds adds them.
DECODERS: dict[int, Callable[[Any], Any]] = {pb.KIND_STRING: as_text, pb.KIND_DURATION: as_seconds}


def decode(schema: pb.Block, config_json: bytes) -> dict[str, Any]:
    """Reads a configuration. The host has checked it and has filled in defaults; this is for careful plugins."""
    try:
        config = json.loads(config_json or b"{}")
    except ValueError as e:
        raise ConfigError(f"config_json is not JSON: {e}") from e
    if not isinstance(config, dict):
        raise ConfigError("config_json is no object")
    attributes = {a.name: a for a in schema.attributes}
    values = {}
    for name, value in config.items():
        if name not in attributes:
            raise ConfigError(f"there is no attribute {name!r}")
        try:
            values[name] = DECODERS[attributes[name].type.kind](value)
        except ValueError as e:
            raise ConfigError(str(e), name) from e
    for name, attribute in attributes.items():
        if attribute.required and name not in values:
            raise ConfigError(f"{name} is needed", name)
    return values


class Formatter(logging.Formatter):
    """Writes lines that the host makes lines of its own log from."""

    STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.datetime.fromtimestamp(record.created, datetime.timezone.utc)
        line = {
            "@level": next((name for name, n in reversed(LEVELS.items()) if record.levelno >= n), "debug"),
            "@message": record.getMessage(),
            "@timestamp": when.isoformat(timespec="microseconds"),
        }
        line |= {name: value for name, value in vars(record).items() if name not in self.STANDARD}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


async def check_health(request: bytes, context: grpc.aio.ServicerContext) -> bytes:
    """grpc.health.v1's Check, whose messages are too small to generate code for them."""
    if request != b"\x0a\x06plugin":  # HealthCheckRequest{service: "plugin"}
        await context.abort(grpc.StatusCode.NOT_FOUND, "the one service known here is: plugin")
    return b"\x08\x01"  # HealthCheckResponse{status: SERVING}


def tls(client_certificate: str) -> tuple[grpc.ServerCredentials, str]:
    """Makes a certificate, and gives it for the handshake, too. Needs the package cryptography."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=1))
        .not_valid_after(now + datetime.timedelta(days=3650))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    credentials = grpc.ssl_server_credentials(
        [(private, certificate.public_bytes(pem))], client_certificate.encode(), require_client_auth=True
    )
    der = certificate.public_bytes(serialization.Encoding.DER)
    return credentials, base64.b64encode(der).decode().rstrip("=")


async def host_is_gone() -> None:
    """Waits for the end of stdin. Without a pipe there, it waits for ever."""
    if os.environ.get("MEZZO_PLUGIN_WATCH_STDIN") != "1":
        await asyncio.Event().wait()
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.read(4096):
        pass


async def serve(plugin: Plugin) -> None:
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", MAX_MESSAGE)])
    plugin_pb2_grpc.add_PluginServiceServicer_to_server(plugin, server)
    plugin.register(server)
    health = {"Check": grpc.unary_unary_rpc_method_handler(check_health)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("grpc.health.v1.Health", health),))
    socket, certificate = os.path.join(os.environ["PLUGIN_UNIX_SOCKET_DIR"], "plugin"), ""
    if client_certificate := os.environ.get("PLUGIN_CLIENT_CERT"):
        credentials, certificate = tls(client_certificate)
        server.add_secure_port(f"unix:{socket}", credentials)
    else:
        server.add_insecure_port(f"unix:{socket}")
    await server.start()
    terminated = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, terminated.set)
    print(f"1|1|unix|{socket}|grpc|{certificate}", flush=True)

    gone, asked = asyncio.create_task(host_is_gone()), asyncio.create_task(terminated.wait())
    await asyncio.wait([gone, asked], return_when=asyncio.FIRST_COMPLETED)
    if asked.done():
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(plugin.drain(), timeout=3)
    await server.stop(grace=None)


def run(plugin: type[Plugin]) -> None:
    """Runs a plugin until its host ends it."""
    d = plugin.description
    if os.environ.get("MEZZO_PLUGIN_MAGIC_COOKIE") != MAGIC_COOKIE:
        sys.exit(f"{d.name} {d.version} is a Mezzo {d.kinds[0]} plugin: the mezzo program starts it.")
    handler = logging.StreamHandler()  # to stderr
    handler.setFormatter(Formatter())
    logging.basicConfig(handlers=[handler], level=LEVELS.get(os.environ.get("MEZZO_PLUGIN_LOG_LEVEL", ""), logging.INFO))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C in a terminal is the host's business

    async def start() -> None:
        await serve(plugin())

    asyncio.run(start())
