"""The embedded Prefect server, for programs on this machine and its own pages only: `python -m flows.prefect_server`."""

import uvicorn
from prefect.server.api.server import create_app
from prefect.settings import get_current_settings

from flows.own_pages import OwnPagesOnly
from index.settings import Settings


def main() -> None:
    """Serves until SIGTERM what `prefect server start` would, by the same settings: Prefect's command has no place for a guard."""
    server = get_current_settings().server
    uvicorn.run(
        OwnPagesOnly(create_app(final=True), server.api.cors_allowed_origins.split(",")),
        host="127.0.0.1",
        port=Settings().prefect_port,
        timeout_keep_alive=server.api.keepalive_timeout,
        ws_ping_interval=server.api.websocket_ping_interval,
        ws_ping_timeout=server.api.websocket_ping_timeout,
        log_level=server.logging_level.lower(),
    )


if __name__ == "__main__":
    main()
