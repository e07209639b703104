"""An authorizer whose permissions are in a TOML file, which is read again when it changes; see permissions.py."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from mezzo.authorizer.v1 import authorizer_pb2 as pb
from mezzo.authorizer.v1 import authorizer_pb2_grpc
from mezzo.plugin.v1 import plugin_pb2

import permissions
import plugin

REMEMBER = 3600  # seconds for which an answer is good under its revision: it depends on nothing else

log = logging.getLogger("authorizer")


class Authorizer(plugin.Plugin, authorizer_pb2_grpc.AuthorizerServiceServicer):
    description = plugin_pb2.DescribeResponse(
        name="python",
        version="0.1.0",
        kinds=["authorizer"],
        services=["mezzo.authorizer.v1.AuthorizerService"],
        doc="Decides by a TOML file of groups and of rules about actions and roles.",
        schema=plugin_pb2.Block(
            attributes=[
                plugin_pb2.Attribute(
                    name="permissions",
                    type=plugin_pb2.Type(kind=plugin_pb2.KIND_STRING),
                    required=True,
                    doc="The TOML file. It is read again when it changes.",
                ),
                plugin_pb2.Attribute(
                    name="interval",
                    type=plugin_pb2.Type(kind=plugin_pb2.KIND_DURATION),
                    default_json='"1000000000"',
                    min_json='"10000000"',
                    doc="How often to look whether it has changed.",
                ),
            ]
        ),
    )

    def register(self, server: grpc.aio.Server) -> None:
        authorizer_pb2_grpc.add_AuthorizerServiceServicer_to_server(self, server)

    def configure(self, config: dict[str, Any]) -> None:
        self.file, self.interval = Path(config["permissions"]), config.get("interval", 1)
        try:
            data = self.file.read_bytes()
            self.take(data)
        except (OSError, permissions.BadPermissions) as e:
            raise plugin.ConfigError(self.problem(e), "permissions") from e
        self.watching = asyncio.create_task(self.watch(data))

    def problem(self, e: OSError | permissions.BadPermissions) -> str:
        return f"{self.file}: {e.strerror if isinstance(e, OSError) else e}"

    def take(self, data: bytes) -> None:
        self.permissions = permissions.parse(data)
        self.state = pb.RevisionsResponse(revision=self.permissions.revision, loaded=from_now(0))

    async def watch(self, seen: bytes | None) -> None:
        """Takes what the file becomes. What cannot be used is not taken, and what was before stays in force."""
        while True:
            await asyncio.sleep(self.interval)
            problem = None
            try:
                data = self.file.read_bytes()
                if data == seen:
                    continue
                seen = data
                self.take(data)
                log.info("the permissions have changed", extra={"revision": self.permissions.revision})
            except (OSError, permissions.BadPermissions) as e:
                problem = self.problem(e)
                if problem == self.state.problem:
                    continue
                if isinstance(e, OSError):
                    seen = None
                log.error("the permissions are not taken", extra={"problem": problem})
                self.state = pb.RevisionsResponse(revision=self.state.revision, loaded=self.state.loaded, problem=problem)
            async with self.changed:
                self.changed.notify_all()

    async def Authorize(self, request: pb.AuthorizeRequest, context: grpc.aio.ServicerContext) -> pb.AuthorizeResponse:
        async with self.call(context):
            now = self.permissions
            decisions = now.decide(request.subject.principal, request.action, request.objects or [pb.Object()])
            return pb.AuthorizeResponse(decisions=decisions, revision=now.revision, valid_until=from_now(REMEMBER))

    async def Filter(self, request: pb.FilterRequest, context: grpc.aio.ServicerContext) -> pb.FilterResponse:
        async with self.call(context):
            now = self.permissions
            predicate = now.filter(request.subject.principal, request.action)
            return pb.FilterResponse(predicate=predicate, revision=now.revision, valid_until=from_now(REMEMBER))

    async def Revisions(
        self, request: pb.RevisionsRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[pb.RevisionsResponse]:
        async with self.call(context):
            told = None
            while not self.draining:
                if told is not self.state:
                    told = self.state
                    yield told
                async with self.changed:
                    await self.changed.wait_for(lambda: self.draining or told is not self.state)


def from_now(seconds: int) -> Timestamp:
    return Timestamp(seconds=int(time.time()) + seconds)


plugin.run(Authorizer)
